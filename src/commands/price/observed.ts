import type { Command } from "commander";
import { recallPrices } from "../../fleet/prices/past-prices.ts";
import { COMPACT_AFTER_MS } from "../../fleet/prices/sync.ts";
import { parseDuration } from "../../model/duration.ts";
import type { PriceSeries } from "../../model/listed-price.ts";
import { suggestion } from "../../model/nearest.ts";
import { usageProblem } from "../../model/problem.ts";
import { type StepWindow, USUAL_MAX_GAP_MS } from "../../pricing/history.ts";
import { PRICED_THINGS, type PricedThing } from "../../pricing/history-groups.ts";
import { CATALOG_CLOUDS } from "../../providers/public-catalog.ts";
import { knownProviders } from "../../providers/registry.ts";
import { openPriceBook } from "../../state/price-book/open.ts";
import type { PriceBook, PriceQuery } from "../../state/price-book/types.ts";
import type { CommandContext } from "../command.ts";
import { choiceFlag, gpuFlag, parsedFlag, textFlag } from "../price-flags.ts";

const BILLINGS = ["spot", "on-demand", "monthly", "any"] as const;

/** All that the public catalogues say of spot are some ten thousand. */
const MOST_SERIES = 30_000;

/** What was observed in a while, and how it is to be read. */
export interface Observed {
  readonly series: readonly PriceSeries[];
  readonly window: StepWindow;
  readonly of: PricedThing;
  /** What people read when nothing was. */
  readonly empty: string;
  /** Goes into the document beside its data. */
  readonly beside: Readonly<Record<string, unknown>>;
}

/** The flags by which `price history` and `price stats` say which prices are meant. */
export function observedOptions(command: Command): Command {
  return command
    .option("--gpu <model[:count]>", "only this GPU, for example H100, H100:8, 4090 or A100-80GB")
    .option("--provider <ids>", "only these clouds, by comma")
    .option("--region <name>", "only this region")
    .option("--zone <name>", "only this zone, as its source writes it")
    .option("--type <name>", "only this instance type")
    .option("--billing <mode>", `${BILLINGS.join(", ")}`, "spot")
    .option("--since <when>", "a duration back from now (24h, 30d) or an ISO date", "30d")
    .option("--per <thing>", `what a price is of: ${PRICED_THINGS.join(", ")}`, "gpu")
    .option("--max-gap <duration>", "between observations further apart nothing is said of the price", "26h")
    .option("--refresh", "first ask the providers that remember their prices: aws (90 days), alibaba (30 days)")
    .option("--csv", "comma-separated values instead of a table");
}

/** @throws Problem (usage) for flags, or of the price book. */
export async function observedPrices(context: CommandContext): Promise<Observed> {
  const until = context.world.clock.now();
  const since = sinceFlag(context, until);
  const gapText = textFlag(context, "maxGap");
  const maxGapMs = gapText === undefined ? USUAL_MAX_GAP_MS : parsedFlag("--max-gap", () => parseDuration(gapText));
  const of = choiceFlag("--per", textFlag(context, "per") ?? "gpu", PRICED_THINGS);
  const query = queryOf(context);
  const region = textFlag(context, "region");
  if (context.options["csv"] === true && context.machine) throw usageProblem("--csv and -o exclude each other", "leave one of them away");
  const book = await openPriceBook(context.world.home);
  try {
    const missing = context.options["refresh"] === true ? await refreshed(context, book, query, since) : [];
    await requireFew(book, query);
    const found = await book.history(query, since);
    const series = region === undefined ? found : found.filter((one) => one.region === region);
    const beside = { since: new Date(since).toISOString(), until: new Date(until).toISOString(), maxGapSeconds: maxGapMs / 1000 };
    return {
      series,
      window: { since, until, maxGapMs },
      of,
      empty: await emptyText(context, book, series.length > 0),
      beside: missing.length === 0 ? beside : { ...beside, missing },
    };
  } finally {
    book.close();
  }
}

/** @throws Problem (usage) when more fits than anybody reads, or this computer should hold at once. */
async function requireFew(book: PriceBook, query: PriceQuery): Promise<void> {
  const count = await book.seriesCount(query);
  if (count > MOST_SERIES)
    throw usageProblem(
      `${count} machines in their zones fit, more than the ${MOST_SERIES} that can be shown`,
      "narrow it by --gpu, --provider, --type, --region or --zone",
      ["spot price stats --gpu H100"],
    );
}

