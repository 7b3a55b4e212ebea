import { inspect } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Offer } from "../../src/model/offer.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { ProviderError } from "../../src/providers/errors.ts";
import { hyperstackProvider } from "../../src/providers/hyperstack/provider.ts";
import { novitaProvider, ppioProvider } from "../../src/providers/ppio/provider.ts";
import type { LaunchSpec, Provider } from "../../src/providers/provider.ts";
import { tokenOf } from "../../src/providers/tagged-name.ts";
import { verdaProvider } from "../../src/providers/verda/provider.ts";
import { fakeServer } from "../clouds/fake-server.ts";
import { fakeHyperstack } from "../clouds/hyperstack/hyperstack.ts";
import { fakePpio } from "../clouds/ppio/fake.ts";
import { fakeVerda } from "../clouds/verda/verda.ts";
import { temporaryFolder } from "../world.ts";

interface Cloud {
  readonly url: string;
  readonly env: Readonly<Record<string, string>>;
  living(): readonly { readonly providerId: string; readonly name: string; readonly token?: string | null }[];
  setStock(type: string, count: number): void;
  close(): Promise<void>;
}

interface Subject {
  readonly cloud: () => Promise<Cloud>;
  readonly provider: (world: Parameters<typeof verdaProvider>[0]) => Promise<Provider>;
}

/** Waits between two questions take no time worth speaking of: there are thousands of them. */
const hurried = { ...systemClock, sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(Math.min(ms, 1), signal) };

const SUBJECTS: Readonly<Record<string, Subject>> = {
  ppio: { cloud: () => fakePpio({ clock: systemClock, vendor: "ppio" }), provider: ppioProvider },
  novita: { cloud: () => fakePpio({ clock: systemClock, vendor: "novita" }), provider: novitaProvider },
  hyperstack: {
    async cloud() {
      const cloud = await fakeHyperstack({ clock: systemClock, delays: { addressMs: 0 } });
      cloud.switches.requestsPerMinute = 1_000_000;
      return cloud;
    },
    provider: hyperstackProvider,
  },
  verda: { cloud: () => fakeVerda({ clock: systemClock, delays: { provisioning: 0 } }), provider: verdaProvider },
};

type Random = () => number;

