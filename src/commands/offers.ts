import type { Command } from "commander";
import type { Money } from "../model/money.ts";
import { usageProblem } from "../model/problem.ts";
import { explainedView } from "../output/effective-view.ts";
import type { OfferRow } from "../output/offers-json.ts";
import { offersView } from "../output/offers-view.ts";
import { capIn, type ExchangeRate, parsePrice } from "../pricing/currency.ts";
import { oldPricesLast } from "../pricing/price-age.ts";
import {
  bestOfEach,
  comparedCurrencies,
  OFFER_GROUPS,
  OFFER_SORTS,
  type OfferGroup,
  type OfferSort,
  type RankQuery,
  rankOffers,
} from "../pricing/rank.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { addRateFlag, exchangeRate } from "./exchange-rate.ts";
import { type MarketAtHand, type MarketWish, OFFER_SOURCES, offersAtHand } from "./offers-at-hand.ts";
import { choiceFlag, countFlag, gpuFlag, parsedFlag, textFlag } from "./price-flags.ts";
import { addWorkFlags, EFFECTIVE_PRICE_HELP, workFlags } from "./work-flags.ts";

const BILLINGS = ["spot", "on-demand", "monthly", "any"] as const;

/** Rows of a table when nobody says how many. */
const ROWS_OF_A_TABLE = 40;
/** What `--limit` may be. */
const MOST_ROWS = 100_000;
/** Without a limit so many prices of catalogues are read, so that no file fills the memory. */
const MOST_LISTED = 50_000;

/** `spot offers`: what can be rented now, and what it costs elsewhere, ranked. */
export const offers: CommandModule = {
  configure(command: Command) {
    command
      .option("--gpu <model[:count]>", "only this GPU, for example H100, H100:8, 4090 or A100-80GB")
      .option("--billing <mode>", `${BILLINGS.join(", ")}`, "spot")
      .option("--sort <by>", `${OFFER_SORTS.join(", ")}; prices are compared per GPU`, "effective")
      .option("--group-by <what>", `the best of each ${OFFER_GROUPS.join(", ")}`)
      .option("--provider <ids>", "only these clouds, by comma; all that prices are known of when not given")
      .option("--source <kind>", `only prices that are ${OFFER_SOURCES.join(", ")}: asked now, of a catalogue, or of the bundled table`)
      .option("--limit <n>", `so many at most; a table has ${ROWS_OF_A_TABLE} when not given, other formats have all`)
      .option("--max-price <amount>", "at most this much an instance-hour: 2.5 is USD, or 18CNY")
      .option("--explain [row]", "how the effective price of that row comes about; the best when no row is named");
    addWorkFlags(command);
    addRateFlag(command);
    command.addHelpText(
      "after",
      `
Live offers come from the clouds that are configured (the embedded one when none is). Of every other
cloud the prices are those of the open catalogue, as spot price sync has fetched it, else those of a
small table that comes with spot. SOURCE says which, and how old; spot up rents live offers only.
${EFFECTIVE_PRICE_HELP}

Offers in several currencies stand in one order, by a rate that is shown; every price is shown in
its own currency. What is older than 90 days stands last.

Examples:
  $ spot offers --gpu H100 --billing any
  $ spot offers --group-by gpu --sort savings
  $ spot offers --gpu H100 --explain --checkpoint-time 40s --restart-time 8m --interruptions 1/6h
  $ spot offers --gpu H100 --source live --limit 1 --json`,
    );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const gpu = gpuFlag(context);
    const billing = choiceFlag("--billing", textFlag(context, "billing") ?? "spot", BILLINGS);
    const sort = choiceFlag("--sort", textFlag(context, "sort") ?? "effective", OFFER_SORTS);
    const groupText = textFlag(context, "groupBy");
    const group = groupText === undefined ? undefined : choiceFlag("--group-by", groupText, OFFER_GROUPS);
    const explained = explainedRow(context);
    const limit = limitOf(context, explained);
    const query: RankQuery = {
      ...(gpu === undefined ? {} : { gpuModel: gpu.model }),
      ...(gpu?.count === undefined ? {} : { gpuCount: gpu.count }),
      ...(billing === "any" ? {} : { billing }),
      ...maxPriceOf(context),
    };
    const work = await workFlags(context);
    const rate = await exchangeRate(context);
    const market = await offersAtHand(context, {
      ...(query.billing === undefined ? {} : { billing: query.billing }),
      ...(query.maxPrice === undefined ? {} : { maxPrices: caps(query.maxPrice, rate) }),
      read: readingOf(sort, group, explained === undefined ? limit : Math.max(explained, limit ?? 0, ROWS_OF_A_TABLE)),
    });
    const now = context.world.clock.now();
    const ranked = oldPricesLast(rankOffers(market.offers, query, sort, work, rate), now);
    const rows: readonly OfferRow[] =
      group === undefined
        ? ranked.map((one) => ({ ranked: one }))
        : bestOfEach(ranked, group, market.standsFor).map(({ best, count }) => ({ ranked: best, count }));
    const chosen = explained === undefined ? undefined : rows[explained - 1];
    if (explained !== undefined && chosen === undefined && rows.length > 0)
      throw usageProblem(`--explain: there is no row ${explained}, there are ${rows.length}`);
    const shown = limit !== undefined ? rows.slice(0, limit) : chosen === undefined ? rows : [chosen];
    const view = offersView(shown, {
      rate,
      currencies: comparedCurrencies(market.offers, query),
      ...(work.given === undefined ? {} : { given: work.given }),
      empty: rows.length > 0 ? "" : await emptyText(query, market),
      now,
      sources: market.sources,
      more: rows.length - shown.length + market.unread,
    });
    const whole = Object.assign(view, { beside: { ...market.beside, ...view.beside } });
    return {
      view: chosen === undefined ? whole : explainedView(whole, chosen.ranked, work),
      ...(market.problem === undefined ? {} : { problem: market.problem }),
    };
  },
};

