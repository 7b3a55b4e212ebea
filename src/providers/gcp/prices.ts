import * as v from "valibot";
import type { Money } from "../../model/money.ts";
import { isFault } from "../errors.ts";
import type { KeptAnswers } from "../kept-answers.ts";
import type { CallContext } from "../provider.ts";
import type { Api } from "./api.ts";
import { skuPage, type WireSku } from "./wire.ts";

/** Compute Engine in the billing catalogue (the example of Google's own document). */
const SKUS = "services/6F81-5844-456A/skus";
const PAGE_SIZE = 5_000;
const FIELDS =
  "nextPageToken,skus(description,category(resourceFamily,resourceGroup,usageType),serviceRegions,pricingInfo/pricingExpression(usageUnit,tieredRates))";
const A_DAY_MS = 24 * 3_600_000;
/** An older catalogue is better than none: Google changes prices once a day at most. */
const STALE_MS = 7 * A_DAY_MS;
const MOST_PAGES = 60;

/** What is kept of a SKU that matters here: what it prices, where, and how much in billionths of a dollar per unit and hour. */
const rowSchema = v.tuple([v.string(), v.array(v.string()), v.pipe(v.string(), v.regex(/^\d{1,15}$/))]);
type PriceRow = v.InferOutput<typeof rowSchema>;

/** Units of a catalogue price: hours, or a gibibyte for an hour or a month. A month is 730 hours. */
const HOURS: Readonly<Record<string, bigint>> = { h: 1n, "GiBy.h": 1n, "GiBy.mo": 730n };

const BILLINGS: Readonly<Record<string, string>> = { OnDemand: "on-demand", Preemptible: "spot" };
const DISKS: readonly (readonly [RegExp, string])[] = [
  [/^Balanced PD Capacity/, "pd-balanced"],
  [/^SSD backed PD Capacity/, "pd-ssd"],
  [/^Storage PD Capacity/, "pd-standard"],
];

const wordsIn = (text: string) =>
  text
    .toLowerCase()
    .split(/[\s-]+/)
    .filter((word) => word !== "" && word !== "nvidia" && word !== "tesla")
    .sort()
    .join(" ");

/**
 * What a SKU prices, by the words of its description. There is no price of a machine type: cores, memory and GPUs are priced
 * each, per family and region (SkyPilot's catalogue fetcher reads the same words). Null for everything else, commitments,
 * reservations, custom types and sole tenancy among it.
 */
export function keyOf({ description, category }: WireSku): string | null {
  const { resourceFamily, resourceGroup, usageType } = category;
  const billing = Object.hasOwn(BILLINGS, usageType) ? BILLINGS[usageType] : undefined;
  if (billing === undefined) return null;
  if (resourceFamily === "Storage") {
    const disk = DISKS.find(([pattern]) => pattern.test(description))?.[1];
    return disk === undefined || billing !== "on-demand" ? null : `disk ${disk}`;
  }
  if (resourceFamily !== "Compute") return null;
  // A slice is a GPU with its share of cores and memory. Of some the category says on-demand where the description says Spot.
  const [, spot, slice] = /^(Spot Preemptible )?[A-Z]\d[A-Z]? Nvidia (.+?) \(1 gpu slice\) running in /i.exec(description) ?? [];
  if (slice !== undefined) return `${spot === undefined ? billing : "spot"} slice ${wordsIn(slice)}`;
  const [, gpu] = /^Nvidia (.+?) GPU (?:attached to (?:Spot )?Preemptible VMs )?running in /i.exec(description) ?? [];
  if (gpu !== undefined && resourceGroup === "GPU") return `${billing} gpu ${wordsIn(gpu)}`;
  const [, family, part] =
    /^(?:(?:Spot )?Preemptible )?([A-Z]\d[A-Za-z]*(?: (?:Plus|Ultra|Mega|High|Edge))?)(?: Predefined)? Instance (Core|Ram) running in /i.exec(
      description,
    ) ?? [];
  if (family === undefined || part === undefined || !["CPU", "RAM", "N1Standard"].includes(resourceGroup)) return null;
  return `${billing} ${part.toLowerCase()} ${family.toLowerCase().replaceAll(" ", "")}`;
}

/** The first rate that costs something, in billionths of a dollar per hour; null without one. */
function nanosOf({ pricingInfo }: WireSku): bigint | null {
  const expression = pricingInfo[0]?.pricingExpression;
  const hours = expression === undefined ? undefined : HOURS[expression.usageUnit];
  if (expression === undefined || hours === undefined) return null;
  for (const { unitPrice } of expression.tieredRates) {
    if (unitPrice.currencyCode !== "USD" || !/^\d{1,6}$/.test(unitPrice.units)) continue;
    const nanos = BigInt(unitPrice.units) * 1_000_000_000n + BigInt(Math.round(unitPrice.nanos));
    if (nanos > 0n) return nanos / hours;
  }
  return null;
}

function rowsOf(skus: readonly WireSku[]): PriceRow[] {
  return skus.flatMap((sku): PriceRow[] => {
    const key = keyOf(sku);
    const nanos = key === null ? null : nanosOf(sku);
    return key === null || nanos === null || nanos <= 0n ? [] : [[key, [...sku.serviceRegions], nanos.toString()]];
  });
}

