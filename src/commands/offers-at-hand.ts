import { problemOf } from "../fleet/faults.ts";
import { ANSWER_WITHIN_MS, askMarket, type MarketAnswer } from "../fleet/market.ts";
import {
  cataloguedClouds,
  type ListedMarket,
  type ListedQuery,
  type ListedSource,
  listedMarket,
  NOTHING_LISTED,
} from "../fleet/prices/listed-market.ts";
import { observationsOf, observeLive } from "../fleet/prices/observe-live.ts";
import { parseDuration } from "../model/duration.ts";
import type { Gpu } from "../model/gpu.ts";
import { gpuFromName, gpuMatcher, isAskedGpu } from "../model/gpu-names.ts";
import { suggestion } from "../model/nearest.ts";
import type { Offer } from "../model/offer.ts";
import { Problem, usageProblem } from "../model/problem.ts";
import { bundledPrices } from "../pricing/bundled-prices.ts";
import { cloudsWithCredentials, configuredProviders } from "../providers/configured.ts";
import { ProviderError } from "../providers/errors.ts";
import { knownProviders } from "../providers/registry.ts";
import type { KnownGpu } from "../state/price-book/types.ts";
import type { CommandContext } from "./command.ts";
import { type BookAtHand, priceBookAtHand } from "./price-book-at-hand.ts";
import { choiceFlag, gpuFlag, parsedFlag, textFlag } from "./price-flags.ts";

export const OFFER_SOURCES = ["live", "catalog", "bundled"] as const;

/** How much of what lists say is wanted; `--gpu`, `--provider` and `--source` are read here. */
export type MarketWish = Pick<ListedQuery, "billing" | "maxPrices" | "read">;

/** What can be rented, and what is known of prices elsewhere. */
export interface MarketAtHand extends Omit<ListedMarket, "sources"> {
  /** Live offers of whoever answered; of all other clouds what a catalogue says, else the bundled table. */
  readonly offers: readonly Offer[];
  /** Every list that was read, cloud by cloud; none of the live ones. */
  readonly sources: readonly ListedSource[];
  /** Goes into the document beside its data; empty when everybody answered. */
  readonly beside: { readonly missing?: readonly { readonly provider: string; readonly why: string }[] };
  /** The command that reads catalogues which may have more: none of those that are wanted was ever read. */
  missingSync(): Promise<string | undefined>;
  /** What is wrong although there are offers: nobody answered of those that should have. */
  readonly problem?: Problem;
}

/**
 * Everything on offer at the clouds that are wanted. A provider that fails is named, and a list speaks for it; all failing is
 * a failure, which is thrown where no list knows anything either. What providers said is kept as observed.
 * @throws Problem (usage, with the nearest model) when nobody has the GPU of `--gpu`, sold out or not.
 */
export async function offersAtHand(context: CommandContext, wish: MarketWish): Promise<MarketAtHand> {
  const asked = gpuFlag(context);
  const book = priceBookAtHand(context);
  try {
    const scope = await scopeOf(context, book);
    // A cloud with many sizes need not be asked for all of them; only for a slip are all names wanted.
    const found = await askAll(context, scope, asked === undefined ? {} : { gpuModel: gpuFromName(asked.model).model });
    const silent = new Set(found.failures.map(({ provider }) => provider));
    const heard = scope.live.filter((id) => !silent.has(id));
    const bands = scope.isWanted("aws") && !heard.includes("aws") && scope.source !== "live" ? await bandsOfAws(context) : undefined;
    const listed = await listedAtHand(book, scope, {
      ...wish,
      ...(bands === undefined
        ? {}
        : { reclaimedOf: ({ provider, region, type }) => (provider === "aws" ? bands(region, type) : undefined) }),
      ...(asked === undefined ? {} : { gpuModel: asked.model }),
      ...(asked?.count === undefined ? {} : { gpuCount: asked.count }),
      isWanted: (cloud) => scope.isWanted(cloud) && !heard.includes(cloud),
    });
    const catalogued = asksCatalogs(scope) ? await book.read(cataloguedClouds) : undefined;
    const missingSync = () => syncOf(scope, heard, catalogued ?? []);
    const problem = await failureOf(context, scope, found.failures, listed.offers.length > 0);
    tellFailures(context, found.failures, listed.sources);
    const offers = [...found.offers, ...listed.offers];
    if (asked !== undefined && !offers.some(({ gpu }) => isAskedGpu(asked.model, gpu))) {
      const whole = found.offers.length > 0 ? found : await askAll(context, { live: heard }, {});
      requireKnownGpu(asked.model, [...whole.offers, ...(await listedGpus(book, scope))], await missingSync());
    }
    const observed = observationsOf(found.offers);
    if (observed.size > 0) await book.write((open) => observeLive(open, observed));
    context.progress.stop();
    const missing = found.failures.map(({ provider, why }) => ({ provider, why }));
    const beside = missing.length === 0 ? {} : { missing };
    return { ...listed, offers, beside, missingSync, ...(problem === undefined ? {} : { problem }) };
  } finally {
    book.close();
  }
}

