import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openPriceBook } from "../../state/price-book/open.ts";
import type { PriceBook } from "../../state/price-book/types.ts";

/**
 * A price book that knows the sources of the one below `home`, and is thrown away when it is closed: what is written into it is
 * only tried. @throws what `openPriceBook` throws.
 */
export async function openScratchBook(home: string): Promise<PriceBook> {
  const known = existsSync(join(home, "prices.db")) ? await sourcesBelow(home) : [];
  const folder = mkdtempSync(join(tmpdir(), "spot-dry-run-"));
  const discard = () => rmSync(folder, { recursive: true, force: true });
  try {
    const book = await openPriceBook(folder);
    const close = () => {
      book.close();
      discard();
    };
    for (const record of known) await book.recordSource(record);
    return { ...book, close };
  } catch (error) {
    discard();
    throw error;
  }
}

async function sourcesBelow(home: string) {
  const book = await openPriceBook(home);
  try {
    return await book.sources();
  } finally {
    book.close();
  }
}
