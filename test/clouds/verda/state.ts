import type { Clock } from "../../../src/platform/clock.ts";
import type { FakeRequest } from "../fake-server.ts";
import { CATALOGUE, LOCATIONS } from "./catalogue.ts";
import type { VerdaDelays, VerdaSwitches } from "./switches.ts";

export const POLICIES = ["keep_detached", "move_to_trash", "delete_permanently"] as const;
export type Policy = (typeof POLICIES)[number];

export interface Tag {
  readonly id: string;
  readonly key: string;
  readonly value: string;
}

/** What is to happen to the volumes of an instance that is being deleted. */
export interface Fate {
  /** Null: the OS volume is deleted, the others are detached. */
  readonly doomed: readonly string[] | null;
  readonly permanently: boolean;
}

export interface FakeInstance {
  readonly id: string;
  readonly type: string;
  readonly location: string;
  readonly hostname: string;
  readonly description: string;
  readonly image: string;
  readonly isSpot: boolean;
  readonly contract: string;
  readonly sshKeyIds: readonly string[];
  readonly startupScriptId: string | null;
  readonly createdAt: number;
  readonly osVolumeId: string;
  tags: Tag[];
  status: string;
  /** When this status began. */
  since: number;
  held: string | null;
  comesToNothing: boolean;
  fate: Fate;
  /** Set once it has come up for the first time. */
  ip: string | null;
}

export interface FakeVolume {
  readonly id: string;
  name: string;
  size: number;
  readonly type: string;
  readonly location: string;
  readonly isOs: boolean;
  readonly createdAt: number;
  readonly policy: Policy;
  tags: Tag[];
  status: string;
  instanceId: string | null;
  target: string | null;
  deletedAt: number | null;
  permanentlyDeleted: boolean;
}

/** One line of the bill: a resource that costs money from here to there. Money is a decimal string per hour. */
export interface BillLine {
  readonly resourceId: string;
  readonly kind: "instance" | "volume";
  readonly pricePerHour: string;
  readonly from: number;
  to: number | null;
}

export interface NamedText {
  readonly id: string;
  readonly name: string;
  readonly text: string;
  readonly createdAt: number;
}

export interface AccessToken {
  readonly access: string;
  readonly refresh: string;
  readonly until: number;
}

export interface VerdaState {
  readonly clock: Clock;
  readonly switches: VerdaSwitches;
  readonly delays: VerdaDelays;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly instances: Map<string, FakeInstance>;
  readonly volumes: Map<string, FakeVolume>;
  readonly sshKeys: Map<string, NamedText>;
  readonly scripts: Map<string, NamedText>;
  readonly tokens: Map<string, AccessToken>;
  /** Machines to be had, by `spot:TYPE:LOCATION` or `fixed:TYPE:LOCATION`. */
  readonly stock: Map<string, number>;
  readonly bill: BillLine[];
  /** Times of the requests of the last minute, by what is limited. */
  readonly recent: Map<string, number[]>;
  nextId(): string;
}

export interface Call {
  readonly state: VerdaState;
  readonly request: FakeRequest;
  /** What the path's pattern left open. */
  readonly rest: readonly string[];
}

export function stockKey(type: string, location: string, isSpot: boolean): string {
  return `${isSpot ? "spot" : "fixed"}:${type}:${location}`;
}

export function setAllStock(state: VerdaState, type: string, count: number): void {
  for (const { code } of LOCATIONS) for (const isSpot of [true, false]) state.stock.set(stockKey(type, code, isSpot), count);
}

/** Everything is there but for what makes spot and on-demand differ: no H200 as spot, none at all in Iceland. */
export function seedStock(state: VerdaState): void {
  for (const { type } of CATALOGUE) setAllStock(state, type, 8);
  for (const { code } of LOCATIONS) state.stock.set(stockKey("1H200.141S.44V", code, true), 0);
  state.stock.set(stockKey("1H200.141S.44V", "ICE-01", false), 0);
}

/** RFC 3339, by the cloud's own clock. */
export function timeText(state: VerdaState, at: number): string {
  return new Date(at + state.switches.skewMs).toISOString();
}
