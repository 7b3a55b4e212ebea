import type { AsleepTerms, Billed, Source, Stated } from "../model/asleep.ts";

/** What the cloud's own documents or API say; `date` as `Source` has it. */
export function vendor(document: string, date: string): Source {
  return { document, date, by: "vendor" };
}

/** What is this program's own doing, as our page of that cloud tells it. */
export function ownPage(provider: string): Source {
  return { document: `docs/providers/${provider}.md`, date: "2026-11", by: "spot" };
}

/** A statement of which the value is written down only where it is not the usual one. */
type Said<Statement extends Stated<string>> = Omit<Statement, "value"> & Partial<Pick<Statement, "value">>;

interface Ended extends Readonly<Record<keyof AsleepTerms["billed"], Said<Billed>>> {
  readonly page: Source;
  /** How it comes back: a clause without its full stop. */
  readonly back: string;
  /** What else there is to know of its memory, which is lost. */
  readonly memory?: string;
  readonly kept: Said<AsleepTerms["kept"]>;
}

/**
 * What holds at a cloud where the machine is ended and its volume stays. The usual is that only the volume is billed meanwhile,
 * and kept until somebody deletes it; what a cloud does otherwise it says with a value of its own.
 */
export function endedTerms({ page, back, memory, gpu, rootDisk, volume, address, kept }: Ended): AsleepTerms {
  return {
    back: { value: "if-stock", note: back, source: page },
    memory: { value: "lost", ...(memory === undefined ? {} : { note: memory }), source: page },
    billed: {
      gpu: { value: "gone", ...gpu },
      rootDisk: { value: "gone", ...rootDisk },
      volume: { value: "billed", ...volume },
      address: { value: "gone", ...address },
    },
    kept: { value: "until-deleted", ...kept },
  };
}
