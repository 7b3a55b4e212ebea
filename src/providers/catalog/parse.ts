import type { Readable } from "node:stream";
import { CsvError, parse } from "csv-parse";
import type { ListedPrice } from "../../model/listed-price.ts";
import { CatalogDamage } from "./columns.ts";
import { catalogReader, type Tally } from "./reader.ts";

/** Longer than any row: what has no end of line is no table. */
const LONGEST_ROW = 64 * 1024;

/**
 * Reads a catalogue's file and hands its prices over in batches, so that a file of any size needs little memory.
 * @throws CatalogDamage when it is no such file, or ends within a quoted cell; whatever the stream or `take` throws.
 */
export async function parseCatalog(
  cloud: string,
  bytes: Readable,
  batchSize: number,
  take: (prices: readonly ListedPrice[]) => Promise<void>,
): Promise<Tally> {
  const reader = catalogReader(cloud);
  const parser = parse({ bom: true, relax_column_count: true, skip_empty_lines: true, max_record_size: LONGEST_ROW });
  // What goes wrong on the way ends the reading too.
  bytes.on("error", (error) => parser.destroy(error));
  bytes.pipe(parser);
  let batch: ListedPrice[] = [];
  const add = async (prices: Iterable<ListedPrice>) => {
    for (const price of prices) {
      batch.push(price);
      if (batch.length < batchSize) continue;
      await take(batch);
      batch = [];
    }
  };
  try {
    for await (const cells of parser) await add(reader.row(cells as string[]));
  } catch (error) {
    if (error instanceof CsvError) throw new CatalogDamage(error.message);
    throw error;
  } finally {
    bytes.destroy();
  }
  await add(reader.rest());
  if (batch.length > 0) await take(batch);
  return reader.tally();
}
