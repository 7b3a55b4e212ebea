import type { Gpu } from "../../model/gpu.ts";
import { gpuFromName, isInForms } from "../../model/gpu-names.ts";
import { formOfType } from "../../model/gpu-of-type.ts";
import { type Money, moneyFromDecimal } from "../../model/money.ts";
import type { CatalogColumns } from "./columns.ts";
import { memoryPerGpu, nameInInfo } from "./gpu-info.ts";
import { gpusOfType, memoryOfType } from "./known-types.ts";

/** A row of a catalogue, read. Prices are in USD per instance-hour. */
export interface CatalogRow {
  /** Empty for a GPU that is sold apart from the machine. */
  readonly type: string;
  /** The GPU as the file names it; empty for a machine without one. */
  readonly accelerator: string;
  /** Null for a machine without a GPU. */
  readonly gpu: Gpu | null;
  readonly vcpus: number;
  readonly memoryGb: number;
  readonly region: string;
  readonly zone: string;
  /** Null where there is none. */
  readonly price: Money | null;
  readonly spotPrice: Money | null;
}

/** Why a row, or one price of it, is not taken: counted and said. */
export type Refusal =
  | "wrong number of columns"
  | "no GPU count"
  | "part of a GPU"
  | "no region"
  | "text is not UTF-8"
  | "line break in a cell"
  | "no price"
  | "price is not a number"
  | "price out of range";

/** `row` is null where nothing of it is taken: it was refused, or nobody asked for it. */
export interface ReadRow {
  readonly row: CatalogRow | null;
  readonly refusals: readonly Refusal[];
}

const CURRENCY = "USD";
/** The dearest machine on sale is some hundreds an hour; what is above this is a slip or a placeholder. */
const MOST_MICROS = 10_000n * 1_000_000n;
/** Up to the 17 digits of a fraction that was multiplied by a count of GPUs: `2.0699999999999998`. */
const PLAIN = /^\d{1,9}(?:\.\d{1,20})?$/;
/** How the catalogue writes that there is no such price. */
const NOTHING = new Set(["", "0", "0.0", "0.00", "nan", "None"]);

type ReadPrice = { readonly money: Money | null; readonly refusal?: Refusal };

function readPrice(text: string): ReadPrice {
  const plain = text.trim();
  if (NOTHING.has(plain)) return { money: null };
  if (!PLAIN.test(plain)) return { money: null, refusal: "price is not a number" };
  const [whole = "", fraction = ""] = plain.split(".");
  // The seventh digit decides how the sixth is rounded, whatever follows.
  const money = moneyFromDecimal(fraction === "" ? whole : `${whole}.${fraction.slice(0, 7)}`, CURRENCY);
  if (money.micros === 0n) return { money: null };
  return money.micros > MOST_MICROS ? { money: null, refusal: "price out of range" } : { money };
}

/** A number of the columns beside the price; 0 for whatever is none. */
function amount(text: string | undefined): number {
  return text !== undefined && PLAIN.test(text.trim()) ? Number(text) : 0;
}

export interface CatalogHeader {
  readonly columns: CatalogColumns;
  /** How many cells a row has. */
  readonly width: number;
}

const refused = (why: Refusal): ReadRow => ({ row: null, refusals: [why] });

const MOST_GPUS = 1024;
/** What a decoder writes for bytes that are no text. */
const UNREADABLE = "\ufffd";

/**
 * Reads one row. Names are kept as the cloud writes them: regions may hold commas and letters of any language. A GPU's memory is
 * that of the column GpuInfo, because one name stands for several products.
 * @param isWanted whether a row has to do with a GPU, by the names in it: of others nothing is read and nothing refused
 */
export function readRow(
  cloud: string,
  cells: readonly string[],
  { columns, width }: CatalogHeader,
  isWanted: (type: string, accelerator: string) => boolean,
): ReadRow {
  if (cells.length !== width) return refused("wrong number of columns");
  // No name here has one: a quote that was not closed made one row of two, with the price of the other.
  if (cells.some((text) => /[\r\n]/.test(text))) return refused("line break in a cell");
  const cell = (column: number) => (column === -1 ? "" : (cells[column] ?? "").trim());
  const type = cell(columns.type);
  const accelerator = cell(columns.accelerator);
  if (!isWanted(type, accelerator)) return { row: null, refusals: [] };
  const region = cell(columns.region);
  // A number in its place is a row whose cells have moved.
  if (region === "" || PLAIN.test(region)) return refused("no region");
  // Two places could have one name when what cannot be read is left out of it.
  if ([columns.type, columns.accelerator, columns.region, columns.zone].some((column) => cell(column).includes(UNREADABLE)))
    return refused("text is not UTF-8");
  const count = gpusOfType(cloud, type, amount(cell(columns.count)));
  if (accelerator !== "" && (count <= 0 || count > MOST_GPUS)) return refused("no GPU count");
  if (accelerator !== "" && !Number.isInteger(count)) return refused("part of a GPU");
  const price = readPrice(cell(columns.price));
  const spot = readPrice(cell(columns.spotPrice));
  const refusals = [price.refusal, spot.refusal].filter((refusal) => refusal !== undefined);
  const row: CatalogRow = {
    type,
    accelerator,
    gpu: accelerator === "" ? null : gpuOf(cloud, type, accelerator, count, cell(columns.gpuInfo)),
    vcpus: amount(cell(columns.vcpus)),
    memoryGb: amount(cell(columns.memory)),
    region,
    zone: cell(columns.zone) || region,
    price: price.money,
    spotPrice: spot.money,
  };
  if (row.price === null && row.spotPrice === null && refusals.length === 0) return refused("no price");
  return { row, refusals };
}

/** Where the type names the GPU better than its column: `2x-RTX_4070S_Ti-32-65536` is an RTX4070 there. */
const TYPES_THAT_NAME: Readonly<Record<string, RegExp>> = { vast: /^\d+x-(.+)-[\d.]+-[\d.]+$/ };

/** One cloud lists `A100-80GB` and says `A100 PCIe` beside it. */
function formInInfo(model: string, gpuInfo: string): Pick<Gpu, "form"> {
  const name = isInForms(model) ? nameInInfo(gpuInfo) : null;
  if (name === null) return {};
  const { model: said, form } = gpuFromName(name);
  return said === model && form !== undefined ? { form } : {};
}

function gpuOf(cloud: string, type: string, accelerator: string, count: number, gpuInfo: string): Gpu {
  const name = TYPES_THAT_NAME[cloud]?.exec(type)?.[1]?.replaceAll("_", " ") ?? accelerator;
  const { vramGb, ...named } = gpuFromName(name);
  // What the type's name says of the form is more than what the column does: `1x-H100_NVL` is an H100 there.
  const form = { ...formInInfo(named.model, gpuInfo), ...named, ...formOfType(cloud, type, named.model) };
  return {
    ...form,
    count,
    vramGb: memoryPerGpu(cloud, gpuInfo, { name, model: named.model, count }) ?? vramGb ?? memoryOfType(cloud, type, named.model) ?? 0,
  };
}
