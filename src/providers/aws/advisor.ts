import * as v from "valibot";
import type { ReclaimedShare } from "../../model/offer.ts";
import { type CloudAnswer, cloudHttp, parsed } from "../cloud-http.ts";
import { ProviderError } from "../errors.ts";
import type { KeptAnswers } from "../kept-answers.ts";
import type { CallContext } from "../provider.ts";
import { briefly } from "./briefly.ts";
import type { AwsWorld } from "./chain.ts";
import { PROVIDER } from "./codes.ts";

/** Which share of the machines of a type AWS took back lately, as it publishes for everybody. */
export interface Advisor {
  /** By region and type; undefined when nobody tells. */
  shares(context: CallContext): Promise<((region: string, type: string) => ReclaimedShare | undefined) | undefined>;
}

/** The file behind the page of the Spot Instance Advisor; no credentials. */
const PUBLIC = "https://spot-bid-advisor.s3.amazonaws.com/spot-advisor-data.json";
const DAY_MS = 86_400_000;
const REFUSED_MS = 600_000;
const SOURCE = "AWS Spot Instance Advisor";

const index = v.pipe(v.number(), v.integer());
const fileSchema = v.object({
  ranges: v.array(v.object({ index, label: v.string() })),
  /** A row that cannot be read costs nobody else's. */
  spot_advisor: v.record(
    v.string(),
    v.object({ Linux: v.fallback(v.record(v.string(), v.fallback(v.nullable(v.object({ r: index })), null)), {}) }),
  ),
});
/** The rows of GPU types alone, of the 900 kB that the file has. */
const keptSchema = v.object({
  labels: v.record(v.string(), v.string()),
  rows: v.record(v.string(), v.record(v.string(), v.number())),
  /** Epoch milliseconds of the data. */
  dataAt: v.number(),
});

/** `<5%`, `5-10%`, `>20%`: the last one has no upper bound, whatever number stands beside it. Null for what is no share. */
export function bandOf(label: string): { readonly atLeast: number; readonly atMost: number | null } | null {
  const [, from, to] = /^(\d{1,3})-(\d{1,3})%$/.exec(label) ?? [];
  if (from !== undefined && to !== undefined)
    return Number(from) <= Number(to) && Number(to) <= 100 ? { atLeast: Number(from) / 100, atMost: Number(to) / 100 } : null;
  const [, sign, bound] = /^([<>])(\d{1,3})%$/.exec(label) ?? [];
  if (bound === undefined || Number(bound) > 100) return null;
  return sign === "<" ? { atLeast: 0, atMost: Number(bound) / 100 } : { atLeast: Number(bound) / 100, atMost: null };
}

const OF_GPUS = /^(?:g|p|dl)\d/;

/** What is kept of the file. @throws ProviderError when it is none of the advisor's, or gives no share of any type with a GPU. */
export function advisorData(answer: CloudAnswer, now: number): v.InferInput<typeof keptSchema> {
  if (answer.status !== 200) throw new ProviderError(PROVIDER, { kind: "unavailable" }, `${answer.asked}: HTTP ${answer.status}`);
  const file = parsed(PROVIDER, fileSchema, answer);
  const changed = Date.parse(answer.headers["last-modified"] ?? "");
  const labels = new Map(file.ranges.map((range) => [range.index, range.label]));
  const hasShare = (r: number) => bandOf(labels.get(r) ?? "") !== null;
  const ofGpus = (rows: Readonly<Record<string, { readonly r: number } | null>>) =>
    Object.fromEntries(
      Object.entries(rows).flatMap(([type, row]) => (row !== null && OF_GPUS.test(type) && hasShare(row.r) ? [[type, row.r]] : [])),
    );
  const rows = Object.fromEntries(Object.entries(file.spot_advisor).map(([region, { Linux }]) => [region, ofGpus(Linux)]));
  if (Object.values(rows).every((types) => Object.keys(types).length === 0))
    throw new ProviderError(PROVIDER, { kind: "protocol" }, `${answer.asked}: it gives no share of any type with a GPU`);
  return {
    labels: Object.fromEntries([...labels].map(([index, label]) => [String(index), label])),
    rows,
    dataAt: Number.isNaN(changed) ? now : changed,
  };
}

/** The bands of types by region, as `Advisor.shares` gives them. */
export function sharesOf({ labels, rows, dataAt }: v.InferOutput<typeof keptSchema>) {
  return (region: string, type: string): ReclaimedShare | undefined => {
    const label = labels[String(rows[region]?.[type] ?? "")] ?? "";
    const band = bandOf(label);
    return band === null ? undefined : { ...band, label, source: SOURCE, observedAt: dataAt };
  };
}

/** Where the file is asked for: where the endpoints are moved, nowhere unless `SPOT_AWS_ADVISOR_URL` says where. */
function addressOf(env: AwsWorld["env"], isMoved: boolean): string | undefined {
  return env["SPOT_AWS_ADVISOR_URL"]?.trim() || (isMoved ? undefined : PUBLIC);
}

async function ask(address: string, { env, clock }: AwsWorld, { signal }: CallContext): Promise<v.InferInput<typeof keptSchema>> {
  const url = new URL(address);
  const http = cloudHttp({ provider: PROVIDER, baseUrl: url.origin, clock, env, headers: () => ({}), secrets: () => [] });
  try {
    return advisorData(await http.send({ method: "GET", path: url.pathname, effect: "read", signal }), clock.now());
  } finally {
    await http.close();
  }
}

/** Under which name the answer is kept. */
const KEPT = "advisor";

export function advisor(world: AwsWorld, isMoved: boolean, kept: KeptAnswers): Advisor {
  const { env, clock } = world;
  const address = addressOf(env, isMoved);
  let refusedAt = Number.NEGATIVE_INFINITY;
  return {
    async shares(context) {
      if (address === undefined || clock.now() - refusedAt < REFUSED_MS) return undefined;
      try {
        const age = { maxAgeMs: DAY_MS, staleMs: 30 * DAY_MS };
        const { value } = await kept.recent(KEPT, keptSchema, age, () => briefly(context, (brief) => ask(address, world, brief)));
        return sharesOf(value);
      } catch {
        if (!context.signal.aborted) refusedAt = clock.now();
        return undefined;
      }
    },
  };
}

/** The bands that were kept in the last thirty days; undefined when there are none. Asks nobody. */
export async function keptShares(kept: KeptAnswers): Promise<ReturnType<typeof sharesOf> | undefined> {
  const age = { maxAgeMs: 30 * DAY_MS, staleMs: 0 };
  return kept
    .recent(KEPT, keptSchema, age, () => Promise.reject(new Error("not asked")))
    .then(
      ({ value }) => sharesOf(value),
      () => undefined,
    );
}

/**
 * Asks for the file whatever is kept of it, and keeps what comes: what `advisor` answers from then on. Undefined where it is not
 * asked for.
 * @throws ProviderError when it does not come or cannot be read.
 */
export async function refreshAdvisor(
  world: AwsWorld,
  isMoved: boolean,
  kept: KeptAnswers,
  context: CallContext,
): Promise<{ readonly url: string; readonly bands: number; readonly dataAt: number } | undefined> {
  const url = addressOf(world.env, isMoved);
  if (url === undefined) return undefined;
  const { rows, dataAt } = (await kept.recent(KEPT, keptSchema, { maxAgeMs: -1, staleMs: -1 }, () => ask(url, world, context))).value;
  return { url, bands: Object.values(rows).reduce((sum, types) => sum + Object.keys(types).length, 0), dataAt };
}
