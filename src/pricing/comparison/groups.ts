import type { GpuForm } from "../../model/gpu.ts";
import { gpuFromName, gpuMatcher, memoryInName, productName } from "../../model/gpu-names.ts";
import type { Offer } from "../../model/offer.ts";
import type { ExchangeRate } from "../currency.ts";
import type { WorkModel } from "../effective.ts";
import { oldPricesLast } from "../price-age.ts";
import { type RankedOffer, rankOffers } from "../rank.ts";
import { isInvented } from "../spot-terms.ts";
import type { Ask } from "./demand.ts";
import { fitsGpu, type OwnRow, ownWay } from "./own-row.ts";
import { type MachineWay, offeredWay, type TokenWay } from "./way.ts";

/** What is compared, and how. */
export interface CompareInput {
  readonly offers: readonly Offer[];
  readonly rows: readonly OwnRow[];
  readonly api: TokenWay | null;
  readonly ask: Ask;
  readonly work: WorkModel;
  readonly rate: ExchangeRate;
  /** What was asked for: names the comparison when no offer does, and says how many GPUs a row has that does not. */
  readonly gpu: { readonly model: string; readonly count?: number } | null;
  /** The cheapest offer of each provider rather than of all. */
  readonly isByProvider: boolean;
  /** Made-up prices stand beside real ones; else only where there is no real one. */
  readonly isInventedAsked: boolean;
  /** Epoch milliseconds. */
  readonly now: number;
}

/** What is compared with each other: offers of one product and count, and the rows that fit. */
export interface Group {
  readonly model: string;
  readonly product: string;
  readonly count: number;
  readonly vramGb: number;
  readonly form?: GpuForm;
  readonly offers: readonly RankedOffer[];
  readonly rows: readonly OwnRow[];
  /** Made-up prices were left out, here or elsewhere, because there are real ones. */
  readonly hidesInvented: boolean;
}

type Product = Pick<Group, "model" | "product" | "count" | "vramGb" | "form">;

function offered({ gpu }: Offer): Product {
  return { ...gpu, product: productName(gpu) };
}

interface Asked {
  readonly model?: string;
  readonly count?: number;
}

/** What a row is compared as where no offer says it: its own GPU, else the one that was asked for. */
function described({ model: asked, count = 1 }: Asked): Product {
  if (asked === undefined) return { model: "any GPU", product: "any GPU", vramGb: 0, count };
  const named = { ...gpuFromName(asked), vramGb: memoryInName(asked) ?? 0 };
  return { ...named, product: productName(named), count };
}

/** One for each product and count on offer, and one for each row that fits none of them, whatever it calls its GPU. */
export function groupsOf({ offers, rows, work, rate, gpu, isInventedAsked, now }: CompareInput): readonly Group[] {
  const groups = new Map<string, Product & { readonly offers: RankedOffer[] }>();
  const groupOf = (of: Product) => {
    const key = `${of.product}\u0000${String(of.count).padStart(4, "0")}`;
    const group = groups.get(key) ?? { ...of, offers: [] };
    groups.set(key, group);
    return group;
  };
  for (const ranked of oldPricesLast(rankOffers(offers, {}, "effective", work, rate), now))
    groupOf(offered(ranked.offer)).offers.push(ranked);
  // The longer a name, the more it says: what says less finds its place there.
  const wanted = rows.map((row): Asked => row.gpu ?? gpu ?? {}).toSorted((a, b) => (b.model?.length ?? 0) - (a.model?.length ?? 0));
  for (const one of wanted) {
    const isOne = one.model === undefined ? () => true : gpuMatcher(one.model);
    if (![...groups.values()].some(isOne)) groupOf(described(one));
  }
  const sorted = [...groups.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
  const all = sorted.map((group): Group => {
    const fitting = rows.filter((row) => fitsGpu(row, group));
    const real = group.offers.filter(({ offer }) => !isInvented(offer.provider));
    const hidesInvented = !isInventedAsked && real.length < group.offers.length && real.length + fitting.length > 0;
    return { ...group, offers: hidesInvented ? real : group.offers, rows: fitting, hidesInvented };
  });
  // Where nothing is left on offer, rows that stand beside an offer elsewhere are compared there.
  const isElsewhere = (row: OwnRow) => all.some((group) => group.offers.length > 0 && group.rows.includes(row));
  const kept = all.filter((group) => group.offers.length > 0 || !group.hidesInvented || !group.rows.every(isElsewhere));
  return kept.map((group) => ({ ...group, hidesInvented: all.some(({ hidesInvented }) => hidesInvented) }));
}

/** Equal names are told apart by a number: `monthly`, `monthly (2)`. */
function namedApart(ways: readonly MachineWay[], taken: readonly string[]): readonly MachineWay[] {
  const seen = new Map(taken.map((name) => [name, 1]));
  return ways.map((way) => {
    const count = (seen.get(way.name) ?? 0) + 1;
    seen.set(way.name, count);
    return count === 1 ? way : { ...way, name: `${way.name} (${count})` };
  });
}

/** The cheapest offer in stock of each billing mode, or of each provider and mode; what a person described always. */
export function waysOf({ offers, rows }: Group, { work, isByProvider, gpu, api }: CompareInput): readonly MachineWay[] {
  const seen = new Set<string>();
  const cheapest = offers.filter(({ offer }) => {
    const key = isByProvider ? `${offer.provider}\u0000${offer.billing}` : offer.billing;
    if (offer.stock === 0 || seen.has(key)) return false;
    seen.add(key);
    return true;
  });
  const ways = [...cheapest.map(offeredWay), ...rows.map((row) => ownWay(row, gpu?.count ?? 1, work))];
  return namedApart(ways, api === null ? [] : [api.name]);
}
