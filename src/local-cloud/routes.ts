import { bill } from "./billing.ts";
import type { Mischief, Operation } from "./chaos.ts";
import { createVolume, removeVolume, volumeView } from "./disks.ts";
import { instanceView } from "./instance-view.ts";
import { destroy, hibernate, launch, reclaim, restore, withdraw } from "./instances.ts";
import { hazardTime, offersAt } from "./market.ts";
import { isRunning, Refusal } from "./records.ts";
import {
  chaosSchema,
  launchSchema,
  marketSchema,
  readBody,
  reclaimSchema,
  shutdownSchema,
  volumeSchema,
  withdrawSchema,
} from "./requests.ts";
import type { Site } from "./site.ts";

/** What only the daemon as a whole can do. */
export interface Operator {
  health(): Readonly<Record<string, unknown>>;
  /** @throws Refusal `conflict` while instances run, unless forced: then they are ended first. */
  shutdown(force: boolean): Promise<void>;
  /** Ends every instance and forgets everything. */
  reset(): Promise<void>;
}

export interface Call {
  readonly query: URLSearchParams;
  readonly body: string;
  /** The part of the path that the pattern leaves open. */
  readonly id: string;
  readonly mischief: Mischief;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export interface Route {
  readonly method: string;
  readonly pattern: RegExp;
  /** The name by which chaos rules know it; null for what is not part of a provider's API. */
  readonly operation: Operation | null;
  run(call: Call): Promise<Answer> | Answer;
}

/** A terminated instance is listed for this long. */
const SHOWN_AFTER_END_MS = 60_000;
const LONGEST_PAGE = 1000;

function number(call: Call, name: string, fallback: number): number {
  const text = call.query.get(name);
  if (text === null) return fallback;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Refusal(400, "invalid", `${name}: not a whole number`);
  return value;
}

function instanceRoutes(site: Site): readonly Route[] {
  const shown = (status: number, instance: Parameters<typeof instanceView>[1]): Answer => ({
    status,
    body: { instance: instanceView(site, instance) },
  });
  return [
    {
      method: "POST",
      pattern: /^\/v1\/instances$/,
      operation: "launch",
      run: ({ body, mischief }) => shown(202, launch(site, readBody(launchSchema, body), mischief.startFailure)),
    },
    {
      method: "GET",
      pattern: /^\/v1\/instances$/,
      operation: "list",
      run(call) {
        const limit = Math.min(LONGEST_PAGE, Math.max(1, number(call, "limit", 100)));
        const rows = site.database.listInstances(number(call, "cursor", 0), limit + 1, site.clock.now() - SHOWN_AFTER_END_MS);
        const page = rows.slice(0, limit);
        const nextCursor = rows.length > limit ? String(page.at(-1)?.seq ?? "") : null;
        return { status: 200, body: { instances: page.map(({ instance }) => instanceView(site, instance)), nextCursor } };
      },
    },
    {
      method: "GET",
      pattern: /^\/v1\/instances\/([^/]+)$/,
      operation: "get",
      run({ id }) {
        const instance = site.database.instance(id);
        if (instance === undefined) throw new Refusal(404, "not_found", `there is no instance ${JSON.stringify(id)}`);
        return shown(200, instance);
      },
    },
    { method: "DELETE", pattern: /^\/v1\/instances\/([^/]+)$/, operation: "destroy", run: ({ id }) => shown(202, destroy(site, id)) },
    {
      method: "POST",
      pattern: /^\/v1\/instances\/([^/]+)\/hibernate$/,
      operation: "hibernate",
      run: ({ id }) => shown(202, hibernate(site, id)),
    },
    {
      method: "POST",
      pattern: /^\/v1\/instances\/([^/]+)\/restore$/,
      operation: "restore",
      run: ({ id, mischief }) => shown(202, restore(site, id, mischief.startFailure)),
    },
  ];
}

function volumeRoutes(site: Site): readonly Route[] {
  return [
    {
      method: "POST",
      pattern: /^\/v1\/volumes$/,
      operation: "volume-create",
      run: async ({ body }) => ({
        status: 201,
        body: { volume: await volumeView(site, await createVolume(site, readBody(volumeSchema, body))) },
      }),
    },
    {
      method: "GET",
      pattern: /^\/v1\/volumes$/,
      operation: "volume-list",
      run: async () => ({
        status: 200,
        body: { volumes: await Promise.all(site.database.volumes().map((volume) => volumeView(site, volume))) },
      }),
    },
    {
      method: "DELETE",
      pattern: /^\/v1\/volumes\/([^/]+)$/,
      operation: "volume-remove",
      run: async ({ id }) => {
        await removeVolume(site, id);
        return { status: 200, body: {} };
      },
    },
  ];
}

function marketRoutes(site: Site): readonly Route[] {
  return [
    {
      method: "GET",
      pattern: /^\/v1\/offers$/,
      operation: "offers",
      run: () => ({
        status: 200,
        body: { offers: offersAt(site.database.market(), site.clock.now(), site.database.livingInstances()) },
      }),
    },
    {
      method: "GET",
      pattern: /^\/v1\/bill$/,
      operation: "bill",
      run({ query }) {
        const since = query.get("since");
        const at = since === null ? 0 : Date.parse(since);
        if (Number.isNaN(at)) throw new Refusal(400, "invalid", "since: not a time");
        return { status: 200, body: { items: bill(site, at) } };
      },
    },
    {
      method: "GET",
      pattern: /^\/v1\/account$/,
      operation: null,
      run: () => ({ status: 200, body: { account: site.account } }),
    },
    { method: "GET", pattern: /^\/v1\/control\/market$/, operation: null, run: () => ({ status: 200, body: site.database.market() }) },
    {
      method: "PUT",
      pattern: /^\/v1\/control\/market$/,
      operation: null,
      run({ body }) {
        const given = Object.entries(readBody(marketSchema, body)).filter(([, value]) => value !== undefined);
        const market = { ...site.database.market(), ...Object.fromEntries(given) };
        site.database.transaction(() => {
          site.database.saveMarket(market);
          // The hazard has no memory: whoever runs already draws anew.
          for (const instance of site.database.livingInstances())
            if (isRunning(instance.state) && instance.billing === "spot")
              site.database.saveInstance({ ...instance, hazardAt: hazardTime(market, instance, site.clock.now()) });
        });
        site.wake();
        return { status: 200, body: market };
      },
    },
  ];
}

function controlRoutes(site: Site, operator: Operator): readonly Route[] {
  const done: Answer = { status: 200, body: {} };
  return [
    { method: "GET", pattern: /^\/v1\/health$/, operation: null, run: () => ({ status: 200, body: operator.health() }) },
    {
      method: "POST",
      pattern: /^\/v1\/control\/reclaim$/,
      operation: null,
      run({ body }) {
        const { instance, noticeSeconds, kind } = readBody(reclaimSchema, body);
        return { status: 202, body: { instance: instanceView(site, reclaim(site, instance, noticeSeconds, kind)) } };
      },
    },
    {
      method: "POST",
      pattern: /^\/v1\/control\/withdraw$/,
      operation: null,
      run: ({ body }) => ({
        status: 200,
        body: { instance: instanceView(site, withdraw(site, readBody(withdrawSchema, body).instance)) },
      }),
    },
    {
      method: "GET",
      pattern: /^\/v1\/control\/chaos$/,
      operation: null,
      run: () => ({ status: 200, body: { rules: site.database.chaos() } }),
    },
    {
      method: "POST",
      pattern: /^\/v1\/control\/chaos$/,
      operation: null,
      run({ body }) {
        site.database.saveChaos([...site.database.chaos(), readBody(chaosSchema, body)]);
        return { status: 200, body: { rules: site.database.chaos() } };
      },
    },
    {
      method: "DELETE",
      pattern: /^\/v1\/control\/chaos$/,
      operation: null,
      run() {
        site.database.saveChaos([]);
        return done;
      },
    },
    {
      method: "POST",
      pattern: /^\/v1\/control\/shutdown$/,
      operation: null,
      run: async ({ body }) => {
        await operator.shutdown(readBody(shutdownSchema, body).force);
        return done;
      },
    },
    {
      method: "POST",
      pattern: /^\/v1\/control\/reset$/,
      operation: null,
      run: async () => {
        await operator.reset();
        return done;
      },
    },
  ];
}

export function routesOf(site: Site, operator: Operator): readonly Route[] {
  return [...instanceRoutes(site), ...volumeRoutes(site), ...marketRoutes(site), ...controlRoutes(site, operator)];
}