/** A machine as far as its price goes. */
export interface Priced {
  /** Google's machine type: `g2-standard-4`. */
  readonly machineType: string;
  readonly vcpus: number;
  readonly memoryMb: number;
  /** `nvidia-l4`; empty without a GPU. */
  readonly accelerator: string;
  readonly count: number;
}

export interface Prices {
  /** Per hour of the whole machine, its disks and its address left out; null when one of its parts has no price. */
  of(machine: Priced, region: string, billing: "spot" | "on-demand"): Money | null;
  /** Per hour of a disk. */
  ofDisk(type: string, sizeGb: number, region: string): Money | null;
  /** Epoch milliseconds of the oldest part. */
  readonly observedAt: number;
}

/** The names under which a family's cores are in the catalogue: `a3-megagpu-8g` is `A3Plus` there. */
function familiesOf(machineType: string): readonly string[] {
  const [series = "", variant = ""] = machineType.split("-");
  const kind = variant.replace(/gpu$/, "");
  if (!variant.endsWith("gpu") || series !== "a3") return [series];
  const named: Readonly<Record<string, readonly string[]>> = { mega: ["a3plus", "a3mega"], high: ["a3", "a3high"] };
  return named[kind] ?? [`${series}${kind}`];
}

function gpusOf(accelerator: string): readonly string[] {
  const words = wordsIn(accelerator);
  return words.includes("mega") ? [words, wordsIn(accelerator.replace("mega", "plus"))] : [words];
}

const usd = (nanos: bigint): Money => ({ micros: (nanos + 500n) / 1_000n, currency: "USD" });

export function pricesOf(rows: readonly PriceRow[], observedAt: number): Prices {
  const book = new Map<string, bigint>();
  for (const [key, regions, nanos] of rows)
    for (const region of regions) {
      const at = `${region} ${key}`;
      const amount = BigInt(nanos);
      // Of two prices for one thing the higher: nobody shall be surprised by the bill.
      if (amount > (book.get(at) ?? 0n)) book.set(at, amount);
    }
  const first = (region: string, what: string, names: readonly string[]) =>
    names.map((name) => book.get(`${region} ${what} ${name}`)).find((amount) => amount !== undefined);
  return {
    observedAt,
    of({ machineType, vcpus, memoryMb, accelerator, count }, region, billing) {
      const slice = count === 0 ? undefined : first(region, `${billing} slice`, gpusOf(accelerator));
      if (slice !== undefined) return usd(slice * BigInt(count));
      const families = familiesOf(machineType);
      const core = first(region, `${billing} core`, families);
      const ram = first(region, `${billing} ram`, families);
      const gpu = count === 0 ? 0n : first(region, `${billing} gpu`, gpusOf(accelerator));
      if (core === undefined || ram === undefined || gpu === undefined) return null;
      return usd(core * BigInt(vcpus) + (ram * BigInt(memoryMb)) / 1024n + gpu * BigInt(count));
    },
    ofDisk(type, sizeGb, region) {
      const amount = first(region, "disk", [type]);
      return amount === undefined ? null : usd(amount * BigInt(Math.round(sizeGb)));
    },
  };
}

const isTime = (maxAgeMs: number) => ({ maxAgeMs, staleMs: STALE_MS });

/**
 * The catalogue, page after page: tens of thousands of SKUs, of which a few hundred rows are kept. Each page is kept by
 * itself, so that a first reading which is cut short by its deadline goes on from there the next time.
 */
async function readPages(api: Api, kept: KeptAnswers, maxAgeMs: number, context: CallContext): Promise<Prices> {
  const rows: PriceRow[] = [];
  let observedAt = Number.POSITIVE_INFINITY;
  let token = "";
  for (let page = 0; page < MOST_PAGES; page++) {
    const after = token;
    // A page that followed another one than the last is none of this reading's.
    const schema = v.object({ after: v.literal(after), next: v.string(), rows: v.array(rowSchema) });
    const { value, observedAt: at } = await kept.recent(`skus-${page}`, schema, isTime(maxAgeMs), async () => {
      const query = { currencyCode: "USD", pageSize: PAGE_SIZE, fields: FIELDS, ...(after === "" ? {} : { pageToken: after }) };
      const { skus, nextPageToken } = await api.catalogue(skuPage, SKUS, context, query);
      return { after, next: nextPageToken ?? "", rows: rowsOf(skus) };
    });
    rows.push(...value.rows);
    observedAt = Math.min(observedAt, at);
    token = value.next;
    if (token === "") break;
  }
  return pricesOf(rows, observedAt);
}

/** Today's prices. */
export async function currentPrices(api: Api, kept: KeptAnswers, context: CallContext): Promise<Prices> {
  try {
    return await readPages(api, kept, A_DAY_MS, context);
  } catch (error) {
    // The token of a page that was kept has ended: from the beginning.
    if (!isFault(error, "invalid-request")) throw error;
    return readPages(api, kept, -1, context);
  }
}
