import type { AsleepBook, Source } from "../../model/asleep.ts";

const API: Source = {
  document: "Compute Engine API v1, discovery document 20250320: disks, attachments, autoDelete",
  date: "2025-03-20",
  by: "vendor",
};
const STOPPING: Source = {
  document: "docs.cloud.google.com/compute/docs/instances, spot and suspend-stop-reset",
  date: "2026-11",
  by: "vendor",
};
const SUSPEND: Source = {
  document:
    "docs.cloud.google.com/compute/docs/instances/suspend-resume-instance; that GPUs cannot is believed and was not found in so many words",
  date: "2026-11",
  by: "inferred",
};
const OURS: Source = { document: "docs/providers/gcp.md", date: "2026-11", by: "spot" };

/** What sleeping means at Google: the machine is deleted, its data disk stays in its zone. */
export const GCP_ASLEEP: AsleepBook = {
  native: null,
  parked: {
    back: {
      value: "if-stock",
      note: "another machine is rented in the disk's zone; a snapshot is global and can be restored in any",
      source: OURS,
    },
    memory: { value: "lost", source: OURS },
    billed: {
      gpu: { value: "gone", source: STOPPING },
      rootDisk: { value: "gone", note: "the boot disk is deleted with its machine", source: API },
      volume: { value: "billed", note: "by its size, at its region's price; so is each snapshot", source: STOPPING },
      address: { value: "gone", note: "an ephemeral one; a static one that you reserved goes on", source: STOPPING },
    },
    kept: { value: "until-deleted", source: API },
  },
  unused: [
    {
      what: "suspend",
      why: "not offered with GPUs; elsewhere memory is stored and billed",
      source: SUSPEND,
    },
    {
      what: "stop",
      why: "the GPU is not billed, but all disks are, for ever, and a start needs capacity again",
      source: STOPPING,
    },
  ],
};
