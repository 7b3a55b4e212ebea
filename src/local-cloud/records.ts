import type { ProcessIdentity } from "../platform/process-identity.ts";

export const CLOUD_STATES = [
  "pending",
  "running",
  "reclaiming",
  "hibernating",
  "hibernated",
  "restoring",
  "terminating",
  "terminated",
  "failed",
] as const;
export type CloudState = (typeof CLOUD_STATES)[number];

/** Why an instance ended. */
export type EndReason = "user" | "reclaimed" | "guest-shutdown" | "ttl" | "operator" | "lost";

export interface CloudNotice {
  /** `rebalance` only warns: nothing happens at its deadline. */
  readonly kind: "reclaim" | "rebalance";
  readonly at: number;
  readonly deadline: number;
}

export interface AttachedVolume {
  readonly id: string;
  readonly mount: string;
}

/** One rented machine as the cloud keeps it. Times are epoch milliseconds, money is a decimal string in USD. */
export interface CloudInstance {
  readonly id: string;
  readonly name: string;
  readonly clientToken: string | null;
  readonly state: CloudState;
  readonly reason: string | null;
  readonly region: string;
  readonly zone: string;
  readonly type: string;
  readonly billing: "spot" | "on-demand";
  /** Per hour, fixed when it was launched. */
  readonly price: string;
  readonly createdAt: number;
  /** When it last began to run. */
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly protectedUntil: number | null;
  readonly notice: CloudNotice | null;
  readonly address: string | null;
  readonly volumes: readonly AttachedVolume[];
  readonly tags: Readonly<Record<string, string>>;
  readonly launchEnv: Readonly<Record<string, string>>;
  readonly bootScript: string;
  readonly metadataToken: string;
  readonly ttlSeconds: number | null;
  readonly ttlEndsAt: number | null;
  /** When the change under way (provisioning, hibernating, restoring) is through. */
  readonly dueAt: number | null;
  /** Somebody asked for this start to fail. */
  readonly startFails: boolean;
  readonly process: ProcessIdentity | null;
  readonly exitCode: number | null;
  /** When the market's hazard strikes it; null without one. */
  readonly hazardAt: number | null;
  /** When billing ends, if not at the moment that it is found to have ended. */
  readonly billUntil: number | null;
  /** How often it was started; 1 for the first time. */
  readonly runs: number;
}

export interface CloudVolume {
  readonly id: string;
  readonly name: string;
  readonly clientToken: string | null;
  readonly sizeGb: number;
  readonly region: string;
  readonly zone: string;
  readonly attachedTo: string | null;
  readonly createdAt: number;
}

/** One stretch of time at one rate; `to` is null while it runs. */
export interface Charge {
  readonly id: string;
  readonly resourceId: string;
  readonly name: string;
  readonly kind: "gpu" | "disk";
  readonly billing: "spot" | "on-demand";
  readonly from: number;
  readonly to: number | null;
  /** Decimal, per hour. */
  readonly rate: string;
}

export interface ScheduledReclaim {
  /** After the instance began to run. */
  readonly afterSeconds: number;
  readonly noticeSeconds: number;
  /** How many instances it still hits. */
  readonly times: number;
}

export const PROFILES = ["aws", "gcp", "alibaba", "ppio"] as const;
export type ProfileName = (typeof PROFILES)[number];

/** How the cloud behaves; what `GET /v1/control/market` shows. */
export interface MarketSettings {
  readonly profile: ProfileName;
  readonly seed: number;
  readonly provisioningMs: number;
  readonly hibernateMs: number;
  readonly restoreMs: number;
  /** Expected reclaims per hour that a spot instance runs; 0 for none. */
  readonly hazardPerHour: number;
  readonly schedule: readonly ScheduledReclaim[];
  /** Machines of a type that each zone can run at once, instead of what the seed says. */
  readonly stock: Readonly<Record<string, number>>;
}

export const DEFAULT_MARKET: MarketSettings = {
  profile: "aws",
  seed: 1,
  provisioningMs: 800,
  hibernateMs: 500,
  restoreMs: 800,
  hazardPerHour: 0,
  schedule: [],
  stock: {},
};

export const CHAOS_EFFECTS = ["delay", "fail", "lose-answer", "start-failure"] as const;
export type ChaosEffect = (typeof CHAOS_EFFECTS)[number];

export interface ChaosRule {
  /** An operation's name, or `*`. */
  readonly on: string;
  readonly effect: ChaosEffect;
  /** For `delay`. */
  readonly ms?: number | undefined;
  /** For `fail`. */
  readonly status?: number | undefined;
  readonly code?: string | undefined;
  /** How often it still strikes. */
  readonly times: number;
}

/** A refusal that the caller of the API is told as it is. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.name = "Refusal";
    this.status = status;
    this.code = code;
  }
}

/** The machine is held for it now, running or not yet. */
export function holdsMachine(state: CloudState): boolean {
  return state === "pending" || state === "running" || state === "reclaiming" || state === "restoring" || state === "terminating";
}

export function isRunning(state: CloudState): boolean {
  return state === "running" || state === "reclaiming";
}
