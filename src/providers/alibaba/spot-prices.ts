import type { Money } from "../../model/money.ts";
import type { CallContext } from "../provider.ts";
import type { Ecs } from "./client.ts";
import { amountOf } from "./money.ts";
import { priceList, type WirePrice } from "./wire.ts";

/** What a type costs in a zone, per instance-hour. */
export interface ZonePrice {
  readonly spot: Money | null;
  readonly onDemand: Money | null;
}

export interface PricesOfType {
  readonly observedAt: number;
  readonly zones: ReadonlyMap<string, ZonePrice>;
}

export interface SpotPriceQuestion {
  readonly region: string;
  readonly type: string;
  /** Without protection the market price is lower. */
  readonly spotDuration: 0 | 1;
}

export interface SpotPrices {
  /** The market of a type in a region, not older than `maxAgeMs`. One request. */
  of(question: SpotPriceQuestion, maxAgeMs: number, context: CallContext): Promise<PricesOfType>;
  /** What was last heard, however long ago; undefined when it was never asked. */
  known(question: SpotPriceQuestion): PricesOfType | undefined;
}

const MOST_PAGES = 20;
/** Of thirty days, hour by hour, in ten zones. */
const MOST_PAGES_OF_PAST = 1_000;
/** How many rows a page has is not documented; none of this API's lists has pages of fewer than ten. */
const SMALLEST_PAGE = 10;

/** The newest price of each zone. */
export function newest(rows: readonly WirePrice[], currency: string): ReadonlyMap<string, ZonePrice> {
  const latest = new Map<string, WirePrice>();
  for (const row of rows) {
    const before = latest.get(row.ZoneId);
    if (row.Timestamp !== null && (before === undefined || (before.Timestamp ?? 0) <= row.Timestamp)) latest.set(row.ZoneId, row);
  }
  const priced = (row: WirePrice): ZonePrice => ({
    spot: amountOf(row.SpotPrice, currency),
    onDemand: amountOf(row.OriginPrice, currency),
  });
  return new Map([...latest].map(([zone, row]) => [zone, priced(row)]));
}

/** What was told since a moment (epoch milliseconds), page by page; of the last three hours, the default, without one. */
export async function priceRows(
  ecs: Ecs,
  { region, type, spotDuration }: SpotPriceQuestion,
  context: CallContext,
  since?: number,
): Promise<{ readonly rows: readonly WirePrice[]; readonly currency: string }> {
  const rows: WirePrice[] = [];
  let currency = "";
  const mostPages = since === undefined ? MOST_PAGES : MOST_PAGES_OF_PAST;
  for (let page = 0, offset = 0; page < mostPages; page++) {
    const parameters = {
      RegionId: region,
      NetworkType: "vpc",
      InstanceType: type,
      OSType: "linux",
      SpotDuration: spotDuration,
      StartTime: since === undefined ? undefined : new Date(since).toISOString().replace(/\.\d{3}Z$/, "Z"),
      Offset: offset === 0 ? undefined : offset,
    };
    const answer = await ecs.read({ region, action: "DescribeSpotPriceHistory", parameters, answer: priceList }, context);
    const found = answer.SpotPrices.SpotPriceType;
    rows.push(...found);
    currency = answer.Currency;
    // The next page's first row is told even where there is no next page: a page that was not full was the last.
    if (answer.NextOffset <= offset || found.length < Math.max(SMALLEST_PAGE, answer.NextOffset - offset)) break;
    offset = answer.NextOffset;
  }
  return { rows, currency };
}

/** `DescribeSpotPriceHistory` of the last three hours: market price and pay-as-you-go price in one answer. */
async function ask(ecs: Ecs, question: SpotPriceQuestion, context: CallContext): Promise<PricesOfType> {
  const { rows, currency } = await priceRows(ecs, question, context);
  return { observedAt: ecs.now(), zones: newest(rows, currency) };
}

export function spotPrices(ecs: Ecs): SpotPrices {
  const heard = new Map<string, PricesOfType>();
  const keyOf = ({ region, type, spotDuration }: SpotPriceQuestion) => `${region} ${type} ${spotDuration}`;
  const known = (question: SpotPriceQuestion) => heard.get(keyOf(question));
  return {
    known,
    async of(question, maxAgeMs, context) {
      const before = known(question);
      if (before !== undefined && ecs.now() - before.observedAt <= maxAgeMs) return before;
      const fresh = await ask(ecs, question, context);
      heard.set(keyOf(question), fresh);
      return fresh;
    },
  };
}
