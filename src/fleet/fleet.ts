import type { GuestPeers } from "../guest/peers-at-boot.ts";
import type { GuestSettings } from "../guest/settings.ts";
import type { Checkpoint, CheckpointReason } from "../model/checkpoint.ts";
import type { CheckpointFit } from "../model/checkpoint-fit.ts";
import type { Rng } from "../model/ids.ts";
import { type Clock, deadline } from "../platform/clock.ts";
import type { ExchangeRate } from "../pricing/currency.ts";
import type { CallContext, Capabilities, Provider, Reach } from "../providers/provider.ts";
import type { InstanceRecord, InstanceSpec, State } from "../state/records.ts";
import type { CheckpointTravel } from "./climbing/travel.ts";
import type { Neighbourhood } from "./deciding/history.ts";
import type { HeldLeases } from "./leases/held-leases.ts";
import type { Looks } from "./looks.ts";
import type { Told } from "./steps/told.ts";

/** What the workload and the agent say of themselves. Times are epoch seconds, as the machine's clock has them. */
export interface GuestReport {
  /** `expired`: its TTL or its idle time is over, its last checkpoint is sealed, and it cannot end the machine by itself. */
  readonly phase: "preparing" | "restoring" | "running" | "exited" | "stopping" | "expired";
  /** It waits to be told which device its volume is. */
  readonly awaitsVolume: boolean;
  /** The checkpoint without which it does not start its workload: it is to be copied to the volume. */
  readonly awaitsCheckpoint?: string | null;
  readonly exitCode: number | null;
  /** When its workload ended; null while it has not, absent from an older agent. */
  readonly endedAt?: number | null;
  readonly step: string | null;
  readonly restoredFrom: string | null;
  /** Newer checkpoints than that one, which could not be put back when its machine came up: most likely they are damaged. */
  readonly passedOver?: readonly string[];
  readonly lastSealSeconds: number | null;
  /** What its last checkpoint took, its hook included, and how often one is made by the clock; absent from an older agent. */
  readonly checkpointSeconds?: number | null;
  readonly everySeconds?: number | null;
  readonly noticeDeadline: number | null;
  /** When its supervisor last looked around, and what the machine's clock said when it told us. */
  readonly heartbeatAt?: number | null;
  readonly saidAt?: number | null;
  /** Whether a checkpoint fitted the notice, when that was last asked. */
  readonly fit?: CheckpointFit | null;
  /** What was done by when since it began, oldest first: `boot`, `mount` and `restore` are its own, the others the workload's. */
  readonly marks?: readonly { readonly phase: string; readonly at: number }[];
  /** Absent from an agent that does not say which mouth its notice has from whom. */
  readonly word?: GuestWord;
}

/** What the agent says of a notice. `deadline` in epoch milliseconds; `own`: its cloud told it, and not we. */
export interface GuestWord {
  readonly notice: { readonly kind: "reclaim" | "rebalance" | "maintenance"; readonly deadline: number; readonly own: boolean } | null;
}

/** What an agent that is listened to says whenever it changes, and every ten seconds. */
export interface GuestLine extends GuestWord {
  readonly phase: GuestReport["phase"];
  readonly step: string | null;
}

/** What a watch hears of the agents; without one they are asked when there is a reason to. */
export interface Ear {
  /** Undefined while the agent of that machine cannot be heard. */
  word(provider: string, providerId: string): GuestWord | undefined;
  /** What it last said of its work. Undefined as for `word`, or where nobody tells. */
  phase?(provider: string, providerId: string): GuestReport["phase"] | undefined;
}

export type SnapshotOutcome =
  | { readonly kind: "sealed"; readonly id: string; readonly step: string | null; readonly files: number; readonly bytes: number }
  | { readonly kind: "nothing-to-seal" }
  /** It was not begun: it would not have been done by the deadline, and the last sealed one stands. */
  | { readonly kind: "does-not-fit"; readonly fit: CheckpointFit }
  | { readonly kind: "failed"; readonly why: string };

