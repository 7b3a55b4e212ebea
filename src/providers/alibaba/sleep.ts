import type { AsleepBook } from "../../model/asleep.ts";
import { endedTerms, ownPage, vendor } from "../asleep-terms.ts";

const META = vendor("ECS API metadata, aliyun/aliyun-openapi-meta@2563691: DeleteInstances, CreateDisk, StopInstances", "2026-11");
const ECONOMICAL = vendor("alibabacloud.com/help/en/ecs, user-guide/economical-mode", "2026-11");

/** What sleeping means at Alibaba Cloud: the machine is released, its data disk stays in its zone. */
export const ALIBABA_ASLEEP: AsleepBook = {
  native: null,
  parked: endedTerms({
    page: ownPage("alibaba"),
    back: "another machine is rented in the disk's zone; a snapshot can be restored in a sister zone",
    gpu: { source: META },
    rootDisk: { note: "the system disk is released with its machine", source: META },
    volume: { note: "a pay-as-you-go disk, by its size, at its region's price; so is each snapshot", source: META },
    address: { note: "the one that came with the machine; an EIP of yours goes on", source: META },
    kept: { note: "what an overdue account has is locked, and then released; how soon nobody says", source: META },
  }),
  unused: [
    {
      what: "stop in economical mode (StopCharging)",
      why: "it frees GPU, CPU and memory and keeps the disks, but where the type cannot (local disks, gn5, …) it stops in the charging mode without a word, and its start needs stock and a bid that is not below the market",
      source: ECONOMICAL,
    },
    { what: "hibernation (HibernationOptions)", why: "by invitation only", source: META },
  ],
};
