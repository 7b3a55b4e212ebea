import { durationText } from "../model/duration.ts";
import { gpuText } from "../model/gpu.ts";
import { productName } from "../model/gpu-names.ts";
import { moneyText } from "../model/money.ts";
import type { Offer } from "../model/offer.ts";
import { type ExchangeRate, ratesJson } from "../pricing/currency.ts";
import { areTermsKnown, type WorkModel } from "../pricing/effective.ts";
import { isStale } from "../pricing/price-age.ts";
import type { RankedOffer } from "../pricing/rank.ts";
import { isRentable } from "../pricing/spot-terms.ts";
import { effectiveText } from "./effective-view.ts";
import { listView } from "./list-view.ts";
import { type OfferRow, offerJson } from "./offers-json.ts";
import { ELSEWHERE, listNotes } from "./offers-notes.ts";
import { priceHeader } from "./price-header.ts";
import { type SourceOfPrices, sourcesJson, sourceText } from "./price-sources.ts";
import { rateNote } from "./rate-note.ts";
import type { Column, View } from "./view.ts";

/** What is said of all offers together. */
export interface OffersAbout {
  readonly rate: ExchangeRate;
  /** That were held against each other, shown or not. */
  readonly currencies: ReadonlySet<string>;
  /** What holds for every offer, whatever its cloud says. */
  readonly given?: WorkModel["given"];
  /** What people read when there is nothing to list. */
  readonly empty: string;
  /** Epoch milliseconds: the age of prices is told from it. */
  readonly now: number;
  /** The lists that were read. */
  readonly sources: readonly SourceOfPrices[];
  /** How many more fit than are listed. */
  readonly more: number;
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

/** "2m", "–", and "0–30s" where nothing is promised. */
function noticeText({ noticeSeconds, noticeUpToSeconds }: Pick<Offer, "noticeSeconds" | "noticeUpToSeconds">): string {
  if (noticeUpToSeconds === undefined || noticeUpToSeconds <= noticeSeconds) return secondsText(noticeSeconds);
  return `${noticeSeconds}–${secondsText(noticeUpToSeconds)}`;
}

/** A term of a spot machine's end as it is reckoned with: the one that holds for every offer, else its cloud's; "?" where nobody knows. */
function termText(offer: Offer, given: number | undefined, theirs: string): string {
  if (offer.billing !== "spot") return theirs;
  if (given !== undefined) return secondsText(given);
  return areTermsKnown(offer) ? theirs : "?";
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
];

/** What depends on when it is asked, and on what holds for every offer. */
function lastColumns(now: number, given: WorkModel["given"]): readonly Column<OfferRow>[] {
  return [
    {
      key: "notice",
      header: "NOTICE",
      value: ({ ranked: { offer } }) => termText(offer, given?.noticeSeconds, noticeText(offer)),
      align: "right",
      drop: 5,
    },
    {
      key: "protection",
      header: "SAFE FOR",
      value: ({ ranked: { offer } }) => termText(offer, given?.protectionSeconds, secondsText(offer.protectionSeconds)),
      align: "right",
      drop: 7,
    },
    {
      key: "stock",
      header: "STOCK",
      value: ({ ranked }) => stockText(ranked.offer),
      align: "right",
      paint: (text, { ranked: { offer } }, painter) => (offer.stock === 0 || !isRentable(offer.provider) ? painter.dim(text) : text),
    },
    {
      key: "source",
      header: "SOURCE",
      value: ({ ranked }) => sourceText(ranked.offer, now),
      paint: (text, { ranked }, painter) =>
        isStale(ranked.offer, now) ? painter.yellow(text) : ranked.offer.source === "live" ? text : painter.dim(text),
    },
  ];
}

const COUNT: Column<OfferRow> = { key: "count", header: "OFFERS", value: ({ count }) => String(count ?? 1), align: "right" };

/** Offers in the order given. The header of the price column names the currency only when all offers share it. */
export function offersView(rows: readonly OfferRow[], { rate, currencies, given, empty, now, sources, more }: OffersAbout): View {
  const header = priceHeader(rows.map(({ ranked }) => ranked.offer.price));
  const oneBilling = new Set(rows.map(({ ranked }) => ranked.offer.billing)).size === 1;
  const isAllLive = rows.every(({ ranked }) => ranked.offer.source === "live");
  const columns = [...COLUMNS, ...lastColumns(now, given)].map((column): Column<OfferRow> => {
    if (column.key === "price")
      return { ...column, header, paint: (text, { ranked }, painter) => painter[isStale(ranked.offer, now) ? "yellow" : "green"](text) };
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
    empty: `${empty}${rateNote(rate, currencies)}`,
    footer: [
      ...(more === 0 ? [] : [`… and ${more.toLocaleString("en-US")} more: --limit shows them, --gpu and --provider narrow it.`]),
      `Ranked per GPU. EFFECTIVE is the price of a useful hour, lost work counted${assumed ? "; ~: how often it is interrupted is assumed" : ""}.${rateNote(rate, currencies)}`,
      ...listNotes(rows, sources, now),
    ].join("\n"),
  });
  const beside = {
    ...(sources.length === 0 ? {} : { sources: sourcesJson(sources, now) }),
    ...(currencies.size > 1 ? { rates: ratesJson(rate, currencies) } : {}),
    ...(more === 0 ? {} : { more }),
  };
  return Object.assign(view, { beside });
}
