import type { AsleepBook, Source } from "../../model/asleep.ts";

const META: Source = {
  document: "ECS API metadata, aliyun/aliyun-openapi-meta@2563691: DeleteInstances, CreateDisk, StopInstances",
  date: "2026-11",
  by: "vendor",
};
const ECONOMICAL: Source = { document: "alibabacloud.com/help/en/ecs, user-guide/economical-mode", date: "2026-11", by: "vendor" };
const OURS: Source = { document: "docs/providers/alibaba.md", date: "2026-11", by: "spot" };

/** What sleeping means at Alibaba Cloud: the machine is released, its data disk stays in its zone. */
export const ALIBABA_ASLEEP: AsleepBook = {
  native: null,
  parked: {
    back: {
      value: "if-stock",
      note: "another machine is rented in the disk's zone; a snapshot can be restored in a sister zone",
      source: OURS,
    },
    memory: { value: "lost", source: OURS },
    billed: {
      gpu: { value: "gone", source: META },
      rootDisk: { value: "gone", note: "the system disk is released with its machine", source: META },
      volume: { value: "billed", note: "a pay-as-you-go disk, by its size, at its region's price; so is each snapshot", source: META },
      address: { value: "gone", note: "the one that came with the machine; an EIP of yours goes on", source: META },
    },
    kept: { value: "until-deleted", note: "an overdue account is locked, and then released", source: META },
  },
  unused: [
    {
      what: "stop in economical mode (StopCharging)",
      why: "it frees GPU, CPU and memory and keeps the disks, but where the type cannot (local disks, gn5, …) it stops in the charging mode without a word, and its start needs stock and a bid above the market",
      source: ECONOMICAL,
    },
    { what: "hibernation (HibernationOptions)", why: "by invitation only", source: META },
  ],
};
