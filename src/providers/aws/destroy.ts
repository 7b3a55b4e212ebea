import { type Instance, type SpotInstanceRequest, TerminateInstancesCommand } from "@aws-sdk/client-ec2";
import { isFault, ProviderError } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import type { Api } from "./api.ts";
import { PROVIDER } from "./codes.ts";
import { type Placed, placed } from "./ids.ts";
import { isFromPersistent } from "./instances.ts";
import type { Machines } from "./machines.ts";
import { isOpen, isPersistentRequest, type SpotRequests } from "./requests.ts";
import { tokenIn } from "./tags.ts";

interface Ending {
  readonly api: Api;
  readonly machines: Machines;
  readonly requests: SpotRequests;
}

/** How long EC2 may take to show a request that it has just made. */
const UNSEEN_MS = 300_000;

/** The requests of a machine; of one that was made for a persistent request just now, not before that is to be seen. */
async function requestsOf({ api, requests }: Ending, { region, id }: Placed, instance: Instance | undefined, context: CallContext) {
  if (instance !== undefined && instance.InstanceLifecycle !== "spot") return [];
  const found = await requests.ofInstance(region, id, instance?.SpotInstanceRequestId, context);
  if (found.length > 0 || instance === undefined || !isFromPersistent(instance)) return found;
  const marked = await requests.ofToken(region, tokenIn(instance.Tags) ?? "", context);
  const launchedAt = api.ours(instance.LaunchTime) ?? api.now();
  if (marked.length > 0 || api.now() - launchedAt > UNSEEN_MS) return marked;
  const why = `the spot request of ${id} is not to be seen yet, and would make another machine`;
  throw new ProviderError(PROVIDER, { kind: "unavailable" }, why);
}

/**
 * Cancels those that would give a machine back, and ends machines that they gave in the meantime. A one-time request is over
 * with its machine.
 */
async function cancelAll(
  ending: Ending,
  region: string,
  found: readonly SpotInstanceRequest[],
  own: string | undefined,
  context: CallContext,
): Promise<"accepted" | "gone"> {
  const { requests, machines } = ending;
  const persistent = found.filter(isPersistentRequest);
  const open = persistent.filter(isOpen).flatMap(({ SpotInstanceRequestId }) => SpotInstanceRequestId ?? []);
  await requests.cancel(region, open, context);
  let end: "accepted" | "gone" = "gone";
  for (const request of persistent) {
    const { SpotInstanceRequestId: requestId } = request;
    const isNew = requestId !== undefined && open.includes(requestId);
    const { InstanceId: id } = (isNew ? await requests.find(region, requestId, context) : undefined) ?? request;
    if (id === undefined || id === own) continue;
    const other = await machines.get({ region, id }, context);
    if (other === undefined || other.State?.Name === "terminated") continue;
    if (other.State?.Name === "shutting-down" || (await terminate(ending, { region, id }, context)) === "accepted") end = "accepted";
  }
  return end;
}

async function terminate({ api, machines }: Ending, machine: Placed, context: CallContext): Promise<"accepted" | "gone"> {
  const command = new TerminateInstancesCommand({ InstanceIds: [machine.id] });
  try {
    const { TerminatingInstances } = await api.ask(machine.region, context, (ec2, options) => ec2.send(command, options));
    const now = TerminatingInstances?.find(({ InstanceId }) => InstanceId === machine.id)?.CurrentState?.Name;
    if (now === undefined) throw new ProviderError(PROVIDER, { kind: "protocol" }, `${machine.id} was ended without a word about it`);
    return now === "terminated" ? "gone" : "accepted";
  } catch (error) {
    if (!isFault(error, "not-found")) throw error;
    const still = await machines.get(machine, context);
    if (still === undefined || still.State?.Name === "terminated") return "gone";
    throw new ProviderError(PROVIDER, { kind: "unavailable" }, `machine ${machine.id} was denied and is there`, error.rawCode, error);
  }
}

/**
 * Ends a machine. A persistent request is cancelled before, whatever has become of its machine: terminated first, it would be
 * made anew, and one that somebody stopped would come back. When that cannot be found out, nothing is ended.
 */
export async function endMachine(ending: Ending, providerId: string, context: CallContext): Promise<"accepted" | "gone"> {
  const waiting = placed(providerId, "sir");
  if (waiting !== undefined) {
    const request = await ending.requests.find(waiting.region, waiting.id, context);
    return request === undefined ? "gone" : cancelAll(ending, waiting.region, [request], undefined, context);
  }
  const machine = placed(providerId, "i");
  if (machine === undefined) return "gone";
  const instance = await ending.machines.get(machine, context);
  const found = await requestsOf(ending, machine, instance, context);
  const others = await cancelAll(ending, machine.region, found, machine.id, context);
  if (instance === undefined || instance.State?.Name === "terminated") return others;
  if (instance.State?.Name === "shutting-down") return "accepted";
  const own = await terminate(ending, machine, context);
  return others === "accepted" ? others : own;
}
