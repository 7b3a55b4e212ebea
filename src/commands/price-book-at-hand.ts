import { existsSync } from "node:fs";
import { join } from "node:path";
import type { PriceBook } from "../state/price-book/types.ts";
import type { CommandContext } from "./command.ts";

/** The price book for a command that can do without it: what is wrong with it is said once, and then there is none. */
export interface BookAtHand {
  /** Runs `work` with the price book; undefined when there is none yet, or it cannot be used. */
  read<Result>(work: (book: PriceBook) => Promise<Result>): Promise<Result | undefined>;
  /** Runs `work` with the price book, which is made if need be; waits for no other writer longer than a moment, and says nothing. */
  write(work: (book: PriceBook) => Promise<void>): Promise<void>;
  close(): void;
}

/** Whoever else writes gives way between two of its transactions; a command that only looks waits for no more than that. */
const WRITE_WITHIN_MS = 500;

export function priceBookAtHand({ world, progress }: Pick<CommandContext, "world" | "progress">): BookAtHand {
  const { home } = world;
  let opened: PriceBook | undefined;
  let isBroken = false;
  const open = async (): Promise<PriceBook> => {
    if (opened !== undefined) return opened;
    const { openPriceBook } = await import("../state/price-book/open.ts");
    const book = await openPriceBook(home, WRITE_WITHIN_MS);
    opened = book;
    return book;
  };
  return {
    async read(work) {
      if (isBroken || !existsSync(join(home, "prices.db"))) return undefined;
      try {
        return await work(await open());
      } catch (error) {
        isBroken = true;
        const why = error instanceof Error ? error.message : String(error);
        progress.warn(`the prices of catalogues are left out: ${why}`);
        return undefined;
      }
    },
    async write(work) {
      if (isBroken) return;
      try {
        await work(await open());
      } catch {
        // A note for later: that it cannot be written is nothing to whoever looks now.
      }
    },
    close: () => opened?.close(),
  };
}
