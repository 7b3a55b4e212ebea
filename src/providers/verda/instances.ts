import type { Billing } from "../../model/instance.ts";
import { parsed } from "../cloud-http.ts";
import { isFault } from "../errors.ts";
import type { CallContext, ProviderInstance, Reach } from "../provider.ts";
import { tokenOf, untaggedName } from "../tagged-name.ts";
import { isSuccess, type VerdaClient } from "./client.ts";
import { reasonOf, stateOf } from "./codes.ts";
import { gpuOf, priceOf } from "./offers.ts";
import { instanceList, instanceSchema, type WireInstance } from "./wire.ts";

/** Keys are lower case: the server makes them so. */
export const TOKEN_TAG = "spot-token";
export const NAME_TAG = "spot-name";
/** Ports that were asked for: nothing has to be opened here, but somebody has to remember them. */
export const PORTS_TAG = "spot-ports";

type Tags = WireInstance["tags"];

/** Our token, from the tag or from the end of the visible name. */
export function tokenIn(tags: Tags, visibleName: string): string | null {
  return tags.find(({ key }) => key === TOKEN_TAG)?.value ?? tokenOf(visibleName);
}

export function nameIn(tags: Tags, visibleName: string): string {
  return tags.find(({ key }) => key === NAME_TAG)?.value ?? untaggedName(visibleName);
}

const SSH_PORT = 22;
const ADDRESS_WITH_PORT = /^(\[[0-9a-f:]+\]|[^:\s]+):(\d{1,5})$/i;

/** Root logs in on the machine's own address (dstack does the same). An address that comes with a port is taken at its word. */
function reachOf({ id, ip, status }: WireInstance, user: string): Reach | null {
  if (ip === null || ip === "" || status !== "running") return null;
  const [, host = ip, port] = ADDRESS_WITH_PORT.exec(ip) ?? [];
  return {
    kind: "ssh",
    host: host.replace(/^\[(.*)\]$/, "$1"),
    port: port === undefined ? SSH_PORT : Number(port),
    user,
    password: null,
    alias: `verda-${id}`,
  };
}

/** Every port of a public address is reached by its own number. */
function endpointsOf({ ip, tags, status }: WireInstance): ProviderInstance["endpoints"] {
  if (ip === null || ip === "" || status !== "running") return [];
  const host = (ADDRESS_WITH_PORT.exec(ip)?.[1] ?? ip).replace(/^([0-9a-f:]+:[0-9a-f:]*)$/i, "[$1]");
  const ports = (tags.find(({ key }) => key === PORTS_TAG)?.value ?? "").split("-").map(Number);
  return ports.filter((port) => Number.isInteger(port) && port > 0 && port < 65_536).map((port) => ({ port, address: `${host}:${port}` }));
}

function billingOf({ is_spot: isSpot, contract }: WireInstance): Billing {
  if (isSpot || contract === "SPOT") return "spot";
  return contract === "LONG_TERM" ? "monthly" : "on-demand";
}

/** An instance of the wire in ours. `offsetMs`: how far the server's clock is ahead of ours; `user`: who logs in. */
export function toInstance(wire: WireInstance, { offsetMs, user }: { readonly offsetMs: number; readonly user: string }): ProviderInstance {
  const gpu = gpuOf(wire);
  const state = stateOf(wire.status);
  return {
    providerId: wire.id,
    name: nameIn(wire.tags, wire.hostname),
    token: tokenIn(wire.tags, wire.hostname),
    state,
    rawState: wire.status,
    region: wire.location,
    zone: wire.location,
    type: wire.instance_type,
    gpu,
    billing: billingOf(wire),
    // The vendor's own programs disagree whether this price is of one GPU or of all: with one GPU there is no doubt.
    price: gpu.count === 1 ? priceOf(wire.price_per_hour, "USD") : null,
    createdAt: wire.created_at === null ? null : wire.created_at - offsetMs,
    protectedUntil: null,
    notice: null,
    reach: reachOf(wire, user),
    // Before the instance is provisioned nobody can tell its root volume from the others.
    volumeIds: wire.os_volume_id === null ? [] : wire.volume_ids.filter((id) => id !== wire.os_volume_id),
    reason: reasonOf(wire.status),
    // A reclaim and a deletion both end as `discontinued`, and nothing says which it was.
    endedBy: null,
    canHibernate: false,
    dataKeptUntil: null,
    endpoints: endpointsOf(wire),
    rootVolumeId: wire.os_volume_id,
  };
}

/** All instances but the discontinued ones. There are no pages. */
export async function listInstances(client: VerdaClient, context: CallContext): Promise<readonly WireInstance[]> {
  return client.read(instanceList, "/instances", context);
}

/**
 * One instance, discontinued ones among them for as long as the cloud remembers. Undefined only when the cloud does not know
 * the id and does not list it either: a server that knows nothing at all proves nothing.
 */
export async function findInstance(client: VerdaClient, id: string, context: CallContext): Promise<WireInstance | undefined> {
  const path = `/instances/${encodeURIComponent(id)}`;
  const answer = await client.send({ method: "GET", path, effect: "read", signal: context.signal });
  if (isSuccess(answer)) return parsed("verda", instanceSchema, answer);
  try {
    return client.refuse(answer);
  } catch (error) {
    if (!isFault(error, "not-found")) throw error;
    return (await listInstances(client, context)).find((listed) => listed.id === id);
  }
}
