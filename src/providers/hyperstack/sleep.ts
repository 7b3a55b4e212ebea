import type { AsleepBook, Source } from "../../model/asleep.ts";

const STATES: Source = { document: "docs.hyperstack.cloud, billing/states-and-billing", date: "2026-09", by: "vendor" };
const HIBERNATION: Source = { document: "docs.hyperstack.cloud, virtual-machines/hibernation", date: "2026-09", by: "vendor" };
const PRICES: Source = { document: "www.hyperstack.cloud/gpu-pricing", date: "2026-08-26", by: "vendor" };
/** What happens, and what it costs, are said in two places. */
const RESERVED: Source = {
  document:
    "docs.hyperstack.cloud, virtual-machines/hibernation and storage/volumes; the price: www.hyperstack.cloud/gpu-pricing, 2026-08-26",
  date: "2026-09",
  by: "vendor",
};
const ADDRESS: Source = {
  document: "docs.hyperstack.cloud, virtual-machines/hibernation; the price: www.hyperstack.cloud/gpu-pricing, 2026-08-26",
  date: "2026-09",
  by: "vendor",
};
const CONSOLE: Source = { document: "a field report that quotes the console's warning", date: "2026-09", by: "others" };
const MEMORY: Source = { document: "a field report: no process was there after a restore", date: "2026-09-16", by: "others" };
const VOLUMES: Source = { document: "docs.hyperstack.cloud, storage/volumes", date: "2026-09", by: "vendor" };
const NOBODY: Source = { document: "docs.hyperstack.cloud, searched for a longest time", date: "2026-09", by: "inferred" };
const OURS: Source = { document: "docs/providers/hyperstack.md", date: "2026-11", by: "spot" };

const SSD = { amount: "0.000096774", currency: "USD", per: "gb-hour" } as const;

/** What sleeping means at Hyperstack. Whether `-spot` flavors may be hibernated at all is not documented: those that may not are parked. */
export const HYPERSTACK_ASLEEP: AsleepBook = {
  native: {
    back: { value: "if-stock", note: "the hardware is not held: without the same flavor in stock a restore is refused", source: CONSOLE },
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
        source: ADDRESS,
      },
    },
    kept: { value: "unknown", note: "no longest time is documented", source: NOBODY },
  },
  parked: {
    back: { value: "if-stock", note: "another machine is rented, in the volume's region", source: OURS },
    memory: { value: "lost", source: OURS },
    billed: {
      gpu: { value: "gone", source: STATES },
      rootDisk: { value: "gone", note: "it is deleted with its machine", source: STATES },
      volume: { value: "billed", price: SSD, source: PRICES },
      address: { value: "gone", source: STATES },
    },
    kept: { value: "until-deleted", source: VOLUMES },
  },
  unused: [
    { what: "stop (SHUTOFF)", why: "it is billed in full, its GPU included", source: STATES },
    {
      what: "a snapshot of the machine",
      why: "it shuts the machine off while it is made, and takes root disks of 100 GB at most",
      source: { document: "docs.hyperstack.cloud, api-reference (snapshots)", date: "2026-09", by: "vendor" },
    },
  ],
};
