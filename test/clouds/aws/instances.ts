import type { FakeAnswer } from "../fake-server.ts";
import { wireInstance, wireState } from "./instance-view.ts";
import { beginEnd, tellMoto } from "./lifecycle.ts";
import type { MotoAnswer } from "./moto.ts";
import { filtered, indices, listOf, pageOf, required } from "./query.ts";
import { answer, orRefuse, Refusal } from "./refusal.ts";
import { requestOf, setStatus } from "./spot-requests.ts";
import { type AwsState, type Call, type FakeInstance, holdStock, stockOf, tagsOfItem } from "./state.ts";

/** The filters that are played; moto does not know `instance-lifecycle`. */
const SIGHT_OF = {
  "instance-id": ({ id }: FakeInstance) => [id],
  "instance-type": ({ type }: FakeInstance) => [type],
  "instance-lifecycle": ({ isSpot }: FakeInstance) => (isSpot ? ["spot"] : []),
  "instance-state-name": ({ state }: FakeInstance) => [state],
  "spot-instance-request-id": ({ spotRequestId }: FakeInstance) => (spotRequestId === null ? [] : [spotRequestId]),
  "state-reason-code": ({ reason }: FakeInstance) => (reason === null ? [] : [reason.code]),
  "availability-zone": ({ zone }: FakeInstance) => [zone],
  "client-token": ({ order }: FakeInstance) => [order.get("ClientToken") ?? ""],
  "image-id": ({ order }: FakeInstance) => [order.get("ImageId") ?? ""],
  "key-name": ({ order }: FakeInstance) => [order.get("KeyName") ?? ""],
};

const isId = (text: string) => /^i-[0-9a-f]{8,17}$/.test(text);

/** The named ones, all or none. @throws Refusal when one is unknown, or not known yet. */
function named({ state, region, parameters }: Call): readonly FakeInstance[] {
  const ids = listOf(parameters, "InstanceId");
  const malformed = ids.find((id) => !isId(id));
  if (malformed !== undefined) throw new Refusal(400, "InvalidInstanceID.Malformed", `Invalid id: "${malformed}"`);
  const missing: string[] = [];
  const found = ids.flatMap((id) => {
    const one = state.instances.get(id);
    if (one === undefined || one.region !== region || one.unseen > 0) {
      if (one !== undefined) one.unseen -= 1;
      missing.push(id);
      return [];
    }
    return [one];
  });
  if (missing.length === 0) return found;
  const [s, does] = missing.length === 1 ? ["", "does"] : ["s", "do"];
  throw new Refusal(400, "InvalidInstanceID.NotFound", `The instance ID${s} '${missing.join(", ")}' ${does} not exist`);
}

export function describeInstances(call: Call): FakeAnswer {
  const { state, region, parameters, action } = call;
  const listedSince = state.clock.now() - state.switches.listedAfterMs;
  const all =
    indices(parameters, "InstanceId").length > 0
      ? named(call)
      : [...state.instances.values()].filter((one) => one.region === region && one.launchedAt <= listedSince);
  const rows = filtered(parameters, all, SIGHT_OF, ({ item }) => tagsOfItem(item));
  const page = pageOf(parameters, rows, state.switches, "InstanceId");
  return answer(action, {
    reservationSet: page.rows.map((one) => ({
      reservationId: one.reservationId,
      ownerId: state.account.id,
      groupSet: [],
      instancesSet: [wireInstance(state, one)],
    })),
    nextToken: page.nextToken,
  });
}

export function describeInstanceStatus(call: Call): FakeAnswer {
  const { state, region, parameters, action } = call;
  const all =
    indices(parameters, "InstanceId").length > 0 ? named(call) : [...state.instances.values()].filter((one) => one.region === region);
  const shown = parameters.get("IncludeAllInstances") === "true" ? all : all.filter((one) => one.state === "running");
  const page = pageOf(parameters, filtered(parameters, shown, SIGHT_OF), state.switches, "InstanceId");
  return answer(action, {
    instanceStatusSet: page.rows.map((one) => ({
      instanceId: one.id,
      availabilityZone: one.zone,
      instanceState: wireState(state, one.state),
      systemStatus: { status: one.state === "running" ? "ok" : "not-applicable" },
      instanceStatus: { status: one.state === "running" ? "ok" : "not-applicable" },
    })),
    nextToken: page.nextToken,
  });
}

type Change = { readonly one: FakeInstance; readonly before: ReturnType<typeof wireState> };