/** Whom to ask, and whose prices to look up. */
interface Scope {
  /** Ours, to be asked for live offers. */
  readonly live: readonly string[];
  /** By `--provider`; none when it was not given. */
  readonly named: readonly string[];
  readonly isWanted: (cloud: string) => boolean;
  readonly source?: (typeof OFFER_SOURCES)[number];
}

async function scopeOf(context: CommandContext, book: BookAtHand): Promise<Scope> {
  const text = textFlag(context, "source");
  const source = text === undefined ? undefined : choiceFlag("--source", text, OFFER_SOURCES);
  const named = ((await context.setting("provider")) ?? "")
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
  const ours = knownProviders();
  const others = named.filter((id) => !ours.includes(id));
  if (others.length > 0) await requireKnownClouds(others, ours, book);
  const live = named.length === 0 ? await configuredProviders(context.world) : named.filter((id) => ours.includes(id));
  if (source === "live" && live.length === 0)
    throw usageProblem(`${others.join(", ")}: no cloud that spot can rent from; its prices are those of lists`, undefined, [
      `spot offers --provider ${others.join(",")}`,
    ]);
  const isWanted = (cloud: string) => named.length === 0 || named.includes(cloud);
  if (source === undefined) return { live, named, isWanted };
  return { live: source === "live" ? live : [], named, isWanted, source };
}

function asksCatalogs({ source }: Scope): boolean {
  return source !== "live" && source !== "bundled";
}

/** What reads the catalogues of those that were named and did not answer, or all where none was ever read; undefined for nothing. */
async function syncOf(scope: Scope, heard: readonly string[], catalogued: readonly string[]): Promise<string | undefined> {
  if (!asksCatalogs(scope)) return undefined;
  const { named } = scope;
  const unheard = (cloud: string) => !heard.includes(cloud);
  if (named.length === 0) return catalogued.some(unheard) ? undefined : "spot price sync";
  const { CATALOG_CLOUDS } = await import("../providers/public-catalog.ts");
  const missing = named.filter((cloud) => CATALOG_CLOUDS.includes(cloud) && unheard(cloud) && !catalogued.includes(cloud));
  return missing.length === 0 ? undefined : `spot price sync ${missing.join(" ")}`;
}

/** @throws Problem (usage, with the nearest known cloud). */
async function requireKnownClouds(names: readonly string[], ours: readonly string[], book: BookAtHand): Promise<void> {
  const { CATALOG_CLOUDS } = await import("../providers/public-catalog.ts");
  // A mirror of the catalogue may have more clouds than the catalogue.
  const read = (await book.read(cataloguedClouds)) ?? [];
  const known = [...new Set([...ours, ...CATALOG_CLOUDS, ...read])];
  for (const name of names)
    if (!known.includes(name)) throw usageProblem(`there is no provider ${JSON.stringify(name)}`, suggestion(name, known));
}

