import type { InstanceState } from "./instance.ts";

/** Who ends a machine whose time is over. `controller`: `watch --act` or `reconcile`, wherever one runs. */
export type Guardian = "agent" | "cloud" | "controller";

/** What was last learnt of a machine's agent. Times are epoch milliseconds by our clock. */
export interface GuardSeen {
  /** When its supervisor last looked around, as far as anybody heard; null for never. */
  readonly heartbeatAt: number | null;
  /** When it was last asked. */
  readonly askedAt: number;
  /** Since when it has been asked in vain; null when it answered. */
  readonly silentAt: number | null;
}

export interface Guard {
  /** Who ends it at its TTL, in the order in which they act; empty without one. */
  readonly ttlBy: readonly Guardian[];
  /** Who ends it when it has been idle; empty where nobody would. */
  readonly idleBy: readonly Guardian[];
  readonly heartbeatAt: number | null;
  /** Heard within the last ten minutes, and not asked in vain since. */
  readonly fresh: boolean;
  readonly silentSince: number | null;
}

/** How much later than its TTL a cloud ends a machine: its agent shall seal and end it first. */
export const CLOUD_SLACK_MS = 180_000;

/** Agents are asked every five minutes: one that was heard at either of the last two times is fresh. */
const FRESH_MS = 600_000;

/**
 * What clouds and their machines do by themselves, for whoever only lists: the adapters say the same (`endsAtTtl`,
 * `machine.endsItself`), and to load them takes longer than a list may.
 */
export const CLOUD_GUARDS: Readonly<Record<string, { readonly name: string; readonly endsAtTtl: boolean; readonly endsItself: boolean }>> =
  {
    local: { name: "the embedded cloud", endsAtTtl: true, endsItself: true },
    aws: { name: "AWS", endsAtTtl: false, endsItself: true },
    gcp: { name: "Google", endsAtTtl: true, endsItself: true },
    alibaba: { name: "Alibaba", endsAtTtl: true, endsItself: false },
    ppio: { name: "PPIO", endsAtTtl: false, endsItself: false },
    novita: { name: "Novita", endsAtTtl: false, endsItself: false },
    hyperstack: { name: "Hyperstack", endsAtTtl: false, endsItself: false },
    verda: { name: "Verda", endsAtTtl: false, endsItself: false },
  };

interface Guarded {
  readonly provider: string;
  readonly state: InstanceState;
  readonly ttlEndsAt: number | null;
  readonly idleMs: number | null;
}

/** Who guards it, as far as is known; null when it has neither TTL nor idle time, or no machine that could be ended. Pure. */
export function guardOf({ provider, state, ttlEndsAt, idleMs }: Guarded, seen: GuardSeen | undefined, now: number): Guard | null {
  if ((ttlEndsAt === null && idleMs === null) || state === "gone" || state === "failed") return null;
  const { endsAtTtl, endsItself } = CLOUD_GUARDS[provider] ?? { endsAtTtl: false, endsItself: false };
  const silentSince = seen?.silentAt ?? null;
  const isUp = state === "running" || state === "reclaiming";
  const agent = endsItself && isUp && silentSince === null ? (["agent"] as const) : [];
  const cloud = endsAtTtl && isUp ? (["cloud"] as const) : [];
  // Where the machine ends itself the controller is the last; elsewhere it comes as soon as the time is up.
  const ttlBy: readonly Guardian[] = endsItself ? [...agent, ...cloud, "controller"] : ["controller", ...cloud];
  // Only the agent knows that it is idle; where it cannot end the machine it says so, and the controller does.
  const idleBy: readonly Guardian[] = endsItself ? agent : isUp && silentSince === null ? ["controller"] : [];
  const heartbeatAt = seen?.heartbeatAt ?? null;
  return {
    ttlBy: ttlEndsAt === null ? [] : ttlBy,
    idleBy: idleMs === null ? [] : idleBy,
    heartbeatAt,
    fresh: heartbeatAt !== null && silentSince === null && now - heartbeatAt <= FRESH_MS,
    silentSince,
  };
}
