import type { AsleepBook, Source } from "../../model/asleep.ts";
import { endedTerms, ownPage, vendor } from "../asleep-terms.ts";

const API = vendor("Compute Engine API v1, discovery document 20250320: disks, attachments, autoDelete", "2025-03-20");
const STOPPING = vendor("docs.cloud.google.com/compute/docs/instances, spot and suspend-stop-reset-instances-overview", "2026-11");
const SUSPEND: Source = {
  document:
    "docs.cloud.google.com/compute/docs/instances/suspend-resume-instance; that GPUs cannot is believed and was not found in so many words",
  date: "2026-11",
  by: "inferred",
};

/** What sleeping means at Google: the machine is deleted, its data disk stays in its zone. */
export const GCP_ASLEEP: AsleepBook = {
  native: null,
  parked: endedTerms({
    page: ownPage("gcp"),
    back: "another machine is rented in the disk's zone; a snapshot is global and can be restored in any",
    gpu: { source: STOPPING },
    rootDisk: { note: "the boot disk is deleted with its machine", source: API },
    volume: { note: "by its size, at its region's price; so is each snapshot", source: STOPPING },
    address: { note: "an ephemeral one; a static one that you reserved goes on", source: STOPPING },
    kept: { source: API },
  }),
  unused: [
    { what: "suspend", why: "not offered with GPUs; elsewhere memory is stored and billed", source: SUSPEND },
    { what: "stop", why: "the GPU is not billed, but all disks are, for ever, and a start needs capacity again", source: STOPPING },
  ],
};