/** The row whose price is to be explained, from 1; undefined without `--explain`. @throws Problem (usage) where rows are all there is. */
function explainedRow(context: CommandContext): number | undefined {
  const row = context.options["explain"] === true ? 1 : countFlag(context, "explain", "--explain", MOST_ROWS);
  const output = textFlag(context, "output") ?? "table";
  if (row !== undefined && /^(?:ndjson|columns)/.test(output))
    throw usageProblem(`--explain: -o ${output} has rows only`, "use a table, --json or -o yaml");
  return row;
}

/** What people read when nothing fits: what may be in its way. */
async function emptyText({ billing, gpuCount, maxPrice }: RankQuery, market: MarketAtHand): Promise<string> {
  const sync = await market.missingSync();
  const none = `No offer fits.${sync === undefined ? "" : ` Catalogues that may have one were never read (${sync}).`}`;
  if (market.offers.length === 0 && market.sources.length === 0) return none;
  return [
    none,
    ...(maxPrice === undefined ? [] : ["--max-price leaves out what costs more."]),
    ...(billing === undefined ? [] : [`--billing any shows more than ${billing}.`]),
    ...(gpuCount === undefined ? [] : ["--gpu without a count finds machines with any number of them."]),
  ].join(" ");
}

/** How many rows are wanted; undefined for all, and for the one that is explained. */
function limitOf(context: CommandContext, explained: number | undefined): number | undefined {
  const limit = countFlag(context, "limit", "--limit", MOST_ROWS);
  // Whoever chooses columns reads them with a program.
  const isTable = !context.machine && [undefined, "table"].includes(textFlag(context, "output"));
  return limit ?? (isTable && explained === undefined ? ROWS_OF_A_TABLE : undefined);
}

/** How much of a list is read for that: every row that is shown, or that counts in a group. */
function readingOf(sort: OfferSort, group: OfferGroup | undefined, limit: number | undefined): MarketWish["read"] {
  const by = sort === "savings" ? "savings" : "price";
  if (group !== undefined) return { by, bestOf: group === "zone" ? "zone" : "machine" };
  // More than are shown: what our own machines went through may put a cheap type behind a dearer one.
  return limit === undefined ? { by, mostInAll: MOST_LISTED } : { by, most: 2 * limit + ROWS_OF_A_TABLE };
}

function maxPriceOf(context: CommandContext): Pick<RankQuery, "maxPrice"> {
  const text = textFlag(context, "maxPrice");
  if (text === undefined) return {};
  const maxPrice = parsedFlag("--max-price", () => parsePrice(text));
  if (maxPrice.micros <= 0n) throw usageProblem(`--max-price: ${text} is not more than zero`);
  return { maxPrice };
}

/** The cap in every currency that it can be compared in. */
function caps(maxPrice: Money, rate: ExchangeRate): readonly Money[] {
  const currencies = new Set([maxPrice.currency, "USD", ...Object.keys(rate.perUsd)]);
  return [...currencies].map((currency) => capIn(maxPrice, currency, rate)).filter((cap) => cap !== null);
}
