import type { CheckpointTravel } from "../../src/fleet/climbing/travel.ts";
import type { Fleet, GuestDoor } from "../../src/fleet/fleet.ts";
import { ProviderError } from "../../src/providers/errors.ts";
import type { Provider } from "../../src/providers/provider.ts";
import type { State } from "../../src/state/records.ts";
import type { Witness } from "./trespass.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** `write` changes our database, `read` asks a provider, `call` changes something there, `guest` asks a machine. */
export type EffectKind = "write" | "read" | "call" | "guest";

export type FaultMode =
  /** The process is killed before, or right after, the effect. */
  | "crash-before"
  | "crash-after"
  /** The process is killed while the request is on its way; it arrives all the same, a little later. */
  | "crash-late"
  /** The process lives, and the effect is refused. */
  | "refused"
  /** The process lives, the effect happened at the very end of a long wait, and the answer got lost. */
  | "lost"
  /** The process is stopped (SIGSTOP) after its last look at the clock and before the effect, or before it gets the answer. */
  | "stopped-before"
  | "stopped-after";

/** Of every effect. A stopped process wakes up again, and the others have gone on without it. */
export const STOPS: readonly FaultMode[] = ["stopped-before", "stopped-after"];

export const MODES: Readonly<Record<EffectKind, readonly FaultMode[]>> = {
  write: ["crash-before", "crash-after", "refused"],
  read: ["crash-before", "refused"],
  call: ["crash-before", "crash-after", "crash-late", "refused", "lost"],
  guest: ["crash-before", "crash-after"],
};

/** How long a request without an answer is waited for, and how late one arrives whose sender is dead. */
const LOST_MS = 30_000;
const LATE_MS = 2_000;
/** Three leases long. */
const STOP_MS = 60_000;

export class Killed extends Error {}

/** One process of ours: from its n-th effect on it may be dead, and then nothing of it runs on. */
export interface FaultyProcess {
  readonly fleet: Fleet;
  /** Every effect that was begun, in order. */
  readonly trace: { readonly kind: EffectKind; readonly name: string }[];
  readonly isDead: () => boolean;
  /** How often it was stopped. */
  readonly stops: () => number;
}

export interface FaultPlan {
  /** 1 for the first effect; 0 for none. */
  readonly at: number;
  readonly mode: FaultMode;
  /** It is stopped for so long; three leases unless told. */
  readonly stopMs?: number;
  /** It is stopped again at every so-many-th effect after that. */
  readonly every?: number;
  /** Not at that very effect, but at the first one from it on that changes something: a commit, or a request that does. */
  readonly aimed?: boolean;
}

export const NO_FAULT: FaultPlan = { at: 0, mode: "refused" };

/** `isOut`: a request was handed over already, and nothing takes it back. */
type Effect = <Result>(
  kind: EffectKind,
  name: string,
  run: (isOut?: boolean) => Promise<Result>,
  args?: readonly unknown[],
) => Promise<Result>;

export function faultyProcess(base: Fleet, clock: VirtualClock, plan: FaultPlan, witness?: Witness): FaultyProcess {
  const trace: { readonly kind: EffectKind; readonly name: string }[] = [];
  let dead = false;
  const kill = () => {
    dead = true;
    return new Killed("killed");
  };

  let stoppedUntil = 0;
  let stops = 0;
  const stop = () => {
    stops++;
    stoppedUntil = clock.now() + (plan.stopMs ?? STOP_MS);
  };
  /** Whatever comes to a stopped process waits for it: an answer, the end of a pause. */
  const awake = async (lateMs = 0) => {
    while (clock.now() < stoppedUntil + lateMs) await clock.sleep(stoppedUntil + lateMs - clock.now());
    if (dead) throw new Killed("dead");
  };
  let isDue = false;
  const isHit = (kind: EffectKind, name: string) => {
    const after = trace.length - plan.at;
    isDue ||= after === 0 || (plan.every !== undefined && after > 0 && after % plan.every === 0);
    if (!isDue || (plan.aimed === true && kind !== "call" && !name.startsWith("commit"))) return false;
    isDue = false;
    return true;
  };

  const effect: Effect = async (kind, name, run, args = []) => {
    if (dead) throw new Killed("dead");
    trace.push({ kind, name });
    const hit = isHit(kind, name);
    if (kind === "call") await witness?.sends(base, name, args);
    if (!hit) {
      const result = await run();
      await awake();
      return result;
    }
    // What cannot happen to this kind of effect (a write of ours never arrives after our death) is a kill right after it.
    switch ([...MODES[kind], ...STOPS].includes(plan.mode) ? plan.mode : "crash-after") {
      case "crash-before":
        throw kill();
      case "crash-after":
        await run();
        throw kill();
      case "crash-late":
        void clock
          .sleep(LATE_MS)
          .then(() => run())
          .catch(swallow);
        throw kill();
      case "refused":
        throw kind === "write" ? new Error("the disk is full") : new ProviderError("paper", { kind: "unavailable" }, "refused");
      case "lost":
        await clock.sleep(LOST_MS);
        await run();
        throw new ProviderError("paper", { kind: "ambiguous" }, "no answer");
      case "stopped-before": {
        stop();
        await awake();
        return run(true);
      }
      case "stopped-after": {
        stop();
        const result = await run();
        await awake();
        return result;
      }
    }
  };

  return {
    fleet: {
      ...base,
      state: faultyState(base, effect, witness),
      provider: async (id) => faultyProvider(await base.provider(id), effect),
      guest: faultyGuest(base.guest, effect),
      ...(base.travel === undefined ? {} : { travel: faultyTravel(base.travel, effect) }),
      clock: {
        now: clock.now,
        monotonic: clock.monotonic,
        async sleep(ms, signal) {
          if (dead) throw new Killed("dead");
          await clock.sleep(ms, signal);
          // The worst order: what was waited for comes before the timer that would say that it is too late.
          if (clock.now() < stoppedUntil) await awake(1);
        },
      },
    },
    trace,
    isDead: () => dead,
    stops: () => stops,
  };
}

