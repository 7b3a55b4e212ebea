import type { AsleepBook, Source } from "../../model/asleep.ts";
import { endedTerms, ownPage, vendor } from "../asleep-terms.ts";

const OURS = ownPage("ppio");

interface Words {
  readonly pricing: Source;
  readonly storage: Source;
  /** Of the network volume; null where the vendor publishes none. */
  readonly price: { readonly amount: string; readonly currency: string; readonly per: "gb-day" } | null;
}

function bookOf({ pricing, storage, price }: Words): AsleepBook {
  return {
    native: null,
    parked: endedTerms({
      page: OURS,
      back: "another container is rented in the storage's cluster",
      gpu: { source: pricing },
      rootDisk: { note: "the container disk is deleted with its instance", source: pricing },
      volume: { note: "the network volume, in use or not", ...(price === null ? {} : { price }), source: storage },
      address: { source: OURS },
      kept: {
        note: "but an account in arrears without a running instance loses its network volumes after 3 days",
        source: storage,
      },
    }),
    unused: [
      {
        what: "stop",
        why: "storage is still charged, the container's data is kept for 7 days at most (keepDataDay; by their skill guides not at all), and its node may be taken meanwhile",
        source: pricing,
      },
    ],
  };
}

const NOVITA_STORAGE = vendor(
  "novita.ai/docs, guides/gpu-instance-pricing and guides/gpu-instance-quickstart-manage-network-volume",
  "2026-02",
);

/** What sleeping means at Novita: the instance is deleted, its network volume stays. */
export const NOVITA_ASLEEP = bookOf({
  pricing: NOVITA_STORAGE,
  storage: NOVITA_STORAGE,
  price: { amount: "0.002", currency: "USD", per: "gb-day" },
});

/** The same at PPIO, whose documents name no price for network volumes. */
export const PPIO_ASLEEP = bookOf({
  pricing: vendor("ppio.com/docs/gpus (v2 pages)", "2026-06"),
  storage: {
    document: "novita.ai/docs, guides/gpu-instance-pricing; PPIO's own pages are its twins field for field, and name no price",
    date: "2026-02",
    by: "inferred",
  },
  price: null,
});
