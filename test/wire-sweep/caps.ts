import type { Fleet, GuestDoor } from "../../src/fleet/fleet.ts";
import { putToSleep } from "../../src/fleet/park.ts";
import { wakeUp } from "../../src/fleet/waking.ts";
import { Problem } from "../../src/model/problem.ts";
import type { Provider } from "../../src/providers/provider.ts";
import { hanging, silence } from "../fleet/hanging.ts";
import { up } from "../simulation/scenarios.ts";
import type { VirtualClock } from "../simulation/virtual-clock.ts";
import { type CloudOnTheWire, type Tempo, untilQuiet, type WireWorld, wireWorld } from "./wire-world.ts";

const LIMIT_MS = 3_600_000;
const HOUR_MS = 3_600_000;
const signal = new AbortController().signal;

/** Where a cloud, or the machine in it, hangs while something comes back. */
export interface Stage {
  readonly name: string;
  /** A call of the port that is never answered; `isDone`: what it asked for happens all the same. */
  readonly call?: string;
  readonly isDone?: true;
  readonly guest?: (door: GuestDoor) => GuestDoor;
  /** Only where the cloud has it. */
  readonly needs?: (provider: Provider) => boolean;
  /** It cannot be told to sleep again either: exit 6, and the next reconcile finishes. */
  readonly isUnconfirmed?: true;
}

const never = (_reach: unknown, asked: AbortSignal) => silence(asked);
const parks = ({ capabilities }: Provider) => capabilities.hibernate === "park";

export const STAGES: readonly Stage[] = [
  { name: "the market is asked", call: "offers", needs: parks },
  { name: "a machine is asked for", call: "launch", needs: parks },
  { name: "a machine is rented, and nobody says so", call: "launch", isDone: true, needs: parks },
  { name: "its machine is woken", call: "restore", needs: (provider) => !parks(provider) },
  { name: "its machine is woken, and nobody says so", call: "restore", isDone: true, needs: (provider) => !parks(provider) },
  { name: "its volume is attached", call: "attach", needs: ({ volumes }) => volumes?.attach !== undefined },
  { name: "its agent does not answer", guest: (door) => ({ ...door, report: async () => undefined }) },
  { name: "its agent hangs", guest: (door) => ({ ...door, report: never }) },
  {
    name: "its checkpoint is put back for ever",
    guest: (door) => ({
      ...door,
      report: async (reach, asked) => {
        const report = await door.report(reach, asked);
        return report && { ...report, phase: "restoring" };
      },
    }),
  },
  { name: "its workload is never ready", guest: (door) => ({ ...door, isReady: async () => false }) },
  {
    name: "it is told to end",
    call: "destroy",
    guest: (door) => ({ ...door, isReady: async () => false }),
    needs: parks,
    isUnconfirmed: true,
  },
];

/** Of what a cloud has, what it charges a machine for, or may: everything but what sleeps or is over. */
async function billing({ cloud, clock }: WireWorld): Promise<readonly string[]> {
  await cloud.refresh?.();
  const listed = await clock.run(cloud.provider.list({ signal }));
  const charged = listed.filter(({ state }) => !["hibernated", "gone", "failed"].includes(state));
  return charged.map(({ providerId, state }) => `${providerId} ${state}`);
}

/** How long it may take, and on which clock: ten minutes by a virtual one unless told. */
interface CapTempo {
  readonly capMs: number;
  readonly tempo?: Tempo;
}

/** @returns what is wrong; undefined where the cloud has no such stage. */
export async function hangAt(
  make: (clock: VirtualClock) => Promise<CloudOnTheWire>,
  stage: Stage,
  { capMs, tempo }: CapTempo = { capMs: 600_000 },
): Promise<readonly string[] | undefined> {
  const world = await wireWorld(make, tempo);
  const { clock, cloud } = world;
  try {
    if (stage.needs?.(cloud.provider) === false) return undefined;
    const first = world.start();
    const record = await clock.run(up(first, world.spec));
    const asleep = await clock.run(putToSleep(first, record, { signal, limitMs: LIMIT_MS, snapshot: true }));
    const provider = stage.call === undefined ? cloud.provider : hanging(cloud.provider, stage.call, stage.isDone === true);
    const fleet: Fleet = { ...world.start(), provider: async () => provider, guest: stage.guest?.(first.guest) ?? first.guest };
    const since = clock.now();
    const failure = await clock.run(wakeUp(fleet, asleep, { signal, capMs, sleepLimitMs: LIMIT_MS }).catch((error: unknown) => error));
    const broken: string[] = [];
    const wanted = stage.isUnconfirmed === true ? "SPOT_E_UNCONFIRMED" : "SPOT_E_WAKE_TIMEOUT";
    const code = failure instanceof Problem ? failure.code : String(failure);
    if (code !== wanted) broken.push(`it ended with ${code}`);
    const tookMs = clock.now() - since;
    if (tookMs < capMs) broken.push(`it was given up after ${tookMs} ms`);
    if (stage.isUnconfirmed === true) broken.push(...(await untilQuiet(world)));
    broken.push(...(await billing(world)).map((what) => `charged after the cap: ${what}`));
    broken.push(...(await untilQuiet(world)));
    await clock.run(world.leap(HOUR_MS));
    broken.push(...(await billing(world)).map((what) => `charged an hour later: ${what}`));
    const last = await world.state.instanceByName("train");
    if (last?.state !== "hibernated" || last.desired !== "hibernated") broken.push(`it is ${last?.state} (${last?.reason})`);
    const open = (await world.state.ledger({ openOnly: true })).filter(({ kind }) => kind === "gpu");
    if (open.length > 0) broken.push("its books go on");
    if ((await world.state.pendingIntents()).length > 0) broken.push("a promise is open");
    return broken;
  } finally {
    await world.close();
  }
}
