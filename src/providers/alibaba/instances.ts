import { gpuFromName } from "../../model/gpu-names.ts";
import type { Billing } from "../../model/instance.ts";
import type { Money } from "../../model/money.ts";
import type { Notice } from "../../model/notice.ts";
import type { ProviderInstance, Reach } from "../provider.ts";
import { PROVIDER, stateOf } from "./codes.ts";
import { placedId } from "./place.ts";
import { NAME_TAG, portsIn, TOKEN_TAG, tagIn } from "./tags.ts";
import type { WireInstance } from "./wire.ts";

/** Documented as about five minutes; the lock itself has no time in it. */
export const NOTICE_SECONDS = 300;
const SSH_PORT = 22;
const AN_HOUR_MS = 3_600_000;

/** What a machine's own record does not say. */
export interface Surroundings {
  /** The region that was asked. */
  readonly region: string;
  readonly clockOffsetMs: number;
  readonly user: string;
  readonly price: Money | null;
  readonly pricedAt?: number | undefined;
  readonly volumeIds: readonly string[];
  /** When its lock for a reclaim was first seen, by our clock; null while there is none. */
  readonly lockedSince: number | null;
  /** It had such a lock, now or before. */
  readonly wasLocked: boolean;
  /** Its release was accepted from us. */
  readonly isEnding: boolean;
}

const locksOf = ({ OperationLocks }: WireInstance) => OperationLocks.LockReason.map(({ LockReason }) => LockReason.toLowerCase());

/** Answers say `Recycling`, questions `recycling`. */
export function isBeingReclaimed(wire: WireInstance): boolean {
  return locksOf(wire).includes("recycling");
}

/** Why it is locked otherwise: money is owed, or the cloud's security forbids. Then most requests are refused. */
function lockedFor(wire: WireInstance): string | null {
  const other = locksOf(wire).filter((reason) => reason !== "recycling" && reason !== "");
  if (other.length === 0) return null;
  const owed = other.includes("financial") ? ": the account owes money, and what is locked is released in the end; top it up" : "";
  return `locked by the cloud (${other.join(", ")})${owed}`;
}

function addressOf({ PublicIpAddress, EipAddress, Status }: WireInstance): { readonly host: string; readonly port: number } | null {
  const address = PublicIpAddress.IpAddress[0] ?? EipAddress.IpAddress ?? "";
  if (address === "" || Status !== "Running") return null;
  // An address that comes with a port is taken at its word. What is no address goes to no program.
  const [, host, port = String(SSH_PORT)] = /^([A-Za-z0-9][A-Za-z0-9.-]*)(?::([1-9]\d{0,4}))?$/.exec(address) ?? [];
  return host === undefined || Number(port) > 65_535 ? null : { host, port: Number(port) };
}

function billingOf({ InstanceChargeType, SpotStrategy }: WireInstance): Billing {
  if (InstanceChargeType === "PrePaid") return "monthly";
  return SpotStrategy === null || SpotStrategy === "" || SpotStrategy === "NoSpot" ? "on-demand" : "spot";
}

function noticeOf(lockedSince: number | null): Notice | null {
  if (lockedSince === null) return null;
  return { kind: "reclaim", source: "api", seenAt: lockedSince, deadline: lockedSince + NOTICE_SECONDS * 1000, assumed: true };
}

/** `KeepCharging` is billed in full, `StopCharging` only for its disks: whoever looks must be able to tell. */
function wordsOf({ Status, StoppedMode }: WireInstance): string {
  const says = Status === "Stopped" && StoppedMode !== null && StoppedMode !== "" && StoppedMode !== "Not-applicable";
  return says ? `${Status} (${StoppedMode})` : Status;
}

export function toInstance(wire: WireInstance, around: Surroundings): ProviderInstance {
  const { region, clockOffsetMs, wasLocked } = around;
  const providerId = placedId(region, wire.InstanceId);
  const tags = wire.Tags.Tag;
  const billing = billingOf(wire);
  const createdAt = wire.CreationTime === null ? null : wire.CreationTime - clockOffsetMs;
  const state = around.isEnding ? "terminating" : stateOf(wire.Status);
  const address = addressOf(wire);
  const reach: Reach | null =
    address === null ? null : { kind: "ssh", ...address, user: around.user, password: null, alias: `${PROVIDER}-${wire.InstanceId}` };
  const { vramGb, ...named } = gpuFromName(wire.GPUSpec);
  const isTaken = wasLocked && (state === "stopping" || state === "stopped");
  return {
    providerId,
    name: tagIn(tags, NAME_TAG) ?? wire.InstanceName,
    token: tagIn(tags, TOKEN_TAG),
    state,
    rawState: wordsOf(wire),
    region,
    zone: wire.ZoneId,
    type: wire.InstanceType,
    gpu: { ...named, count: wire.GPUAmount, vramGb: vramGb ?? 0 },
    billing,
    price: around.price,
    pricedAt: around.pricedAt,
    createdAt,
    protectedUntil: billing === "spot" && wire.SpotDuration === 1 && createdAt !== null ? createdAt + AN_HOUR_MS : null,
    notice: noticeOf(around.lockedSince),
    reach: around.isEnding ? null : reach,
    volumeIds: around.volumeIds,
    reason: isTaken ? "reclaimed" : lockedFor(wire),
    // A guest that shuts down and a person who stops it look the same.
    endedBy: isTaken ? "provider" : null,
    canHibernate: false,
    dataKeptUntil: null,
    endpoints: address === null ? [] : portsIn(tags).map((port) => ({ port, address: `${address.host}:${port}` })),
    rootVolumeId: null,
  };
}
