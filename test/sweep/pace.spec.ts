import { describe, expect, test } from "vitest";
import { lookEveryMs, ownPace } from "../../src/fleet/hearing/pace.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import type { FakeRequest } from "../clouds/fake-server.ts";
import { up } from "../simulation/scenarios.ts";
import { SWEPT_CLOUDS } from "../wire-sweep/clouds.ts";
import { type WireWorld, wireWorld } from "../wire-sweep/wire-world.ts";

/** How long each cloud is watched, in simulated hours. */
const HOURS = Number(process.env["SPOT_PACE_HOURS"] ?? "24");
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const SECOND_MS = 1_000;
/** What `watch` sleeps between two passes, and how long one may take. */
const BETWEEN_MS = 1_000;
const PASS_LIMIT_MS = 2_000;

/** A limit of a vendor's, or where none is published a bound of our own. Others use the same account: half of it is ours. */
interface RateLimit {
  readonly source: string;
  /** What is counted together. */
  keyOf(request: FakeRequest): string;
  readonly most: number;
  readonly withinMs: number;
}

const everything = () => "";
const byMethodAndPath = ({ method, path }: FakeRequest) => `${method} ${path}`;
const action = ({ query, body }: FakeRequest) => query.get("Action") ?? new URLSearchParams(body).get("Action") ?? "";
const regionOf = ({ headers }: FakeRequest) => /Credential=[^/]+\/\d+\/([^/]+)\//.exec(headers["authorization"] ?? "")?.[1] ?? "";
const OURS = "nothing is published for it: a bound of our own";

const LIMITS: Readonly<Record<string, readonly RateLimit[]>> = {
  ppio: [{ source: OURS, keyOf: everything, most: 120, withinMs: MINUTE_MS }],
  novita: [{ source: OURS, keyOf: everything, most: 120, withinMs: MINUTE_MS }],
  hyperstack: [{ source: "docs.hyperstack.cloud: 500 a minute and address", keyOf: everything, most: 500, withinMs: MINUTE_MS }],
  verda: [
    { source: "docs.verda.com: 500 a minute and project", keyOf: everything, most: 500, withinMs: MINUTE_MS },
    { source: "docs.verda.com: 60 a minute, method and path", keyOf: byMethodAndPath, most: 60, withinMs: MINUTE_MS },
  ],
  aws: [
    {
      source: "docs.aws.amazon.com, ec2-api-throttling: 20 tokens a second for each region and reading action",
      keyOf: (request) => `${regionOf(request)} ${action(request)}`,
      most: 20,
      withinMs: SECOND_MS,
    },
  ],
  gcp: [
    {
      source: "cloud.google.com/compute/api-quota: by the minute and group of methods; 1,500 reads",
      keyOf: everything,
      most: 1_500,
      withinMs: MINUTE_MS,
    },
  ],
  alibaba: [
    {
      source: OURS,
      keyOf: (request) => `${request.query.get("RegionId") ?? ""} ${request.headers["x-acs-action"] ?? action(request)}`,
      most: 60,
      withinMs: MINUTE_MS,
    },
  ],
};

/** The most that came within the window, over all keys; `at` ascends. */
function busiest(limit: RateLimit, seen: readonly { readonly at: number; readonly request: FakeRequest }[]): number {
  const windows = new Map<string, number[]>();
  let most = 0;
  for (const { at, request } of seen) {
    const key = limit.keyOf(request);
    const window = (windows.get(key) ?? []).filter((time) => at - time < limit.withinMs);
    window.push(at);
    windows.set(key, window);
    most = Math.max(most, window.length);
  }
  return most;
}

/** What `watch --act` does, for so long. @returns how often the account was listed, and each limit's busiest window. */
async function watched(world: WireWorld, limits: readonly RateLimit[]) {
  const { clock, cloud } = world;
  const fleet = world.start();
  await clock.run(up(fleet, world.spec));
  const pace = ownPace(clock);
  const began = clock.now();
  let counted = cloud.server.requests.length;
  const before = counted;
  // Of each limit only the window that is open is kept: a day has many requests.
  let recent: { readonly at: number; readonly request: FakeRequest }[] = [];
  const most = limits.map(() => 0);
  while (clock.now() - began < HOURS * HOUR_MS) {
    await clock.run(reconcile(fleet, { signal: new AbortController().signal, limitMs: PASS_LIMIT_MS, pace }));
    const at = clock.now();
    const fresh = cloud.server.requests.slice(counted);
    counted = cloud.server.requests.length;
    if (fresh.length > 0) {
      recent = [...recent.filter((one) => at - one.at < MINUTE_MS), ...fresh.map((request) => ({ at, request }))];
      for (const [index, limit] of limits.entries()) most[index] = Math.max(most[index] ?? 0, busiest(limit, recent));
    }
    await clock.pass(BETWEEN_MS);
  }
  return { requests: counted - before, most };
}

describe("watched for hours on end, no vendor's rate limit is neared", () => {
  for (const [name, limits] of Object.entries(LIMITS)) {
    const make = SWEPT_CLOUDS[name];
    if (make === undefined) continue;
    test(`${name}, ${HOURS} h`, async () => {
      const world = await wireWorld(make);
      try {
        const { requests, most } = await watched(world, limits);
        const { capabilities } = world.cloud.provider;
        const why = capabilities.listEvery?.why ?? `a notice of ${capabilities.noticeSeconds} s`;
        process.stdout.write(
          `pace: ${name} listed every ${lookEveryMs(capabilities) / 1000} s (${why}): ${requests} requests in ${HOURS} h; ${limits
            .map((limit, index) => `at most ${most[index]} of ${limit.most} within ${limit.withinMs / 1000} s (${limit.source})`)
            .join("; ")}\n`,
        );
        expect(requests).toBeGreaterThan((HOURS * HOUR_MS) / lookEveryMs(capabilities) / 2);
        for (const [index, limit] of limits.entries()) expect(most[index]).toBeLessThanOrEqual(limit.most / 2);
      } finally {
        await world.close();
      }
    });
  }
});
