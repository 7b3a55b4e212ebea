import type { AsleepBook } from "../../model/asleep.ts";
import { endedTerms, ownPage, vendor } from "../asleep-terms.ts";

const GO = vendor("verda-cloud/verdacloud-sdk-go@ca1aa5c (delete, volumes, volume types)", "2026-03-25");
const CLI = vendor("verda-cloud/verda-cli@7ae1786 (actions, cost)", "2026");
const PYTHON = vendor("verda-cloud/sdk-python@164e09a against verda-cli@7ae1786: they exclude each other", "2026");

/** What sleeping means at Verda: the machine is deleted, its root disk and its volume stay as detached volumes. */
export const VERDA_ASLEEP: AsleepBook = {
  native: null,
  parked: endedTerms({
    page: ownPage("verda"),
    back: "another machine is rented where its disks lie, and boots from its kept root disk",
    memory: "the root disk is kept, and booted from",
    gpu: { note: "the ten minutes begun are paid in advance", source: CLI },
    rootDisk: { value: "billed", note: "as a detached volume, at the price of its type", source: GO },
    volume: { note: "attached or not, at the price of its type", source: GO },
    address: { note: "another one comes with the next machine", source: { ...GO, by: "inferred" } },
    kept: {
      note: "and for 96 hours in the trash after that, as long as it was not deleted for good; whether that is billed nobody says",
      source: GO,
    },
  }),
  unused: [
    { what: "hibernate", why: "its documents contradict each other: resumable, deletes the machine, was removed", source: PYTHON },
    { what: "shutdown", why: "a machine that is shut down goes on being billed in full", source: CLI },
  ],
};
