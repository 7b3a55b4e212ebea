import type { Fleet, GuestDoor } from "../../src/fleet/fleet.ts";
import { putToSleep } from "../../src/fleet/park.ts";
import { wakeUp } from "../../src/fleet/waking.ts";
import type { InstanceState } from "../../src/model/instance.ts";
import { Problem } from "../../src/model/problem.ts";
import type { Provider, ProviderInstance } from "../../src/providers/provider.ts";
import { hanging, silence } from "../fleet/hanging.ts";
import { up } from "../simulation/scenarios.ts";
import type { VirtualClock } from "../simulation/virtual-clock.ts";
import { type CloudOnTheWire, type Tempo, untilQuiet, type WireWorld, wireWorld } from "./wire-world.ts";

const HOUR_MS = 3_600_000;
/** So many times as long as the cap it is tried to put it to sleep again before it is given up. */
const SLEEP_LIMIT_CAPS = 6;
const signal = new AbortController().signal;

/** Where a cloud, or the machine in it, hangs while something comes back. */
export interface Stage {
  readonly name: string;
  /** A call of the port that is never answered; `isDone`: what it asked for happens all the same. */
  readonly call?: string;
  readonly isDone?: true;
  /** What the cloud says of every machine that runs, and is charged. */
  readonly says?: InstanceState;
  readonly guest?: (door: GuestDoor) => GuestDoor;
  /** There is no more stock where its volume lies. */
  readonly soldOut?: true;
  /** Only where the cloud has it. */
  readonly needs?: (provider: Provider) => boolean;
  /** It cannot be told to sleep again either: exit 6, and the next reconcile finishes. */
  readonly isUnconfirmed?: true;
  /** A machine is charged meanwhile: the meter must have seen it. */
  readonly isCharged?: true;
}

const never = (_reach: unknown, asked: AbortSignal) => silence(asked);
const parks = ({ capabilities }: Provider) => capabilities.hibernate === "park";
const hibernates = (provider: Provider) => !parks(provider);
const hasSisters = ({ capabilities, volumes }: Provider) => capabilities.zonalVolumes && volumes?.snapshots !== undefined;
const neverReady = (door: GuestDoor): GuestDoor => ({ ...door, isReady: async () => false });

export const STAGES: readonly Stage[] = [
  { name: "the market is asked", call: "offers", needs: parks },
  { name: "a machine is asked for", call: "launch", needs: parks },
  { name: "a machine is rented, and nobody says so", call: "launch", isDone: true, needs: parks, isCharged: true },
  { name: "its machine is woken", call: "restore", needs: hibernates },
  { name: "its machine is woken, and nobody says so", call: "restore", isDone: true, needs: hibernates, isCharged: true },
  { name: "its machine boots for ever", says: "provisioning", needs: parks, isCharged: true },
  { name: "its machine is restored for ever", says: "restoring", needs: hibernates, isUnconfirmed: true, isCharged: true },
  { name: "nobody says whether its machine came", call: "get", needs: parks, isUnconfirmed: true, isCharged: true },
  // Nobody knows that it sleeps either: it is left alone.
  { name: "nobody says whether its machine sleeps", call: "get", needs: hibernates },
  { name: "its volume is attached", call: "attach", needs: ({ volumes }) => volumes?.attach !== undefined, isCharged: true },
  {
    name: "its volume is mounted for ever",
    guest: (door) => ({ ...door, mountVolume: (_reach, _device, _size, asked) => silence(asked) }),
    needs: ({ capabilities }) => capabilities.machine.volumes === "device",
    isCharged: true,
  },
  { name: "its agent does not answer", guest: (door) => ({ ...door, report: async () => undefined }), isCharged: true },
  { name: "its agent hangs", guest: (door) => ({ ...door, report: never }), isCharged: true },
  {
    name: "its checkpoint is put back for ever",
    guest: (door) => ({
      ...door,
      report: async (reach, asked) => {
        const report = await door.report(reach, asked);
        return report && { ...report, phase: "restoring" };
      },
    }),
    isCharged: true,
  },
  { name: "its workload is never ready", guest: neverReady, isCharged: true },
  {
    name: "its readiness is asked, and nobody answers",
    guest: (door) => ({ ...door, isReady: (_reach, _spec, asked) => silence(asked) }),
    isCharged: true,
  },
  { name: "it is told to end", call: "destroy", guest: neverReady, needs: parks, isUnconfirmed: true, isCharged: true },
  {
    name: "it is told to end, and does, and nobody says so",
    call: "destroy",
    isDone: true,
    guest: neverReady,
    needs: parks,
    isUnconfirmed: true,
    isCharged: true,
  },
  { name: "it is told to sleep", call: "hibernate", guest: neverReady, needs: hibernates, isUnconfirmed: true, isCharged: true },
  {
    name: "it is told to sleep, and does, and nobody says so",
    call: "hibernate",
    isDone: true,
    guest: neverReady,
    needs: hibernates,
    isUnconfirmed: true,
    isCharged: true,
  },
  { name: "a snapshot is asked for", call: "snapshot", soldOut: true, needs: hasSisters },
  { name: "a snapshot is made, and nobody says so", call: "snapshot", isDone: true, soldOut: true, needs: hasSisters },
  { name: "a volume is made from it", call: "volume create", soldOut: true, needs: hasSisters },
  { name: "a volume is made from it, and nobody says so", call: "volume create", isDone: true, soldOut: true, needs: hasSisters },
  {
    name: "a machine is rented in the sister zone, and nobody says so",
    call: "launch",
    isDone: true,
    soldOut: true,
    needs: hasSisters,
    isCharged: true,
  },
];

