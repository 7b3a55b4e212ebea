import type { Clock } from "./clock.ts";
import type { Programs } from "./service-programs.ts";

/** Who starts spot again and again while nobody is logged in. */
export type ServiceKind = "systemd" | "launchd" | "cron";

/** What is to run unattended. Paths are absolute; nothing in it is secret. */
export interface ServicePlan {
  /** Tells the services of several homes apart: empty for the usual home, else `-` and eight hex digits. */
  readonly tag: string;
  readonly home: string;
  readonly node: string;
  readonly program: string;
  /** Variables by name, in the order in which they are written. */
  readonly environment: Readonly<Record<string, string>>;
  /** A file of the user's with `NAME=value` lines that may be secret; null for none. */
  readonly envFile: string | null;
  /** What is said goes here where there is no journal. */
  readonly logFile: string;
  /** Cron only: milliseconds between two passes. */
  readonly everyMs: number;
}

export interface ServiceState {
  /** Null where the keeper does not say (cron starts each pass anew). */
  readonly running: boolean | null;
  readonly pid: number | null;
  /** Epoch milliseconds. */
  readonly since: number | null;
  readonly restarts: number | null;
  /** What the keeper says of its end, when it has ended badly. */
  readonly trouble: string | null;
}

/** One way to run unattended on this machine, for one home. Every program that it runs is kept in `Programs.ran`. */
export interface Keeper {
  readonly kind: ServiceKind;
  /** How the keeper calls it. */
  readonly name: string;
  /** Where it is written: a file, or `crontab`. */
  readonly path: string;
  /** What a person types to read what it said. */
  readonly log: string;
  /** Whether this machine can keep a service this way; why not, or null. */
  unfit(): Promise<string | null>;
  /** What is written now; undefined when nothing is. */
  installed(): Promise<string | undefined>;
  /** What the plan would have written. */
  text(plan: ServicePlan): Promise<string>;
  /** Writes and starts it, or starts it anew. @throws Problem with what the keeper said. */
  put(text: string): Promise<void>;
  /** Stops and removes it. @throws Problem. */
  remove(): Promise<void>;
  state(): Promise<ServiceState>;
}

/** What a keeper needs of the world. */
export interface KeeperWorld {
  /** The user's own folder. */
  readonly userHome: string;
  readonly configHome: string;
  readonly uid: number;
  readonly userName: string;
  readonly tag: string;
  readonly logFile: string;
  readonly run: Programs;
  readonly clock: Clock;
}

export const STILL: ServiceState = { running: false, pid: null, since: null, restarts: null, trouble: null };
