import { durationText } from "../model/duration.ts";
import { gpuText } from "../model/gpu.ts";
import { productName } from "../model/gpu-names.ts";
import { type Money, moneyJson, moneyText } from "../model/money.ts";
import type { Offer } from "../model/offer.ts";
import { type ExchangeRate, ratesText } from "../pricing/currency.ts";
import type { RankedOffer } from "../pricing/rank.ts";
import { isRentable } from "../pricing/spot-terms.ts";
import { effectiveJson, effectiveText } from "./effective-view.ts";
import { listView } from "./list-view.ts";
import { priceHeader } from "./price-header.ts";
import { isStale, type SourceOfPrices, sourcesJson, sourcesText, sourceText } from "./price-sources.ts";
import type { Column, View } from "./view.ts";

/** What is said of all offers together. */
export interface OffersAbout {
  readonly rate: ExchangeRate;
  /** What people read when there is nothing to list. */
  readonly empty: string;
  /** Epoch milliseconds: the age of prices is told from it. */
  readonly now: number;
  /** The lists that were read. */
  readonly sources: readonly SourceOfPrices[];
  /** How many more fit than are listed. */
  readonly more: number;
}

/** An offer, and how many more of its group stand behind it. */
export interface OfferRow {
  readonly ranked: RankedOffer;
  /** Set when offers are grouped: how many the group has. */
  readonly count?: number;
}

function rateJson(money: Money, of: "instance" | "gpu") {
  return { ...moneyJson(money), per: "hour", of };
}

/** `spot.offers/1`, one offer. */
export function offerJson({ ranked, count }: OfferRow): unknown {
  const { offer, gpuPrice, effective, savings } = ranked;
  return {
    provider: offer.provider,
    region: offer.region,
    zone: offer.zone,
    type: offer.type,
    gpu: offer.gpu,
    vcpus: offer.vcpus,
    memoryGb: offer.memoryGb,
    billing: offer.billing,
    price: rateJson(offer.price, "instance"),
    gpuPrice: rateJson(gpuPrice, "gpu"),
    onDemandPrice: offer.onDemandPrice === null ? null : rateJson(offer.onDemandPrice, "instance"),
    savings,
    effectivePrice: rateJson(effective.price, "instance"),
    effective: effectiveJson(effective),
    stock: offer.stock,
    noticeSeconds: offer.noticeSeconds,
    noticeUpToSeconds: offer.noticeUpToSeconds ?? null,
    protectionSeconds: offer.protectionSeconds,
    reclaimed:
      offer.reclaimed === undefined ? null : { ...offer.reclaimed, observedAt: new Date(offer.reclaimed.observedAt).toISOString() },
    placementScore: offer.placementScore ?? null,
    source: offer.source,
    observedAt: new Date(offer.observedAt).toISOString(),
    rentable: isRentable(offer.provider),
    ...(count === undefined ? {} : { offersInGroup: count }),
  };
}

/** "62%", "–" when unknown. */
export function shareText(share: number | null): string {
  return share === null ? "–" : `${Math.round(share * 100)}%`;
}

function riskText({ effective, offer }: RankedOffer): string {
  if (effective.basis === "uninterrupted") return "none";
  // A share of a month's machines is no rate per hour, but it is the provider's own word.
  if (effective.basis === "assumed" && offer.reclaimed !== undefined) return `${offer.reclaimed.label}/mo`;
  const percent = effective.interruptionsPerHour * 100;
  if (percent === 0) return "none";
  return `${effective.basis === "assumed" ? "~" : ""}${percent < 10 ? percent.toFixed(1) : percent.toFixed(0)}%/h`;
}

function stockText({ stock, provider }: Pick<Offer, "stock" | "provider">): string {
  if (!isRentable(provider)) return ELSEWHERE;
  if (stock === 0) return "sold out";
  return stock === "unknown" ? "?" : String(stock);
}

function secondsText(seconds: number): string {
  return seconds === 0 ? "–" : durationText(seconds * 1000).replace(/\.0s$/, "s");
}

/** Where spot cannot rent. */
const ELSEWHERE = "elsewhere";

/** "2m", "–", and "0–30s" where nothing is promised. */
function noticeText({ noticeSeconds, noticeUpToSeconds }: Pick<Offer, "noticeSeconds" | "noticeUpToSeconds">): string {
  if (noticeUpToSeconds === undefined || noticeUpToSeconds <= noticeSeconds) return secondsText(noticeSeconds);
  return `${noticeSeconds}–${secondsText(noticeUpToSeconds)}`;
}

