import type { Readable } from "node:stream";
import { CsvError, parse } from "csv-parse";
import type { ListedPrice } from "../../model/listed-price.ts";
import { CatalogDamage } from "./columns.ts";
import { catalogReader, type Tally } from "./reader.ts";

const LINE_ENDS: readonly (number | undefined)[] = [0x0a, 0x0d];
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
  let lastByte: number | undefined;
  bytes.on("data", (chunk: Buffer) => {
    lastByte = chunk.at(-1) ?? lastByte;
  });
  bytes.pipe(parser);
  let batch: ListedPrice[] = [];
  let last: readonly string[] | undefined;
  const add = async (prices: Iterable<ListedPrice>) => {
    for (const price of prices) {
      batch.push(price);
      if (batch.length < batchSize) continue;
      await take(batch);
      batch = [];
    }
  };
  try {
    // A row is read when the next one has come: of the last one it is known only then whether it has an end.
    for await (const cells of parser) {
      if (last !== undefined) await add(reader.row(last));
      last = cells as string[];
    }
  } catch (error) {
    if (error instanceof CsvError) throw new CatalogDamage(error.message);
    throw error;
  } finally {
    bytes.destroy();
  }
  if (last !== undefined && LINE_ENDS.includes(lastByte)) await add(reader.row(last));
  else if (last !== undefined) reader.unfinished(last);
  await add(reader.rest());
  if (batch.length > 0) await take(batch);
  return reader.tally();
}
