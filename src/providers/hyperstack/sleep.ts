import type { AsleepBook, Source } from "../../model/asleep.ts";
import { endedTerms, ownPage, vendor } from "../asleep-terms.ts";

const STATES = vendor("docs.hyperstack.cloud, billing/states-and-billing", "2026-09");
const VOLUMES = vendor("docs.hyperstack.cloud, storage/volumes", "2026-09");
const SNAPSHOTS = vendor("docs.hyperstack.cloud, api-reference (snapshots)", "2026-09");
const PRICES = vendor("www.hyperstack.cloud/gpu-pricing", "2026-08-26");
/** What happens, and what it costs, are said in two places. */
const HIBERNATION = vendor(
  "docs.hyperstack.cloud, virtual-machines/hibernation; the price: www.hyperstack.cloud/gpu-pricing, 2026-08-26",
  "2026-09",
);
const RESERVED = vendor(
  "docs.hyperstack.cloud, virtual-machines/hibernation and storage/volumes; the price: www.hyperstack.cloud/gpu-pricing, 2026-08-26",
  "2026-09",
);
const CONSOLE: Source = {
  document: "a field report that quotes the console's warning; the vendor's page about spot machines was not seen",
  date: "2026-09",
  by: "others",
};
const MEMORY: Source = { document: "a field report: no process was there after a restore", date: "2026-09-16", by: "others" };
const NOBODY: Source = { document: "docs.hyperstack.cloud, searched for a longest time", date: "2026-09", by: "inferred" };

const SSD = { amount: "0.000096774", currency: "USD", per: "gb-hour" } as const;

/** What sleeping means at Hyperstack. Whether `-spot` flavors may be hibernated at all is not documented: those that may not are parked. */
export const HYPERSTACK_ASLEEP: AsleepBook = {
  native: {
    back: {
      value: "if-stock",
      note: "the hardware is not held: without the same flavor in stock a restore is refused; whether a spot machine comes back at its price, or at all, is not known",
      source: CONSOLE,
    },
    memory: { value: "lost", note: "a restore is a boot, although the vendor writes of quick resumption", source: MEMORY },
    billed: {
      gpu: { value: "not-billed", note: "nor CPU and memory", source: STATES },
      rootDisk: { value: "billed", price: SSD, note: "the ephemeral disk is lost", source: HIBERNATION },
      volume: {
        value: "billed",
        price: SSD,
        note: "it is detached first: one that stays would be RESERVED, and billed as well",
        source: RESERVED,
      },
      address: {
        value: "if-kept",
        price: { amount: "0.00672043", currency: "USD", per: "hour" },
        note: "with --retain-ip; else it is given back, and another one comes",
        source: HIBERNATION,
      },
    },
    kept: { value: "unknown", note: "no longest time is documented", source: NOBODY },
  },
  parked: endedTerms({
    page: ownPage("hyperstack"),
    back: "another machine is rented, in the volume's region",
    gpu: { source: STATES },
    rootDisk: { note: "it is deleted with its machine", source: STATES },
    volume: { price: SSD, source: PRICES },
    address: { source: STATES },
    kept: { source: VOLUMES },
  }),
  unused: [
    { what: "stop (SHUTOFF)", why: "it is billed in full, its GPU included", source: STATES },
    {
      what: "a snapshot of the machine",
      why: "it shuts the machine off while it is made (by one sentence of theirs it does not), and takes root disks of 100 GB at most",
      source: SNAPSHOTS,
    },
  ],
};
