import type { State } from "../../state/records.ts";
import type { Fleet } from "../fleet.ts";
import { type Held, hold } from "./lease.ts";
import { ownerOf } from "./owner.ts";

/** The lease of the one process that acts on whatever happens to the fleet. */
const CONTROLLER = "controller";

/** Who controls the fleet, or did last. */
export interface Controller {
  readonly owner: string;
  readonly host: string;
  readonly pid: number;
  /** Epoch ms; 0 when it is not known. */
  readonly since: number;
  /** How long its lease holds without another renewal; 0 or less when it has run out and nobody took it. */
  readonly leftMs: number;
}

/** Who holds the lease, alive or not; undefined when nobody does. */
export async function controllerOf(state: State, now: number): Promise<Controller | undefined> {
  const lease = await state.lease(CONTROLLER, now);
  if (lease === undefined) return undefined;
  const { host, pid } = ownerOf(lease.owner) ?? { host: lease.owner, pid: 0 };
  return { ...lease, host, pid };
}

/** As `controllerOf`, but only one that lives as far as anybody can tell. */
export async function livingController(fleet: Fleet): Promise<Controller | undefined> {
  const found = await controllerOf(fleet.state, fleet.clock.now());
  return found === undefined || found.leftMs <= 0 || fleet.ownerIsDead(found.owner) ? undefined : found;
}

/** What one turn of a watch is: to act under the lease, or to leave it to who has it. */
export type Turn =
  | { readonly kind: "acts"; readonly held: Held }
  | { readonly kind: "stands-by"; readonly controller: Controller | undefined };

/** One process's claim to control, from turn to turn. */
export interface Seat {
  /**
   * Acts: the lease is ours, now or still. A change of hands is written as an event of type `action`. Whoever stands by asks
   * again at each of its turns, and only reads: a killed process of the same computer is followed at the next turn, any other
   * one when its lease has run out, 20 s after its last renewal.
   */
  take(signal: AbortSignal): Promise<Turn>;
  /** Gives control back at once: whoever stands by need not wait. */
  leave(): Promise<void>;
}

export function controllerSeat(fleet: Fleet): Seat {
  let ours: Held | null = null;
  let before: Controller | undefined;

  const keeps = async (): Promise<Held | null> => {
    try {
      ours?.requireHeld();
    } catch {
      await leave();
    }
    return ours;
  };
  const leave = async () => {
    const held = ours;
    ours = null;
    await held?.release();
  };

  return {
    async take(signal) {
      const still = await keeps();
      if (still !== null) return { kind: "acts", held: still };
      const living = await livingController(fleet);
      // One who has let go leaves no lease behind: it was who was seen last.
      before = (await controllerOf(fleet.state, fleet.clock.now())) ?? before;
      const held = living === undefined ? await hold(fleet, CONTROLLER, signal) : undefined;
      if (held === undefined) return { kind: "stands-by", controller: await controllerOf(fleet.state, fleet.clock.now()) };
      ours = held;
      try {
        await noteChange(held, before);
      } catch (error) {
        // Nobody would know who acts.
        await leave();
        throw error;
      }
      return { kind: "acts", held };
    },
    leave,
  };
}

async function noteChange({ fleet }: Held, before: Controller | undefined): Promise<void> {
  const { host, pid } = ownerOf(fleet.owner) ?? { host: fleet.owner, pid: 0 };
  const was = before === undefined || before.owner === fleet.owner ? null : { host: before.host, pid: before.pid };
  await fleet.state.commit({
    events: [{ at: fleet.clock.now(), type: "action", instance: null, provider: null, data: { action: "controller", host, pid, was } }],
  });
}

/** Who it is, in one line for people. */
export function controllerText({ host, pid, since }: Controller): string {
  return `process ${pid} on ${host}${since === 0 ? "" : `, since ${new Date(since).toISOString().slice(0, 19)}Z`}`;
}