function swallow(): void {}

/** A call's context with a signal that nobody fires; everything else as it is. */
function beyondRecall(argument: unknown): unknown {
  const isContext = typeof argument === "object" && argument !== null && "signal" in argument;
  return isContext ? { ...argument, signal: new AbortController().signal } : argument;
}

function faultyState(base: Fleet, effect: Effect, witness: Witness | undefined): State {
  const { state } = base;
  const commit: State["commit"] = async (change) => {
    const result = await state.commit(change);
    await witness?.commits(base, change, result);
    return result;
  };
  return {
    ...state,
    commit: (change) => effect("write", `commit ${Object.keys(change).join("+")}`, () => commit(change)),
    acquireLease: (name, owner, now, ttl) => effect("write", "acquire lease", () => state.acquireLease(name, owner, now, ttl)),
    putPeer: (peer, at) => effect("write", "put peer", () => state.putPeer(peer, at)),
    renewLeases: (owner, now, ttl) => effect("write", "renew leases", () => state.renewLeases(owner, now, ttl)),
    releaseLease: (name, owner) => effect("write", "release lease", () => state.releaseLease(name, owner)),
  };
}

function faultyProvider(provider: Provider, effect: Effect): Provider {
  const { volumes, hibernation } = provider;
  const through =
    (kind: EffectKind) =>
    <Args extends readonly unknown[], Result>(name: string, send: (...args: Args) => Promise<Result>) =>
    (...args: Args) =>
      effect(kind, name, (isOut) => send(...(isOut === true ? (args.map(beyondRecall) as unknown as Args) : args)), args);
  const call = through("call");
  const read = through("read");
  return {
    ...provider,
    offers: read("offers", provider.offers),
    launch: call("launch", provider.launch),
    list: read("list", provider.list),
    get: read("get", provider.get),
    destroy: call("destroy", provider.destroy),
    ...(volumes === undefined
      ? {}
      : {
          volumes: {
            create: call("volume create", volumes.create),
            list: read("volume list", volumes.list),
            remove: call("volume remove", volumes.remove),
            ...(volumes.attach === undefined ? {} : { attach: call("volume attach", volumes.attach) }),
            ...(volumes.snapshots === undefined
              ? {}
              : {
                  snapshots: {
                    create: call("snapshot create", volumes.snapshots.create),
                    list: read("snapshot list", volumes.snapshots.list),
                    remove: call("snapshot remove", volumes.snapshots.remove),
                  },
                }),
          },
        }),
    ...(hibernation === undefined
      ? {}
      : { hibernation: { hibernate: call("hibernate", hibernation.hibernate), restore: call("restore", hibernation.restore) } }),
  };
}

function faultyGuest(guest: GuestDoor, effect: Effect): GuestDoor {
  return {
    ...guest,
    snapshot: (...rest) => effect("guest", "snapshot", () => guest.snapshot(...rest)),
    tellNotice: (...rest) => effect("guest", "tell notice", () => guest.tellNotice(...rest)),
    tellWithdrawn: (...rest) => effect("guest", "tell withdrawn", () => guest.tellWithdrawn(...rest)),
  };
}

function faultyTravel(travel: CheckpointTravel, effect: Effect): CheckpointTravel {
  return { ...travel, bring: (...rest) => effect("guest", "bring", () => travel.bring(...rest)) };
}