/** The provider as that stage has it. `home`: the zone that may be sold out. */
function staged(provider: Provider, { call, isDone, says, soldOut }: Stage, home: string): Provider {
  const as = (instance: ProviderInstance) => (says !== undefined && instance.state === "running" ? { ...instance, state: says } : instance);
  const offers: Provider["offers"] = async (query, context) =>
    (await provider.offers(query, context)).map((offer) => (soldOut === true && offer.zone === home ? { ...offer, stock: 0 } : offer));
  const told: Provider = {
    ...provider,
    offers,
    list: async (context) => (await provider.list(context)).map(as),
    get: async (id, context) => {
      const instance = await provider.get(id, context);
      return instance && as(instance);
    },
  };
  return call === undefined ? told : hanging(told, call, isDone === true);
}

/** Of what a cloud has, what it charges a machine for, or may: everything but what sleeps or is over. */
export async function billing({ cloud, clock }: WireWorld): Promise<readonly string[]> {
  await cloud.refresh?.();
  const listed = await clock.run(cloud.provider.list({ signal }));
  const charged = listed.filter(({ state }) => !["hibernated", "gone", "failed"].includes(state));
  return charged.map(({ providerId, state }) => `${providerId} ${state}`);
}

/** What the cloud's own meter says by now. */
export async function metered({ cloud, clock }: WireWorld): Promise<number> {
  const { charged } = cloud;
  if (charged === undefined) throw new Error("this cloud has no meter");
  return clock.run(Promise.resolve(charged()));
}

/** What is charged, by any book, now and in the hour that follows, and what of it should not be there once it sleeps. */
export async function chargedAsleep(world: WireWorld): Promise<readonly string[]> {
  const { clock, state } = world;
  const before = await metered(world);
  const broken = (await billing(world)).map((what) => `charged after the cap: ${what}`);
  broken.push(...(await untilQuiet(world)));
  await clock.run(world.leap(HOUR_MS));
  broken.push(...(await billing(world)).map((what) => `charged an hour later: ${what}`));
  // A snapshot that it made for itself is left for another try for so long.
  broken.push(...(await untilQuiet(world)));
  const more = (await metered(world)) - before;
  if (more !== 0) broken.push(`its meter went on by ${more}`);
  const last = await state.instanceByName("train");
  if (last?.state !== "hibernated" || last.desired !== "hibernated") broken.push(`it is ${last?.state} (${last?.reason})`);
  const open = (await state.ledger({ openOnly: true })).filter(({ kind }) => kind === "gpu");
  if (open.length > 0) broken.push("its books go on");
  for (const { kind } of await state.pendingIntents()) broken.push(`a promise is open: ${kind}`);
  return broken;
}

/** So much later than its cap a restore may be over: the looks at a cloud are seconds apart, and an end is confirmed. */
const LATE_CAPS = 0.05;
const LATE_MS = 5_000;

/** How long it may take, and on which clock: ten minutes by a virtual one unless told. */
export interface CapTempo {
  readonly capMs: number;
  readonly tempo?: Tempo;
}

interface Hung {
  readonly broken: readonly string[];
  /** How long after the cap it was over. Milliseconds. */
  readonly lateMs: number;
}

/** @returns undefined where the cloud has no such stage. */
export async function hangAt(
  make: (clock: VirtualClock) => Promise<CloudOnTheWire>,
  stage: Stage,
  { capMs, tempo }: CapTempo = { capMs: 600_000 },
): Promise<Hung | undefined> {
  const world = await wireWorld(make, tempo);
  const { clock, cloud } = world;
  try {
    if (stage.needs?.(cloud.provider) === false) return undefined;
    const first = world.start();
    const record = await clock.run(up(first, world.spec));
    const asleep = await clock.run(putToSleep(first, record, { signal, limitMs: HOUR_MS, snapshot: true }));
    const provider = staged(cloud.provider, stage, asleep.zone);
    const fleet: Fleet = { ...world.start(), provider: async () => provider, guest: stage.guest?.(first.guest) ?? first.guest };
    const since = clock.now();
    const paid = await metered(world);
    const options = { signal, capMs, sleepLimitMs: SLEEP_LIMIT_CAPS * capMs };
    const failure = await clock.run(wakeUp(fleet, asleep, options).catch((error: unknown) => error));
    const broken: string[] = [];
    const wanted = stage.isUnconfirmed === true ? "SPOT_E_UNCONFIRMED" : "SPOT_E_WAKE_TIMEOUT";
    const code = failure instanceof Problem ? failure.code : String(failure);
    if (code !== wanted) broken.push(`it ended with ${code}`);
    const tookMs = clock.now() - since;
    if (tookMs < capMs) broken.push(`it was given up after ${tookMs} ms`);
    // Nobody confirms the end of an unconfirmed one: that is waited for as long as a hibernation may take.
    const mostMs = capMs + (stage.isUnconfirmed === true ? options.sleepLimitMs : LATE_CAPS * capMs) + LATE_MS;
    if (tookMs > mostMs) broken.push(`it was given up only after ${tookMs} ms`);
    if (stage.isUnconfirmed === true) broken.push(...(await untilQuiet(world)));
    if (stage.isCharged === true && (await metered(world)) <= paid) broken.push("its meter saw nothing of it");
    broken.push(...(await chargedAsleep(world)));
    return { broken, lateMs: tookMs - capMs };
  } finally {
    await world.close();
  }
}
