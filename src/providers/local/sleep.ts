import type { AsleepBook, Source } from "../../model/asleep.ts";

const OWN: Source = { document: "docs/providers/local.md", date: "2026-11", by: "spot" };
const PRICE = { amount: "0.000137", currency: "USD", per: "gb-hour" } as const;

/** What sleeping means on the embedded cloud. */
export const LOCAL_ASLEEP: AsleepBook = {
  native: {
    back: { value: "if-stock", note: "its hardware is not held for it", source: OWN },
    memory: { value: "lost", note: "its processes end; its root folder stays", source: OWN },
    billed: {
      gpu: { value: "not-billed", source: OWN },
      rootDisk: { value: "billed", price: PRICE, sizeGb: 50, source: OWN },
      volume: { value: "billed", price: PRICE, source: OWN },
      address: { value: "gone", note: "its machines have none", source: OWN },
    },
    kept: { value: "until-deleted", source: OWN },
  },
  parked: {
    back: { value: "if-stock", note: "another machine is rented", source: OWN },
    memory: { value: "lost", source: OWN },
    billed: {
      gpu: { value: "gone", source: OWN },
      rootDisk: { value: "gone", source: OWN },
      volume: { value: "billed", price: PRICE, source: OWN },
      address: { value: "gone", note: "its machines have none", source: OWN },
    },
    kept: { value: "until-deleted", source: OWN },
  },
  unused: [],
};