const COLUMNS: readonly Column<OfferRow>[] = [
  { key: "provider", header: "PROVIDER", value: ({ ranked }) => ranked.offer.provider },
  {
    key: "gpu",
    header: "GPU",
    value: ({ ranked }) => gpuText({ model: productName(ranked.offer.gpu), count: ranked.offer.gpu.count }),
    paint: (text, _row, painter) => painter.bold(text),
  },
  {
    key: "vram",
    header: "VRAM",
    value: ({ ranked }) => (ranked.offer.gpu.vramGb === 0 ? "?" : `${ranked.offer.gpu.vramGb} GB`),
    align: "right",
    drop: 6,
  },
  { key: "type", header: "TYPE", value: ({ ranked }) => ranked.offer.type, drop: 5 },
  {
    key: "vcpus",
    header: "VCPUS",
    value: ({ ranked }) => (ranked.offer.vcpus === 0 ? "?" : String(ranked.offer.vcpus)),
    align: "right",
    drop: 8,
  },
  {
    key: "memory",
    header: "MEMORY",
    value: ({ ranked }) => (ranked.offer.memoryGb === 0 ? "?" : `${ranked.offer.memoryGb} GB`),
    align: "right",
    drop: 8,
  },
  { key: "region", header: "REGION", value: ({ ranked }) => ranked.offer.region, hidden: true },
  { key: "zone", header: "ZONE", value: ({ ranked }) => ranked.offer.zone, drop: 1 },
  { key: "billing", header: "BILLING", value: ({ ranked }) => ranked.offer.billing, drop: 3 },
  {
    key: "price",
    header: "$/HOUR",
    value: ({ ranked }) => moneyText(ranked.offer.price),
    align: "right",
    paint: (text, _row, painter) => painter.green(text),
  },
  { key: "gpu-price", header: "PER GPU", value: ({ ranked }) => moneyText(ranked.gpuPrice), align: "right" },
  { key: "effective", header: "EFFECTIVE", value: ({ ranked }) => effectiveText(ranked.effective), align: "right" },
  {
    key: "on-demand",
    header: "ON-DEMAND",
    value: ({ ranked }) => (ranked.offer.onDemandPrice === null ? "–" : moneyText(ranked.offer.onDemandPrice)),
    align: "right",
    drop: 4,
  },
  { key: "savings", header: "SAVES", value: ({ ranked }) => shareText(ranked.savings), align: "right", drop: 2 },
  { key: "risk", header: "RISK", value: ({ ranked }) => riskText(ranked), align: "right", drop: 3 },
  { key: "notice", header: "NOTICE", value: ({ ranked }) => noticeText(ranked.offer), align: "right", drop: 5 },
  { key: "protection", header: "SAFE FOR", value: ({ ranked }) => secondsText(ranked.offer.protectionSeconds), align: "right", drop: 7 },
  {
    key: "stock",
    header: "STOCK",
    value: ({ ranked }) => stockText(ranked.offer),
    align: "right",
    paint: (text, { ranked: { offer } }, painter) => (offer.stock === 0 || !isRentable(offer.provider) ? painter.dim(text) : text),
  },
];

function sourceColumn(now: number): Column<OfferRow> {
  return {
    key: "source",
    header: "SOURCE",
    value: ({ ranked }) => sourceText(ranked.offer, now),
    paint: (text, { ranked }, painter) =>
      isStale(ranked.offer, now) ? painter.yellow(text) : ranked.offer.source === "live" ? text : painter.dim(text),
  };
}

const COUNT: Column<OfferRow> = { key: "count", header: "OFFERS", value: ({ count }) => String(count ?? 1), align: "right" };

/** By which rate offers in different currencies came into one order. */
function rateLine(rate: ExchangeRate, currencies: Iterable<string>): string {
  const rates = ratesText(rate, currencies);
  return rates === "" ? "" : ` The order takes ${rates}; no price is converted.`;
}

/** Offers in the order given. The header of the price column names the currency only when all offers share it. */
export function offersView(rows: readonly OfferRow[], { rate, empty, now, sources, more }: OffersAbout): View {
  const currencies = new Set(rows.map(({ ranked }) => ranked.offer.price.currency));
  const header = priceHeader(rows.map(({ ranked }) => ranked.offer.price));
  const oneBilling = new Set(rows.map(({ ranked }) => ranked.offer.billing)).size === 1;
  const isAllLive = rows.every(({ ranked }) => ranked.offer.source === "live");
  const columns = [...COLUMNS, sourceColumn(now)].map((column) => {
    if (column.key === "price") return { ...column, header };
    // A column in which every row says the same tells people nothing.
    if (column.key === "source") return { ...column, hidden: isAllLive };
    // How old a price is is wanted before what can be reckoned from the others.
    if (column.key === "gpu-price") return { ...column, drop: isAllLive ? 0 : 0.5 };
    return column.key === "billing" ? { ...column, hidden: oneBilling } : column;
  });
  const assumed = rows.some(({ ranked }) => ranked.effective.basis === "assumed");
  const view = listView({
    schema: "spot.offers/1",
    items: rows,
    toJson: offerJson,
    columns: rows.some(({ count }) => count !== undefined) ? [...columns, COUNT] : columns,
    empty,
    footer: [
      ...(more === 0 ? [] : [`… and ${more.toLocaleString("en-US")} more: --limit shows them, --gpu and --provider narrow it.`]),
      `Ranked per GPU. EFFECTIVE is the price of a useful hour, lost work counted${assumed ? " (risk assumed where marked ~)" : ""}.${currencies.size > 1 ? rateLine(rate, currencies) : ""}`,
      ...listedLines(rows, sources, now),
    ].join("\n"),
  });
  const beside = {
    ...(sources.length === 0 ? {} : { sources: sourcesJson(sources, now) }),
    ...(more === 0 ? {} : { more }),
  };
  return Object.assign(view, { beside });
}

/** What people have to know of prices that are not live. */
function listedLines(rows: readonly OfferRow[], sources: readonly SourceOfPrices[], now: number): readonly string[] {
  const where = sourcesText(sources, now);
  if (where === "") return [];
  const shown = new Set(rows.map(({ ranked }) => ranked.offer.provider));
  return [
    `${where} spot up rents live offers only.`,
    ...(shown.has("local") ? ["local: the embedded cloud, whose machines and prices are made up."] : []),
    ...([...shown].some((provider) => !isRentable(provider)) ? [`${ELSEWHERE}: a cloud that spot cannot rent from.`] : []),
  ];
}