function sinceFlag(context: CommandContext, now: number): number {
  const text = textFlag(context, "since") ?? "30d";
  const date = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  const since = Number.isNaN(date) ? now - parsedFlag("--since", () => parseDuration(text)) : date;
  if (since >= now) throw usageProblem(`--since: ${JSON.stringify(text)} is not over yet`, "for example 24h, 30d or 2026-01-31");
  return since;
}

function providersFlag(context: CommandContext): readonly string[] | undefined {
  const named = textFlag(context, "provider")
    ?.split(",")
    .map((id) => id.trim())
    .filter((id) => id !== "");
  const known = [...new Set([...knownProviders(), ...CATALOG_CLOUDS])];
  for (const id of named ?? [])
    if (!known.includes(id)) throw usageProblem(`there is no provider ${JSON.stringify(id)}`, suggestion(id, known));
  return named;
}

function queryOf(context: CommandContext): PriceQuery {
  const gpu = gpuFlag(context);
  const billing = choiceFlag("--billing", textFlag(context, "billing") ?? "spot", BILLINGS);
  const providers = providersFlag(context);
  const type = textFlag(context, "type");
  const place = textFlag(context, "zone") ?? textFlag(context, "region");
  return {
    ...(gpu === undefined ? {} : { gpuModel: gpu.model }),
    ...(gpu?.count === undefined ? {} : { gpuCount: gpu.count }),
    ...(billing === "any" ? {} : { billing }),
    ...(providers === undefined ? {} : { providers }),
    ...(type === undefined ? {} : { type }),
    ...(place === undefined ? {} : { place }),
  };
}

/** @throws Problem (usage) when nobody who remembers can be asked, and what the first one says when nobody answers. */
async function refreshed(context: CommandContext, book: PriceBook, query: PriceQuery, since: number) {
  const ours = query.providers?.filter((id) => knownProviders().includes(id));
  const providers = ours?.length === 0 ? [] : await context.providers(ours);
  const remembering = providers.filter(({ priceHistory }) => priceHistory !== undefined);
  if (remembering.length === 0)
    throw usageProblem("--refresh: no provider at hand remembers its prices; AWS and Alibaba do", undefined, [
      "spot provider login aws",
      "spot price sync",
    ]);
  context.progress.step(`Asking ${remembering.map(({ id }) => id).join(" and ")} what prices were`);
  const { gpuFromName } = await import("../../model/gpu-names.ts");
  const region = textFlag(context, "region");
  const narrow = {
    ...(query.gpuModel === undefined ? {} : { gpuModel: gpuFromName(query.gpuModel).model }),
    ...(query.gpuCount === undefined ? {} : { gpuCount: query.gpuCount }),
    ...(query.type === undefined ? {} : { type: query.type }),
    ...(region === undefined ? {} : { regions: [region] }),
    since,
  };
  const { failures } = await recallPrices(book, remembering, narrow, context.world.signal);
  const [first] = failures;
  if (first !== undefined && failures.length === remembering.length) throw first.error;
  for (const { provider, why } of failures) context.progress.warn(`${provider} is left out: ${why}`);
  await book.compact(context.world.clock.now() - COMPACT_AFTER_MS);
  context.progress.stop();
  return failures.map(({ provider, why }) => ({ provider, why }));
}

/** Whether nothing is known at all, nothing of that GPU, or merely nothing of that while. */
async function emptyText(context: CommandContext, book: PriceBook, isKnown: boolean): Promise<string> {
  const since = textFlag(context, "since") ?? "30d";
  const older = `Nothing was observed since ${since}.`;
  const how =
    "spot price sync reads the public catalogues, spot offers keeps what the providers say, and --refresh asks AWS and Alibaba what prices were.";
  if (isKnown) return `${older} A longer --since shows what was before. ${how}`;
  const gpus = await book.gpus();
  if (gpus.length === 0) return `No price was ever observed. ${how}`;
  const { isAskedGpu } = await import("../../model/gpu-names.ts");
  const asked = gpuFlag(context)?.model;
  if (asked === undefined || gpus.some((gpu) => isAskedGpu(asked, gpu))) return `Nothing that fits was ever observed. ${how}`;
  const models = [...new Set(gpus.map(({ model }) => model))];
  return `No price of ${asked} was ever observed; ${suggestion(asked, models)} ${how}`;
}
