import type { VirtualClock } from "../simulation/virtual-clock.ts";
import { LIFE } from "./life.ts";
import { type CloudOnTheWire, type Tempo, untilQuiet, type WireWorld, wireWorld } from "./wire-world.ts";

/** `reset-before`: the n-th request never arrives. `reset-after`: it took effect, and its answer is lost. */
export const FAULTS = ["reset-before", "reset-after"] as const;
export type WireFault = (typeof FAULTS)[number];

export interface Played {
  /** Requests in the life itself, without the reconciling after it. */
  readonly requests: number;
  /** Which of them, from 1, change something. */
  readonly changes: ReadonlySet<number>;
  readonly broken: readonly string[];
  /** Checkpoints that were sealed, and how often an agent was told of a notice. */
  readonly sealed: number;
  readonly told: number;
}

export interface Expected {
  /** How many machines there may be; 1 unless told. */
  readonly machines?: number;
  /** What is there, ours, and has no record: made from a state that is lost, and left alone. */
  readonly strangers?: ReadonlySet<string>;
  /** The volume of the work may be deleted, because that is what was asked for. */
  readonly volumeEnds?: true;
}

/** What no fault may lead to: two machines, a machine without a record, a volume lost or unknown, a promise left open. */
export async function brokenNow(
  { cloud, state }: WireWorld,
  { machines: most = 1, strangers, volumeEnds }: Expected = {},
): Promise<readonly string[]> {
  await cloud.refresh?.();
  const broken: string[] = [];
  const records = await state.instances({ includeGone: true });
  const living = records.filter((record) => record.state !== "gone");
  const machines = cloud.living();
  if (machines.length > most) broken.push(`${machines.length} machines: ${machines.map(({ name }) => name)}`);
  for (const { providerId } of machines)
    if (strangers?.has(providerId) !== true && !living.some((record) => record.providerId === providerId))
      broken.push(`the machine ${providerId} has no record`);
  for (const record of living)
    if (record.providerId !== null && !machines.some(({ providerId }) => providerId === record.providerId))
      broken.push(`${record.name} is ${record.state}, and its machine ${record.providerId} is not there`);
  const known = await state.volumes();
  for (const { providerId, name } of cloud.volumes())
    if (strangers?.has(providerId) !== true && !known.some((volume) => volume.providerId === providerId))
      broken.push(`the volume ${name} has no record`);
  // The root disk that a living machine boots from is its own; no list shows it.
  const isInUse = (name: string) => name.startsWith("train-root") && machines.length > 0;
  for (const volume of known)
    if (!isInUse(volume.name) && !cloud.volumes().some(({ providerId }) => providerId === volume.providerId))
      broken.push(`the volume ${volume.name} is lost`);
  const withVolume = records.filter(({ spec }) => spec.volume?.name === "work");
  if (volumeEnds !== true && withVolume.some(({ readyAt }) => readyAt !== null) && !known.some(({ name }) => name === "work"))
    broken.push("the work's volume is gone");
  for (const intent of await state.pendingIntents()) broken.push(`the ${intent.kind} intent is still open`);
  for (const { successor } of living.map(({ outlook }) => outlook))
    if (successor !== null) broken.push("a machine rented ahead is left over");
  const open = (await state.ledger({ openOnly: true })).filter(({ kind }) => kind === "gpu");
  for (const { providerId } of open)
    if (!machines.some((machine) => machine.providerId === providerId)) broken.push(`the ledger runs for ${providerId}, which is gone`);
  return broken;
}

/** Plays the whole life with its n-th request disturbed (0: none), reconciles until all is quiet, and looks for damage. */
export async function play(
  make: (clock: VirtualClock) => Promise<CloudOnTheWire>,
  n: number,
  fault: WireFault,
  real?: Tempo,
): Promise<Played> {
  const world = await wireWorld(make, real);
  const { clock, cloud } = world;
  try {
    const first = cloud.server.requests.length;
    let most = 0;
    // Strikes nothing; it looks on, at every request, at what is being paid for.
    const lookOn = () => {
      most = Math.max(most, cloud.living().length);
      return false;
    };
    cloud.server.disturb({ what: { do: "reset-before" }, match: lookOn });
    if (n > 0) cloud.server.disturb({ what: { do: fault }, match: () => cloud.server.requests.length - first === n });
    const failures: string[] = [];
    for (const step of LIFE) {
      const fleet = world.start();
      await clock.run(step(world, fleet).catch((error: unknown) => void failures.push(String(error))));
      world.bury(fleet);
    }
    const made = cloud.server.requests.slice(first);
    const isChange = cloud.isChange ?? (({ method }) => method !== "GET");
    const changes = new Set(made.flatMap((request, index) => (isChange(request) ? [index + 1] : [])));
    const broken = [...(await untilQuiet(world)), ...(await brokenNow(world))];
    if (most > 1) broken.push(`${most} machines at the same time`);
    const [record] = await world.state.instances({ includeGone: true });
    if (n === 0 && failures.length > 0) broken.push(...failures);
    if (n === 0 && record?.state !== "gone") broken.push(`an undisturbed life ended ${record?.state}`);
    return { requests: made.length, changes, broken, sealed: world.guests.sealed.length, told: world.guests.told() };
  } finally {
    await world.close();
  }
}

export interface Swept {
  readonly requests: number;
  readonly points: number;
  readonly damage: readonly string[];
  /** Of the undisturbed life. */
  readonly sealed: number;
  readonly told: number;
}

export interface SweepOptions {
  readonly faults?: readonly WireFault[];
  readonly tempo?: Tempo;
}

/** Every change and every `stride`-th request of the life, each with every fault in turn: all of them, unless told. */
export async function sweepLife(
  make: (clock: VirtualClock) => Promise<CloudOnTheWire>,
  stride: number,
  { faults = FAULTS, tempo }: SweepOptions = {},
): Promise<Swept> {
  const calm = await play(make, 0, "reset-before", tempo);
  const damage = calm.broken.map((what) => `undisturbed: ${what}`);
  let points = 0;
  for (let n = 1; n <= calm.requests; n++)
    for (const fault of calm.changes.has(n) || (n - 1) % stride === 0 ? faults : []) {
      points += 1;
      const { broken } = await play(make, n, fault, tempo);
      damage.push(...broken.map((what) => `request ${n}, ${fault}: ${what}`));
    }
  return { requests: calm.requests, points, damage, sealed: calm.sealed, told: calm.told };
}
