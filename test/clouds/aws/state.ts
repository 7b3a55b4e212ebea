import type { Clock } from "../../../src/platform/clock.ts";
import type { FakeRequest } from "../fake-server.ts";
import type { MotoAccount, MotoAnswer, TemporaryKeys } from "./moto.ts";
import type { Parameters, Tag } from "./query.ts";
import type { AwsDelays, AwsSwitches } from "./switches.ts";
import { type Element, itemsAt, textAt } from "./xml.ts";

export type InstanceStateName = "pending" | "running" | "shutting-down" | "terminated" | "stopping" | "stopped";

export interface StateReason {
  readonly code: string;
  readonly message: string;
}

/** What is to happen to an instance at a time. */
export interface Doom {
  readonly at: number;
  readonly action: "stop" | "terminate";
}

/** What moto cannot express of an instance: states that last, reasons, spot, reclaims. The rest is moto's `item`. */
export interface FakeInstance {
  readonly seq: number;
  readonly id: string;
  readonly region: string;
  readonly zone: string;
  readonly type: string;
  readonly isSpot: boolean;
  readonly reservationId: string;
  readonly order: Parameters;
  readonly launchedAt: number;
  readonly item: Element;
  spotRequestId: string | null;
  state: InstanceStateName;
  /** When this state began. */
  since: number;
  held: boolean;
  reason: StateReason | null;
  transition: string;
  /** Where its SSH is reached while it runs. */
  address: string | null;
  doom: Doom | null;
  /** It ends while it is pending. */
  comesToNothing: boolean;
  /** It takes a place of its pool's stock; what is stopped does not. */
  holdsStock: boolean;
  /** EC2 will start it again from then on; only for what EC2 stopped. */
  restartAt: number | null;
  interruptedByEc2: boolean;
  /** When the notice of a reclaim was given. */
  noticeAt: number | null;
  rebalanceAt: number | null;
  unseen: number;
}

export interface Attachment {
  readonly instanceId: string;
  readonly device: string;
  readonly deleteOnTermination: boolean;
  state: "attaching" | "attached" | "detaching";
  since: number;
}

export interface FakeVolume {
  readonly seq: number;
  readonly id: string;
  readonly region: string;
  readonly zone: string;
  readonly sizeGb: number;
  readonly createdAt: number;
  /** Made by the launch that it is the root of. */
  readonly isRoot: boolean;
  /** moto's; a root volume's is asked for when it is looked at. */
  item: Element | null;
  state: "creating" | "available" | "in-use" | "deleted";
  since: number;
  attachment: Attachment | null;
  unseen: number;
}

export interface FakeSnapshot {
  readonly seq: number;
  readonly id: string;
  readonly region: string;
  readonly volumeId: string;
  readonly sizeGb: number;
  readonly createdAt: number;
  readonly item: Element;
  unseen: number;
}

export interface FakeSpotRequest {
  readonly seq: number;
  readonly id: string;
  readonly region: string;
  readonly zone: string;
  readonly type: string;
  readonly kind: "one-time" | "persistent";
  readonly behaviour: "terminate" | "stop" | "hibernate";
  readonly maxPrice: string;
  readonly validUntil: number | null;
  readonly createdAt: number;
  readonly order: Parameters;
  tags: readonly Tag[];
  instanceId: string | null;
  state: "open" | "active" | "closed" | "cancelled" | "failed" | "disabled";
  status: { readonly code: string; readonly message: string; readonly at: number };
  /** When an open one gets a machine. */
  fulfilAt: number | null;
  unseen: number;
}

/** One line of the bill: a resource that costs money from here to there. Money is a decimal string in USD per hour. */
export interface BillLine {
  readonly resourceId: string;
  readonly kind: "compute" | "volume" | "snapshot";
  /** At its beginning. */
  readonly pricePerHour: string;
  /** The pool whose moving price is paid; null for a price that stands. */
  readonly pool: { readonly type: string; readonly zone: string } | null;
  readonly from: number;
  to: number | null;
  /** EC2 interrupted it within its first hour. */
  free: boolean;
}

export interface AwsState {
  readonly clock: Clock;
  /** Temporary credentials that were given out. */
  temporary: TemporaryKeys | null;
  readonly account: MotoAccount;
  readonly switches: AwsSwitches;
  readonly delays: AwsDelays;
  /** `127.0.0.1:PORT` of the proxy. */
  host: string;
  readonly instances: Map<string, FakeInstance>;
  readonly volumes: Map<string, FakeVolume>;
  readonly snapshots: Map<string, FakeSnapshot>;
  readonly spotRequests: Map<string, FakeSpotRequest>;
  readonly bill: BillLine[];
  /** What each `ClientToken` has made, by action, region and token. */
  readonly tokens: Map<string, { readonly asked: string; readonly ids: readonly string[]; readonly at: number }>;
  /** Machines to be had, by type and zone; more than anybody wants where nothing is said. */
  readonly stock: Map<string, number>;
  /** Public keys, by region and name of the pair. */
  readonly keys: Map<string, readonly string[]>;
  /** moto's answers to what it answers alone, by region and question. */
  readonly passed: Map<string, MotoAnswer>;
  /** Groups and keys that were made here, to be cleared away at the end. */
  readonly leftovers: { readonly region: string; readonly action: string; readonly parameter: string; readonly value: string }[];
  /** Times of the requests of the last second, by region and action. */
  readonly recent: Map<string, readonly number[]>;
  queue: { readonly region: string; readonly path: string; readonly motoUrl: string } | null;
  nextSeq(): number;
}

/** One request to EC2, with what its signature says. */
export interface Call {
  readonly state: AwsState;
  readonly request: FakeRequest;
  readonly region: string;
  readonly action: string;
  readonly parameters: Parameters;
}

/** The server's own time, epoch milliseconds. */
export function serverNow(state: AwsState): number {
  return state.clock.now() + state.switches.skewMs;
}

/** A time as EC2 tells it. */
export function timeText(state: AwsState, at: number): string {
  return new Date(at + state.switches.skewMs).toISOString();
}

export function tagsOfItem(item: Element | null): readonly Tag[] {
  if (item === null) return [];
  return itemsAt(item, "tagSet").map((tag) => ({ key: textAt(tag, "key"), value: textAt(tag, "value") }));
}

export const tagOf = (tags: readonly Tag[], key: string) => tags.find((one) => one.key === key)?.value ?? null;

export const stockKey = (type: string, zone: string) => `${type} ${zone}`;

export function stockOf(state: AwsState, type: string, zone: string): number {
  return state.stock.get(stockKey(type, zone)) ?? 1_000_000;
}

/** Takes a place of the stock, or gives it back. */
export function holdStock(state: AwsState, instance: FakeInstance, holds: boolean): void {
  if (instance.holdsStock === holds) return;
  instance.holdsStock = holds;
  const key = stockKey(instance.type, instance.zone);
  if (state.stock.has(key)) state.stock.set(key, stockOf(state, instance.type, instance.zone) + (holds ? -1 : 1));
}
