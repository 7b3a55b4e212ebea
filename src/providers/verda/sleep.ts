import type { AsleepBook, Source } from "../../model/asleep.ts";

const GO: Source = { document: "verda-cloud/verdacloud-sdk-go@ca1aa5c (delete, volumes, volume types)", date: "2026-03-25", by: "vendor" };
const CLI: Source = { document: "verda-cloud/verda-cli@7ae1786 (actions, cost)", date: "2026", by: "vendor" };
const PYTHON: Source = {
  document: "verda-cloud/sdk-python@164e09a against verda-cli@7ae1786: they exclude each other",
  date: "2026",
  by: "vendor",
};
const OURS: Source = { document: "docs/providers/verda.md", date: "2026-11", by: "spot" };

/** What sleeping means at Verda: the machine is deleted, its root disk and its volume stay as detached volumes. */
export const VERDA_ASLEEP: AsleepBook = {
  native: null,
  parked: {
    back: { value: "if-stock", note: "another machine is rented where its disks lie, and boots from its kept root disk", source: OURS },
    memory: { value: "lost", note: "the root disk is kept, and booted from", source: OURS },
    billed: {
      gpu: { value: "gone", note: "the ten minutes begun are paid in advance", source: CLI },
      rootDisk: { value: "billed", note: "as a detached volume, at the price of its type", source: GO },
      volume: { value: "billed", note: "attached or not, at the price of its type", source: GO },
      address: { value: "gone", note: "another one comes with the next machine", source: { ...GO, by: "inferred" } },
    },
    kept: { value: "until-deleted", note: "and for 96 hours in the trash after that, as long as it was not deleted for good", source: GO },
  },
  unused: [
    { what: "hibernate", why: "its documents contradict each other: resumable, deletes the machine, was removed", source: PYTHON },
    { what: "shutdown", why: "a machine that is shut down goes on being billed in full", source: CLI },
  ],
};
