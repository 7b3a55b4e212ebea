import type { AsleepBook } from "../../model/asleep.ts";
import { endedTerms, ownPage } from "../asleep-terms.ts";

const OWN = ownPage("local");
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
  parked: endedTerms({
    page: OWN,
    back: "another machine is rented",
    gpu: { source: OWN },
    rootDisk: { source: OWN },
    volume: { price: PRICE, source: OWN },
    address: { note: "its machines have none", source: OWN },
    kept: { source: OWN },
  }),
  unused: [],
};
