import { gpuFromName } from "../../model/gpu-names.ts";
import type { Billing } from "../../model/instance.ts";
import type { Money } from "../../model/money.ts";
import type { Notice } from "../../model/notice.ts";
import type { ProviderInstance, Reach } from "../provider.ts";
import { tokenOf, untaggedName } from "../tagged-name.ts";
import { stateOf } from "./codes.ts";
import { sshAddress } from "./ssh-address.ts";
import type { WireInstance } from "./wire.ts";

/** What one process remembers of instances, because the API does not say it, or not in every call. */
export interface Memory {
  /** What it was rented for, per instance-hour. */
  readonly prices: Map<string, Money>;
  /** When it was asked for: not every page of the two tells when one was made. */
  readonly made: Map<string, number>;
  /** When a notice without a deadline was first seen. */
  readonly noticed: Map<string, number>;
  readonly names: Map<string, string>;
}

/** An hour in which a spot instance is not reclaimed (ppio.com/docs/gpu/spot-instance, novita.ai/gpus). */
export const PROTECTION_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** A notice whose moment is not told: the reclaim comes, and nobody knows when. So much is assumed, from when it was first seen. */
const UNTOLD_NOTICE_MS = 300_000;

const BILLING: Readonly<Record<string, Billing>> = { onDemand: "on-demand", monthly: "monthly", spot: "spot" };

interface Seeing {
  readonly vendor: string;
  readonly seenAt: number;
  /** A moment of the server's clock on ours. */
  ours(serverMs: number): number;
  readonly memory: Memory;
}

/**
 * Who ended it. It was reclaimed when it is `exited` and a reclaim had begun, or when the spot status says `terminated`: both
 * are told of by sources, and what is left of it goes on costing storage.
 */
function isReclaimed({ status, spotStatus, spotReclaimTime }: WireInstance): boolean {
  const state = stateOf(status);
  if (state === "terminating") return false;
  return spotStatus === "terminated" || (state === "stopped" && spotReclaimTime !== null);
}

/** `notified` and `reclaiming` are the documented words; a moment other than "0" says by itself that a reclaim has begun. */
function noticeOf(wire: WireInstance, { seenAt, ours, memory }: Seeing): Notice | null {
  const { id, spotStatus, spotReclaimTime } = wire;
  const isTold = ["notified", "reclaiming"].includes(spotStatus) || (spotReclaimTime !== null && spotStatus !== "running");
  if (!isTold || isReclaimed(wire) || !["running", "stopping", "provisioning", "unknown"].includes(stateOf(wire.status))) return null;
  if (spotReclaimTime !== null) return { kind: "reclaim", source: "api", seenAt, deadline: ours(spotReclaimTime) };
  const first = memory.noticed.get(id) ?? seenAt;
  memory.noticed.set(id, first);
  return { kind: "reclaim", source: "api", seenAt, deadline: first + UNTOLD_NOTICE_MS, assumed: true };
}

function failureOf({ statusError }: WireInstance): string | null {
  const said = statusError === null ? "" : statusError.message || statusError.state;
  return said === "" ? null : said;
}

function stateAsSeen(wire: WireInstance, notice: Notice | null): ProviderInstance["state"] {
  const state = stateOf(wire.status);
  // A failed creation shows in `statusError` alone; the status goes on looking as if it were on its way.
  if (state === "provisioning" && failureOf(wire) !== null) return "failed";
  if (isReclaimed(wire) && state !== "gone") return "stopped";
  return state === "running" && notice !== null ? "reclaiming" : state;
}

/**
 * The way in, from the details call: the list has none of it, so an instance of a list has no reach, and whoever needs one
 * asks for that very instance.
 */
function reachOf(wire: WireInstance, vendor: string): Reach | null {
  const component = wire.connectComponentSSH;
  if (stateOf(wire.status) !== "running" || component?.isRunning === false) return null;
  const address = sshAddress(component?.sshCommand || wire.sshCommand);
  if (address === null) return null;
  const password = [component?.password, wire.password, wire.sshPassword].find((word) => word !== undefined && word !== "") ?? null;
  return { kind: "ssh", ...address, password, alias: `${vendor}-${wire.id.replaceAll(/[^A-Za-z0-9._-]/g, "_")}` };
}

/** When the disk of a stopped one is deleted: as told, else so many days after the stop. */
function keptUntil(wire: WireInstance, ours: Seeing["ours"]): number | null {
  if (stateOf(wire.status) !== "stopped") return null;
  if (wire.releaseDataAt !== null) return ours(wire.releaseDataAt);
  if (wire.lastStoppedAt === null || wire.keepDataDay === null) return null;
  return ours(wire.lastStoppedAt) + wire.keepDataDay * DAY_MS;
}

export function instanceOf(wire: WireInstance, seeing: Seeing): ProviderInstance {
  const { vendor, ours, memory } = seeing;
  const notice = noticeOf(wire, seeing);
  const { vramGb, ...named } = gpuFromName(wire.productName);
  const count = wire.gpuNum ?? 1;
  const billing = BILLING[wire.billingMode] ?? "on-demand";
  const createdAt = wire.createdAt === null ? (memory.made.get(wire.id) ?? null) : ours(wire.createdAt);
  const reclaimed = isReclaimed(wire);
  memory.names.set(wire.id, wire.name);
  return {
    providerId: wire.id,
    name: untaggedName(wire.name),
    token: tokenOf(wire.name),
    state: stateAsSeen(wire, notice),
    rawState: wire.status,
    region: wire.clusterId,
    zone: wire.clusterId,
    type: `${wire.productId}:${count}`,
    gpu: { ...named, count, vramGb: vramGb ?? 0 },
    billing,
    price: memory.prices.get(wire.id) ?? null,
    createdAt,
    protectedUntil: createdAt === null || billing !== "spot" ? null : createdAt + PROTECTION_MS,
    notice,
    reach: reachOf(wire, vendor),
    volumeIds: wire.volumeMounts.filter(({ type }) => type !== "local").map(({ id }) => id),
    reason: failureOf(wire) ?? (reclaimed ? "reclaimed" : null),
    endedBy: reclaimed ? "provider" : null,
    canHibernate: false,
    dataKeptUntil: keptUntil(wire, ours),
    endpoints: wire.portMappings.filter(({ endpoint }) => endpoint !== "").map(({ port, endpoint }) => ({ port, address: endpoint })),
    rootVolumeId: null,
  };
}