/** A small generator whose numbers can be had again (mulberry32). */
function randomFrom(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function oneOf<Value>(values: readonly Value[], random: Random): Value | undefined {
  return values[Math.floor(random() * values.length)];
}

const STRANGE: readonly unknown[] = [
  null,
  "",
  "NaN",
  "-1",
  "x".repeat(5_000),
  "\u001b[2J\u0000",
  -1,
  0,
  1e308,
  1.5,
  true,
  [],
  {},
  [[[]]],
  { id: {} },
  [null],
];

/** The same JSON with one thing in it that nobody expects: changed, missing, doubled. */
function mutated(value: unknown, random: Random): unknown {
  const isLeaf = typeof value !== "object" || value === null;
  const keys = isLeaf ? [] : Object.keys(value);
  if (keys.length === 0 || random() < 0.1) return oneOf(STRANGE, random);
  const key = oneOf(keys, random) ?? "";
  if (Array.isArray(value)) {
    const at = Number(key);
    const how = random();
    if (how < 0.1) return value.toSpliced(at, 1);
    if (how < 0.2) return [...value, value[at]];
    return value.with(at, mutated(value[at], random));
  }
  const { [key]: one, ...rest } = value as Readonly<Record<string, unknown>>;
  return random() < 0.2 ? rest : { ...rest, [key]: mutated(one, random) };
}

interface Fuzzed {
  readonly cloud: Cloud;
  readonly provider: Provider;
  /** Changes every answer from now on, or none. */
  seed(seed: number | null): void;
}

async function fuzzed({ cloud: makeCloud, provider: makeProvider }: Subject): Promise<Fuzzed> {
  const cloud = await makeCloud();
  let random: Random | null = null;
  const front = await fakeServer({
    async handle({ method, path, query, headers, body }) {
      const { host: _, connection: __, "content-length": ___, ...passed } = headers;
      const asked = await fetch(`${new URL(cloud.url).origin}${path}?${query}`, {
        method,
        headers: passed,
        ...(method === "GET" || body === "" ? {} : { body }),
      });
      const text = await asked.text();
      const type = { "content-type": asked.headers.get("content-type") ?? "text/plain" };
      if (random === null || path.endsWith("/token")) return { status: asked.status, headers: type, body: text };
      let honest: unknown = text;
      try {
        honest = JSON.parse(text);
      } catch {
        // A bare word is a document, too.
      }
      return { status: asked.status, headers: type, body: JSON.stringify(mutated(honest, random)) ?? "" };
    },
  });
  onTestFinished(async () => {
    await front.close();
    await cloud.close();
  });
  const origin = new URL(cloud.url).origin;
  const env = Object.fromEntries(Object.entries(cloud.env).map(([name, value]) => [name, value.replace(origin, front.url)]));
  const provider = await makeProvider({ env, home: temporaryFolder(), clock: hurried });
  return {
    cloud,
    provider,
    seed(seed) {
      random = seed === null ? null : randomFrom(seed);
    },
  };
}

/** The tokens of everything that costs money, by the cloud's own books. */
function tokensAt(cloud: Cloud): readonly (string | null)[] {
  return cloud.living().map(({ token, name }) => token ?? tokenOf(name));
}

const context = { signal: new AbortController().signal };

function specFor(offer: Offer, token: string): LaunchSpec {
  return {
    name: "job",
    token,
    offer,
    maxPrice: null,
    image: null,
    volumes: [],
    env: {},
    bootScript: "echo up",
    sshKey: null,
    ports: [],
    registryAuth: null,
    rootVolumeId: null,
    ttlSeconds: null,
    labels: {},
  };
}

/** How a call ended: with a value, or with the only kind of error that may leave a provider. */
async function ended<Value>(call: Promise<Value>, what: string): Promise<{ readonly value?: Value; readonly error?: ProviderError }> {
  try {
    return { value: await call };
  } catch (error) {
    if (!(error instanceof ProviderError)) throw new Error(`${what} threw ${inspect(error)}`);
    expect(error.message.length, what).toBeLessThan(1_500);
    return { error };
  }
}

async function anOffer({ provider, cloud }: Fuzzed): Promise<Offer> {
  const offer = (await provider.offers({}, context)).find((one) => one.billing === "spot" && one.gpu.count === 1 && one.stock !== 0);
  if (offer === undefined) throw new Error("no offer");
  cloud.setStock(offer.type, 10_000);
  return offer;
}

/** CI takes more of them. */
const ROUNDS = Number(process.env["SPOT_FUZZ_ROUNDS"] ?? "60");

describe.each(Object.entries(SUBJECTS))("%s, whose answers are changed at random", (_, subject) => {
  test("reads end with a value or a fault; a machine that lives is never said to be gone", async () => {
    const one = await fuzzed(subject);
    const { cloud, provider, seed } = one;
    const offer = await anOffer(one);
    const { providerId } = await provider.launch(specFor(offer, "t-lives"), context);
    await provider.volumes?.create({ name: "disk", token: "t-disk", sizeGb: 10, region: offer.region, zone: offer.zone }, context);
    for (let round = 0; round < ROUNDS; round++) {
      seed(round);
      for (const [name, call] of [
        ["offers", () => provider.offers({}, context)],
        ["list", () => provider.list(context)],
        ["volumes.list", () => provider.volumes?.list(context) ?? Promise.resolve([])],
      ] as const) {
        const { value } = await ended<unknown>(call(), `${name} in round ${round}`);
        if (value !== undefined) expect(Array.isArray(value), `${name} in round ${round}`).toBe(true);
      }
      const { value, error } = await ended(provider.get(providerId, context), `get in round ${round}`);
      if (error === undefined) expect(value, `get in round ${round}: it lives`).toBeDefined();
    }
    seed(null);
    expect(tokensAt(cloud)).toEqual(["t-lives"]);
    expect(await provider.get(providerId, context)).toMatchObject({ token: "t-lives" });
  });

  test("a launch that says that nothing was done has done nothing", async () => {
    const one = await fuzzed(subject);
    const { cloud, provider, seed } = one;
    const offer = await anOffer(one);
    for (let round = 0; round < ROUNDS; round++) {
      const token = `t-f${round}`;
      seed(round);
      const { value, error } = await ended(provider.launch(specFor(offer, token), context), `launch in round ${round}`);
      const made = tokensAt(cloud).filter((one) => one === token);
      expect(made.length, `launch in round ${round}`).toBeLessThanOrEqual(1);
      if (error !== undefined && !["ambiguous", "protocol"].includes(error.fault.kind))
        expect(made, `launch in round ${round} said ${error.fault.kind}: ${error.message}`).toEqual([]);
      if (value !== undefined) expect(made, `launch in round ${round}`).toHaveLength(1);
    }
  });

  test("a destroy that says gone has ended it", async () => {
    const one = await fuzzed(subject);
    const { cloud, provider, seed } = one;
    const offer = await anOffer(one);
    for (let round = 0; round < ROUNDS / 3; round++) {
      seed(null);
      const { providerId } = await provider.launch(specFor(offer, `t-d${round}`), context);
      seed(round);
      const { value } = await ended(provider.destroy(providerId, context), `destroy in round ${round}`);
      if (value === "gone")
        expect(
          cloud.living().map((one) => one.providerId),
          `destroy in round ${round}`,
        ).not.toContain(providerId);
    }
  });
});
