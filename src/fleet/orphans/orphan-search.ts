import type { Provider } from "../../providers/provider.ts";
import type { State } from "../../state/records.ts";
import { call, type Fleet } from "../fleet.ts";
import { LATE_MS } from "../intent.ts";
import {
  type Books,
  explain,
  leftoverResource,
  machineResource,
  type Orphan,
  placeKey,
  type Resource,
  snapshotResource,
  volumeResource,
} from "./orphans.ts";

/** How many tokens are looked up at once. */
const AT_ONCE = 50;

/** What our state knows of these resources, read once. */
export async function booksOf(state: State, resources: readonly Pick<Resource, "token">[]): Promise<Books> {
  const tokens = [...new Set(resources.flatMap(({ token }) => token ?? []))];
  const [living, volumes] = await Promise.all([state.instances(), state.volumes({ includeGone: true })]);
  const intents = new Map<string, NonNullable<ReturnType<Books["intents"]["get"]>>>();
  for (let at = 0; at < tokens.length; at += AT_ONCE) {
    const found = await Promise.all(
      tokens.slice(at, at + AT_ONCE).map(async (token) => [token, await state.intentByToken(token)] as const),
    );
    for (const [token, intent] of found) if (intent !== undefined) intents.set(token, intent);
  }
  const owners = new Map(living.map((record) => [record.id, record]));
  for (const { instanceId } of intents.values()) {
    if (instanceId === null || owners.has(instanceId)) continue;
    const owner = await state.instance(instanceId);
    if (owner !== undefined) owners.set(instanceId, owner);
  }
  const livingLast = volumes.toSorted((a, b) => Number(a.state !== "gone") - Number(b.state !== "gone"));
  return {
    intents,
    owners,
    machines: new Map(
      living.flatMap((one) =>
        // A machine that was rented ahead is its instance's as well.
        [one.providerId, one.outlook.successor?.providerId ?? null].flatMap((id) =>
          id === null ? [] : [[placeKey(one.provider, id), one] as const],
        ),
      ),
    ),
    volumes: new Map(livingLast.flatMap((one) => (one.providerId === null ? [] : [[placeKey(one.provider, one.providerId), one]]))),
    inUse: new Set(living.map(({ provider }) => provider)),
  };
}

export interface Silence {
  readonly provider: string;
  /** What it did not tell: "machines", "volumes" … */
  readonly what: string;
  readonly why: string;
  readonly error: unknown;
}

export interface Found {
  readonly resources: readonly Resource[];
  readonly silent: readonly Silence[];
}

/** Everything at these providers, ours and others', as far as they answer. Leftovers that cost nothing only when they are asked for. */
export async function askProviders(
  providers: readonly Provider[],
  signal: AbortSignal,
  options: { readonly harmless: boolean },
): Promise<Found> {
  const answers = await Promise.all(providers.map((provider) => askOne(provider, signal, options)));
  return { resources: answers.flatMap(({ resources }) => resources), silent: answers.flatMap(({ silent }) => silent) };
}

async function askOne(provider: Provider, signal: AbortSignal, options: { readonly harmless: boolean }): Promise<Found> {
  const silent: Silence[] = [];
  const { id, volumes, leftovers } = provider;
  const asked = async <Row>(what: string, ask: () => Promise<readonly Row[]>): Promise<readonly Row[]> => {
    try {
      return await ask();
    } catch (error) {
      signal.throwIfAborted();
      silent.push({ provider: id, what, why: error instanceof Error ? error.message : String(error), error });
      return [];
    }
  };
  const [machines, disks, snapshots, others] = await Promise.all([
    asked("machines", () => call(signal, (context) => provider.list(context))),
    asked("volumes", async () => (volumes === undefined ? [] : call(signal, (context) => volumes.list(context)))),
    asked("snapshots", async () => call(signal, async (context) => (await volumes?.snapshots?.list(context)) ?? [])),
    asked("leftovers", async () => call(signal, async (context) => (await leftovers?.list(context, options)) ?? [])),
  ]);
  const elsewhere = new Set(others.map(({ providerId }) => providerId));
  return {
    resources: [
      ...others.map((one) => leftoverResource(id, one)),
      // A request for a machine may be listed as the machine that it waits for.
      ...machines
        .filter(({ state, providerId }) => state !== "gone" && !elsewhere.has(providerId))
        .map((one) => machineResource(provider, one)),
      ...disks.filter(({ providerId }) => !elsewhere.has(providerId)).map((one) => volumeResource(id, one)),
      ...snapshots.map((one) => snapshotResource(id, one)),
    ],
    silent,
  };
}

/** What of it is ours and has no living record. */
export async function orphansAmong(state: State, resources: readonly Resource[]): Promise<readonly Orphan[]> {
  const books = await booksOf(state, resources);
  return resources.flatMap((resource): readonly Orphan[] => {
    const verdict = explain(resource, books);
    return verdict.kind === "orphan" ? [{ ...resource, why: verdict.why, instance: verdict.instance }] : [];
  });
}

/** Where something of ours may be by what our state knows, whether or not its credentials are still configured. */
export async function providersInState(fleet: Pick<Fleet, "state" | "clock">): Promise<readonly string[]> {
  const [living, volumes, promised] = await Promise.all([
    fleet.state.instances(),
    fleet.state.volumes(),
    fleet.state.promisedProviders(fleet.clock.now() - LATE_MS),
  ]);
  return [...new Set([...living.map(({ provider }) => provider), ...volumes.map(({ provider }) => provider), ...promised])];
}
