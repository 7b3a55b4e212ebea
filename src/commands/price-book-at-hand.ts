import { existsSync } from "node:fs";
import { join } from "node:path";
import type { PriceBook } from "../state/price-book/types.ts";
import type { CommandContext } from "./command.ts";

/** The price book for a command that can do without it: what is wrong with it is said once, and then there is none. */
export interface BookAtHand {
  /** Runs `work` with the price book; undefined when there is none yet, or it cannot be used. */
  read<Result>(work: (book: PriceBook) => Promise<Result>): Promise<Result | undefined>;
  /** Runs `work` with the price book, which is made if need be; waits for it no longer than a moment, and says nothing. */
  write(work: (book: PriceBook) => Promise<void>): Promise<void>;
  close(): void;
}

/** Whoever else writes gives way between two of its transactions; a command that only looks waits for no more than that. */
const WRITE_WITHIN_MS = 500;

export function priceBookAtHand({ world, progress }: Pick<CommandContext, "world" | "progress">): BookAtHand {
  const { home, clock } = world;
  let opened: Promise<PriceBook> | undefined;
  let book: PriceBook | undefined;
  let isClosed = false;
  let isBroken = false;
  const open = async () => {
    opened ??= import("../state/price-book/open.ts").then(({ openPriceBook }) => openPriceBook(home));
    const found = await opened;
    if (isClosed) found.close();
    else book = found;
    return found;
  };
  return {
    async read(work) {
      if (isBroken || !existsSync(join(home, "prices.db"))) return undefined;
      try {
        return await work(await open());
      } catch (error) {
        isBroken = true;
        const why = error instanceof Error ? error.message : String(error);
        progress.warn(`the prices of catalogues are left out: ${why.replace("the state database", "the price book")}`);
        return undefined;
      }
    },
    async write(work) {
      if (isBroken) return;
      const timer = new AbortController();
      const written = open().then(work);
      try {
        await Promise.race([written, clock.sleep(WRITE_WITHIN_MS, timer.signal)]);
      } catch {
        // A note for later: what it cannot be written for is nothing to whoever looks now.
      } finally {
        timer.abort();
        written.catch(() => undefined);
      }
    },
    close() {
      isClosed = true;
      book?.close();
    },
  };
}
