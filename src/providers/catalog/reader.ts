import type { ListedPrice } from "../../model/listed-price.ts";
import { CatalogDamage, columnsOf } from "./columns.ts";
import { gcpParts, type PartRefusal } from "./gcp-parts.ts";
import { type CatalogHeader, type CatalogRow, type Refusal, readRow } from "./row.ts";

/** What became of the rows of a file. */
export interface Tally {
  /** Rows of the file, its header not counted. */
  readonly read: number;
  /** Prices that were taken from them. */
  readonly kept: number;
  /** Rows and prices that were refused, by why. Machines without a GPU are not: they are not asked for. */
  readonly refused: Readonly<Partial<Record<RowRefusal, number>>>;
}

/** `unfinished row`: the last one of a file that does not end with a line's end, because its last number may be cut off. */
type RowRefusal = Refusal | PartRefusal | "no instance type" | "unfinished row";

/** Reads the rows of one file as they come. */
export interface CatalogReader {
  /** The prices of a row; the first row is the header. @throws CatalogDamage when that is none of a catalogue's. */
  row(cells: readonly string[]): readonly ListedPrice[];
  /** In place of `row` for one that has no end. @throws CatalogDamage as `row` does. */
  unfinished(cells: readonly string[]): void;
  /** What can only be said at the end of the file. @throws CatalogDamage when there was no header. */
  rest(): Iterable<ListedPrice>;
  tally(): Tally;
}

function pricesOf(provider: string, row: CatalogRow): readonly ListedPrice[] {
  if (row.gpu === null) return [];
  const { type, gpu, vcpus, memoryGb, region, zone, price: onDemandPrice } = row;
  const listed = { provider, region, zone, type, gpu, vcpus, memoryGb, onDemandPrice };
  return [
    ...(row.spotPrice === null ? [] : [{ ...listed, billing: "spot" as const, price: row.spotPrice }]),
    ...(onDemandPrice === null ? [] : [{ ...listed, billing: "on-demand" as const, price: onDemandPrice }]),
  ];
}

/** A reader of the file of one cloud, under the name that the cloud has with us. */
export function catalogReader(cloud: string): CatalogReader {
  const refused: Partial<Record<RowRefusal, number>> = {};
  let read = 0;
  let kept = 0;
  let header: CatalogHeader | undefined;
  const begin = (cells: readonly string[]) => {
    header = { columns: columnsOf(cells.map((cell) => cell.trim())), width: cells.length };
  };
  const refuse = (why: RowRefusal) => {
    refused[why] = (refused[why] ?? 0) + 1;
  };
  const parts = cloud === "gcp" ? gcpParts(refuse) : null;
  const isWanted = parts?.isWanted ?? ((_: string, accelerator: string) => accelerator !== "");
  const keep = (row: CatalogRow) => {
    const prices = pricesOf(cloud, row);
    kept += prices.length;
    return prices;
  };
  return {
    row(cells) {
      if (header === undefined) {
        begin(cells);
        return [];
      }
      read += 1;
      const { row, refusals } = readRow(cloud, cells, header, isWanted);
      for (const why of refusals) refuse(why);
      if (row === null || parts?.take(row) === true) return [];
      if (row.type !== "") return keep(row);
      refuse("no instance type");
      return [];
    },
    unfinished(cells) {
      if (header === undefined) return begin(cells);
      read += 1;
      refuse("unfinished row");
    },
    *rest() {
      if (header === undefined) throw new CatalogDamage("it is empty");
      for (const row of parts?.whole() ?? []) yield* keep(row);
    },
    tally: () => ({ read, kept, refused }),
  };
}