/** The way into a machine. Undefined means: not reachable now. */
export interface GuestDoor {
  report(reach: Reach, signal: AbortSignal): Promise<GuestReport | undefined>;
  /** All that is done by now since it began; undefined where the agent cannot say more than its report. @throws Problem. */
  marks?(reach: Reach, signal: AbortSignal): Promise<GuestReport["marks"]>;
  /** The last lines of its log, oldest first. @throws Problem when it cannot be reached. Absent: nobody can tell. */
  logEnd?(reach: Reach, lines: number, signal: AbortSignal): Promise<readonly string[]>;
  /** Why there was no report, in the words of the agent that has given up, or of the way in. Absent: nobody can tell. */
  silence?(reach: Reach, signal: AbortSignal): Promise<string | undefined>;
  /**
   * Listens to the agent for as long as the signal lets it and the connection lasts. `unable`: this agent cannot be listened to
   * (it is older than that), and is to be asked instead. Absent: nobody can.
   */
  listen?(reach: Reach, signal: AbortSignal, onLine: (line: GuestLine) => void): Promise<"ended" | "unable">;
  snapshot(reach: Reach, reason: CheckpointReason, deadlineSeconds: number | null, signal: AbortSignal): Promise<SnapshotOutcome>;
  /** Tells the agent of a notice that the provider's API told us; deduplicated there. */
  tellNotice(reach: Reach, deadlineSeconds: number, signal: AbortSignal): Promise<void>;
  /** Takes back what `tellNotice` said. */
  tellWithdrawn(reach: Reach, signal: AbortSignal): Promise<void>;
  /**
   * Tells the agent under which device name its volume was attached, and how large it is; it mounts it, formats it only while
   * it is blank, and refuses a disk of another size.
   */
  mountVolume(reach: Reach, device: string, sizeGb: number, signal: AbortSignal): Promise<void>;
  /** Ends the workload and lets go of the volume, before the volume is detached. */
  releaseVolume(reach: Reach, signal: AbortSignal): Promise<void>;
  /**
   * Writes to the machine's volume what is still in its memory, and holds its file system still for so many seconds where that can
   * be done; a seal or a notice lets it go. @throws Problem when the machine cannot be asked. Absent: nobody can.
   */
  freeze?(reach: Reach, seconds: number, signal: AbortSignal): Promise<{ readonly frozen: boolean }>;
  /** Lets go of it. @returns whether it stood still until now. */
  thaw?(reach: Reach, signal: AbortSignal): Promise<boolean>;
  /** The sealed checkpoints on the machine's volume, newest first. */
  sealed(reach: Reach, signal: AbortSignal): Promise<readonly Checkpoint[]>;
  /** What its agent was told at boot, without the values of its environment; undefined when it cannot be reached now. */
  settings?(reach: Reach, signal: AbortSignal): Promise<GuestSettings | undefined>;
  /** Our public key, one line as in `authorized_keys`; made at the first call. */
  publicKey(signal: AbortSignal): Promise<string>;
  /** Whether the workload's own readiness (`--ready-http`, `--ready-cmd`) holds; true when it has none. */
  isReady(reach: Reach, spec: InstanceSpec, signal: AbortSignal): Promise<boolean>;
  /**
   * The script that a machine of this cloud runs at boot. `peers`: who else it lets in; `awaits`: the checkpoint that is copied to
   * its volume before its workload may start.
   */
  bootScript(
    record: InstanceRecord,
    cloud: Pick<Capabilities, "machine" | "noticeSeconds">,
    peers?: GuestPeers,
    awaits?: string | null,
  ): Promise<string>;
}

/** Everything that the fleet's decisions need, as parameters. */
export interface Fleet {
  readonly state: State;
  provider(id: string): Promise<Provider>;
  readonly guest: GuestDoor;
  readonly clock: Clock;
  readonly rng: Rng;
  /** Who we are in leases: unique for this process. */
  readonly owner: string;
  /** What this process holds now; `noLeases()` at its start. */
  readonly leases: HeldLeases;
  /** Whether a lease's owner is certainly dead (a process of this host that no longer runs). */
  ownerIsDead(owner: string): boolean;
  /** In which order offers in different currencies are tried; the bundled rate when left out. */
  readonly exchange?: ExchangeRate;
  /** What the agents say, where somebody listens to them. */
  readonly ear?: Ear;
  /** Why the step under way is done, as it was decided: stamped on every event that it writes. */
  readonly because?: string;
  /** All living records as a pass has read them, for what is decided by looking at the others; read anew where left out. */
  readonly neighbours?: Neighbourhood;
  /** Which agents have heard of their notices, as far as this process knows; they are asked where it is left out. */
  readonly told?: Told;
  /** When this process last looked at machines that did not serve yet; absent: nobody measures how long that takes. */
  readonly looks?: Looks;
  /** Takes checkpoints to other volumes; absent: nobody can. */
  readonly travel?: CheckpointTravel;
  /** A line of progress for people. */
  say(text: string): void;
}

/** No single call to a provider waits longer than this. */
const CALL_DEADLINE_MS = 60_000;

/** Makes one call with its own deadline; the caller's signal reaches the request in flight. */
export async function call<Result>(signal: AbortSignal, send: (context: CallContext) => Promise<Result>): Promise<Result> {
  const limit = deadline(signal, CALL_DEADLINE_MS);
  try {
    return await send({ signal: limit.signal });
  } finally {
    limit.done();
  }
}