function changed({ state, action }: Call, changes: readonly Change[]): FakeAnswer {
  return answer(action, {
    instancesSet: changes.map(({ one, before }) => ({
      instanceId: one.id,
      currentState: wireState(state, one.state),
      previousState: before,
    })),
  });
}

function required1({ parameters }: Call): void {
  if (indices(parameters, "InstanceId").length === 0) required(parameters, "InstanceId");
}

/** Repeating it succeeds; one unknown id fails it for all. */
export async function terminateInstances(call: Call, forward: () => Promise<MotoAnswer>): Promise<FakeAnswer> {
  const { state } = call;
  required1(call);
  const found = named(call);
  orRefuse(await forward());
  const changes = found.map((one) => {
    const before = wireState(state, one.state);
    terminated(state, one);
    return { one, before };
  });
  return changed(call, changes);
}

function terminated(state: AwsState, one: FakeInstance): void {
  if (one.state === "terminated" || one.state === "shutting-down") return;
  beginEnd(state, one, "shutting-down", "user", state.clock.now());
}

/** By EC2 itself: the stopped instance of a request that was cancelled. */
export async function terminateBySelf(state: AwsState, one: FakeInstance): Promise<void> {
  await tellMoto(state, one, "TerminateInstances");
  terminated(state, one);
}

export async function stopInstances(call: Call, forward: () => Promise<MotoAnswer>): Promise<FakeAnswer> {
  const { state, parameters } = call;
  required1(call);
  const found = named(call);
  for (const one of found) {
    const request = requestOf(state, one);
    if (request?.kind === "one-time")
      throw new Refusal(
        400,
        "UnsupportedOperation",
        `You can't stop the Spot Instance '${one.id}' because it is associated with a one-time Spot Instance request. You can only stop Spot Instances associated with persistent Spot Instance requests.`,
      );
    if (parameters.get("Hibernate") === "true")
      throw new Refusal(400, "UnsupportedHibernationConfiguration", `The instance '${one.id}' is not configured for hibernation.`);
    if (["terminated", "shutting-down", "pending"].includes(one.state)) throw incorrect(one, "stopped");
  }
  orRefuse(await forward());
  const changes = found.map((one) => {
    const before = wireState(state, one.state);
    const request = requestOf(state, one);
    if (one.state === "running") {
      beginEnd(state, one, "stopping", "user", state.clock.now());
      if (request?.state === "active") setStatus(request, "disabled", "instance-stopped-by-user", state.clock.now());
    }
    return { one, before };
  });
  return changed(call, changes);
}

const incorrect = (one: FakeInstance, verb: string) =>
  new Refusal(
    400,
    "IncorrectInstanceState",
    `The instance '${one.id}' is not in a state from which it can be ${verb === "stopped" ? "stopped" : "started"}.`,
  );

/** Not what EC2 has stopped, nor what is over: moto would start even that. */
export async function startInstances(call: Call, forward: () => Promise<MotoAnswer>): Promise<FakeAnswer> {
  const { state } = call;
  required1(call);
  const found = named(call);
  for (const one of found) {
    const isUp = one.state === "running" || one.state === "pending";
    if (!isUp && (one.state !== "stopped" || one.interruptedByEc2)) throw incorrect(one, "started");
    if (!isUp && stockOf(state, one.type, one.zone) < 1)
      throw new Refusal(500, "InsufficientInstanceCapacity", "There is no Spot capacity available that matches your request.");
  }
  orRefuse(await forward());
  const changes = found.map((one) => {
    const before = wireState(state, one.state);
    const request = requestOf(state, one);
    if (one.state === "stopped") {
      holdStock(state, one, true);
      one.state = "pending";
      one.since = state.clock.now();
      one.reason = null;
      one.transition = "";
      if (request?.state === "disabled") setStatus(request, "active", "fulfilled", state.clock.now());
    }
    return { one, before };
  });
  return changed(call, changes);
}

/** The machine shut itself down: what then happens is what its launch said of it. @returns whether it was up. */
export async function shutDownFromInside(state: AwsState, one: FakeInstance): Promise<boolean> {
  if (one.state !== "running") return false;
  const terminates = one.order.get("InstanceInitiatedShutdownBehavior") === "terminate";
  await tellMoto(state, one, terminates ? "TerminateInstances" : "StopInstances");
  beginEnd(state, one, terminates ? "shutting-down" : "stopping", "guest", state.clock.now());
  const request = requestOf(state, one);
  if (!terminates && request?.state === "active") setStatus(request, "disabled", "instance-stopped-by-user", state.clock.now());
  return true;
}