/** How long a provider is waited for: with a moment left of `--timeout` to say what there is, and who did not answer. */
function answerWithinMs(context: CommandContext): number {
  const timeout = textFlag(context, "timeout");
  if (timeout === undefined) return ANSWER_WITHIN_MS;
  return Math.min(ANSWER_WITHIN_MS, Math.max(500, parsedFlag("--timeout", () => parseDuration(timeout)) - 1_000));
}

async function askAll(
  context: CommandContext,
  { live }: Pick<Scope, "live">,
  narrow: { readonly gpuModel?: string },
): Promise<MarketAnswer> {
  if (live.length === 0) return { offers: [], failures: [] };
  context.progress.step("Asking for offers");
  return askMarket(await context.providers(live), narrow, context.world.signal, answerWithinMs(context));
}

/** What AWS publishes of how many machines it took back, as the last sync kept it: it needs no account. */
async function bandsOfAws({ world }: CommandContext) {
  const { knownSpotBands } = await import("../providers/public-advisor.ts");
  return knownSpotBands(world);
}

async function listedAtHand(book: BookAtHand, { source }: Scope, query: ListedQuery): Promise<ListedMarket> {
  if (source === "live") return NOTHING_LISTED;
  const asked = source === undefined ? query : { ...query, source };
  const bundled = bundledPrices();
  return (await book.read((open) => listedMarket(open, bundled, asked))) ?? listedMarket(undefined, bundled, asked);
}

/**
 * When nobody answered: what to end with. A cloud without credentials that was asked because it was named is no failure where
 * a list speaks for it. @throws what the first of them said, where no list knows anything either.
 */
async function failureOf(
  { world }: CommandContext,
  { live }: Scope,
  failures: MarketAnswer["failures"],
  isAnythingListed: boolean,
): Promise<Problem | undefined> {
  const [first] = failures;
  if (first === undefined || failures.length < live.length) return undefined;
  const problem = problemOf(first.error);
  if (!(problem instanceof Problem) || !isAnythingListed) throw first.error;
  const known = await cloudsWithCredentials(world);
  const isStranger = ({ provider, error }: (typeof failures)[number]) =>
    !known.includes(provider) && error instanceof ProviderError && error.fault.kind === "auth";
  return failures.every(isStranger) ? undefined : problem;
}

function tellFailures({ progress }: CommandContext, failures: MarketAnswer["failures"], sources: readonly ListedSource[]): void {
  for (const { provider, why } of failures) {
    const instead = sources.find((source) => source.provider === provider);
    if (instead === undefined) progress.warn(`${provider} is left out: ${why}`);
    else progress.warn(`${provider} did not say: ${why}; its prices are those of ${SPEAKS[instead.source]}`);
  }
}

const SPEAKS: Readonly<Record<ListedSource["source"], string>> = { catalog: "a catalogue", bundled: "the bundled table" };

/** Every GPU that a list has, or had, at the clouds that are wanted. */
async function listedGpus(book: BookAtHand, { source, isWanted }: Scope): Promise<readonly { readonly gpu: KnownGpu }[]> {
  if (source === "live") return [];
  const bundled = bundledPrices().map(({ provider, gpu }) => ({ provider, ...gpu }));
  const observed = (await book.read((open) => open.gpus())) ?? [];
  return [...bundled, ...observed].filter(({ provider }) => isWanted(provider)).map((gpu) => ({ gpu }));
}

/** @throws Problem (usage, with the nearest model, and what may know more) when nobody has such a GPU, sold out or not. */
function requireKnownGpu(
  model: string,
  offers: readonly { readonly gpu: Pick<Gpu, "model" | "vramGb" | "form"> }[],
  sync: string | undefined,
): void {
  const isAsked = gpuMatcher(model);
  if (offers.length === 0 || offers.some(({ gpu }) => isAsked(gpu))) return;
  const models = [...new Set(offers.map(({ gpu }) => gpu.model))];
  throw usageProblem(`no provider offers a GPU ${JSON.stringify(model)}`, suggestion(gpuFromName(model).model, models), [
    ...(sync === undefined ? [] : [sync]),
    "spot offers --group-by gpu",
  ]);
}
