import { type Instance, type SpotInstanceRequest, TerminateInstancesCommand } from "@aws-sdk/client-ec2";
import { isFault, ProviderError } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import type { Api } from "./api.ts";
import { PROVIDER } from "./codes.ts";
import { type Placed, placed } from "./ids.ts";
import type { Machines } from "./machines.ts";
import { isOpen, isPersistentRequest, type SpotRequests } from "./requests.ts";

interface Ending {
  readonly api: Api;
  readonly machines: Machines;
  readonly requests: SpotRequests;
}

/** Those that would give a machine back. Without them it stays ended; a one-time request is over with its machine. */
async function cancelFirst(
  { requests }: Ending,
  { region, id }: Placed,
  instance: Instance | undefined,
  context: CallContext,
): Promise<void> {
  if (instance !== undefined && instance.InstanceLifecycle !== "spot") return;
  const found = await requests.ofInstance(region, id, instance?.SpotInstanceRequestId, context);
  await cancelThose(requests, region, found, context);
}

async function cancelThose(requests: SpotRequests, region: string, found: readonly SpotInstanceRequest[], context: CallContext) {
  const open = found.filter((request) => isPersistentRequest(request) && isOpen(request));
  const ids = open.flatMap(({ SpotInstanceRequestId }) => SpotInstanceRequestId ?? []);
  await requests.cancel(region, ids, context);
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

async function endWaiting(ending: Ending, { region, id }: Placed, context: CallContext): Promise<"accepted" | "gone"> {
  const request = await ending.requests.find(region, id, context);
  if (request === undefined) return "gone";
  await cancelThose(ending.requests, region, [request], context);
  // It may have got its machine in the meantime.
  const { InstanceId } = (await ending.requests.find(region, id, context)) ?? request;
  const machine = InstanceId === undefined ? undefined : { region, id: InstanceId };
  const instance = machine === undefined ? undefined : await ending.machines.get(machine, context);
  if (machine === undefined || instance === undefined || instance.State?.Name === "terminated") return "gone";
  return terminate(ending, machine, context);
}

/**
 * Ends a machine. A persistent request is cancelled before, whatever has become of its machine: terminated first, it would be
 * made anew, and one that somebody stopped would come back. When that cannot be found out, nothing is ended.
 */
export async function endMachine(ending: Ending, providerId: string, context: CallContext): Promise<"accepted" | "gone"> {
  const waiting = placed(providerId, "sir");
  if (waiting !== undefined) return endWaiting(ending, waiting, context);
  const machine = placed(providerId, "i");
  if (machine === undefined) return "gone";
  const instance = await ending.machines.get(machine, context);
  await cancelFirst(ending, machine, instance, context);
  if (instance === undefined || instance.State?.Name === "terminated") return "gone";
  if (instance.State?.Name === "shutting-down") return "accepted";
  return terminate(ending, machine, context);
}
