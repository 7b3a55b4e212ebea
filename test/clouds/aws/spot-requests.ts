import type { FakeAnswer } from "../fake-server.ts";
import { filtered, indices, listOf, pageOf, required, specifiedTags } from "./query.ts";
import { answer, Refusal } from "./refusal.ts";
import { type AwsState, type Call, type FakeInstance, type FakeSpotRequest, stockOf, timeText } from "./state.ts";
import type { Content } from "./xml.ts";

/** Words of the documents for each status code; only the codes matter. */
const MESSAGES: Readonly<Record<string, string>> = {
  "pending-evaluation": "Your Spot request has been submitted for review, and is pending evaluation.",
  "capacity-not-available": "There is no Spot capacity available that matches your request.",
  fulfilled: "Your Spot request is fulfilled.",
  "request-canceled-and-instance-running": "Your Spot request is canceled, but your instance is still running.",
  "canceled-before-fulfillment": "Your Spot request is canceled before it was fulfilled.",
  "marked-for-stop": "Your Spot instance is marked for stop because of no capacity.",
  "marked-for-termination": "Your Spot instance is marked for termination because of no capacity.",
};

const SIGHT_OF = {
  state: (request: FakeSpotRequest) => [request.state],
  "status-code": (request: FakeSpotRequest) => [request.status.code],
  "spot-instance-request-id": (request: FakeSpotRequest) => [request.id],
  "instance-id": (request: FakeSpotRequest) => (request.instanceId === null ? [] : [request.instanceId]),
  type: (request: FakeSpotRequest) => [request.kind],
  "launch.instance-type": (request: FakeSpotRequest) => [request.type],
  "launched-availability-zone": (request: FakeSpotRequest) => [request.zone],
};

export function setStatus(request: FakeSpotRequest, state: FakeSpotRequest["state"], code: string, at: number): void {
  request.state = state;
  request.status = { code, message: MESSAGES[code] ?? `Your Spot request: ${code}.`, at };
}

/** moto keeps no request object for what RunInstances launches: it is the proxy's alone. */
export function openRequest(
  state: AwsState,
  { region, zone, type }: Pick<FakeInstance, "region" | "zone" | "type">,
  order: URLSearchParams,
  maxPrice: string,
): FakeSpotRequest {
  const options = (name: string) => order.get(`InstanceMarketOptions.SpotOptions.${name}`);
  const at = state.clock.now();
  const seq = state.nextSeq();
  const validUntil = options("ValidUntil");
  const request: FakeSpotRequest = {
    seq,
    id: `sir-${seq.toString(36).padStart(8, "q")}`,
    region,
    zone,
    type,
    kind: options("SpotInstanceType") === "persistent" ? "persistent" : "one-time",
    behaviour: (options("InstanceInterruptionBehavior") ?? "terminate") as FakeSpotRequest["behaviour"],
    maxPrice,
    validUntil: validUntil === null ? null : Date.parse(validUntil),
    createdAt: at,
    order,
    tags: specifiedTags(order, "spot-instances-request"),
    instanceId: null,
    state: "open",
    status: { code: "pending-evaluation", message: "", at },
    fulfilAt: null,
    unseen: state.switches.notFoundFirst,
  };
  state.spotRequests.set(request.id, request);
  return request;
}

export function requestOf(state: AwsState, instance: FakeInstance): FakeSpotRequest | undefined {
  return instance.spotRequestId === null ? undefined : state.spotRequests.get(instance.spotRequestId);
}

function wireRequest(state: AwsState, request: FakeSpotRequest): { readonly [name: string]: Content } {
  const holds = request.instanceId !== null && request.state !== "open";
  return {
    spotInstanceRequestId: request.id,
    spotPrice: request.maxPrice,
    type: request.kind,
    state: request.state,
    status: { code: request.status.code, message: request.status.message, updateTime: timeText(state, request.status.at) },
    launchSpecification: {
      imageId: request.order.get("ImageId") ?? "",
      instanceType: request.type,
      placement: { availabilityZone: request.zone },
    },
    instanceId: holds ? (request.instanceId ?? undefined) : undefined,
    createTime: timeText(state, request.createdAt),
    productDescription: "Linux/UNIX",
    launchedAvailabilityZone: request.zone,
    instanceInterruptionBehavior: request.behaviour,
    validUntil: request.validUntil === null ? undefined : timeText(state, request.validUntil),
    tagSet: request.tags.map(({ key, value }) => ({ key, value })),
  };
}

function wanted({ state, region, parameters }: Call): readonly FakeSpotRequest[] {
  const ids = listOf(parameters, "SpotInstanceRequestId");
  const listedSince = state.clock.now() - state.switches.listedAfterMs;
  const all = [...state.spotRequests.values()].filter((one) => one.region === region);
  if (ids.length === 0) return all.filter(({ createdAt }) => createdAt <= listedSince);
  return ids.map((id) => {
    const found = all.find((one) => one.id === id);
    if (found === undefined || found.unseen > 0) {
      if (found !== undefined) found.unseen -= 1;
      throw new Refusal(400, "InvalidSpotInstanceRequestID.NotFound", `The spot instance request ID '${id}' does not exist`);
    }
    return found;
  });
}

export function describeSpotRequests(call: Call): FakeAnswer {
  const rows = filtered(call.parameters, wanted(call), SIGHT_OF, ({ tags }) => tags);
  const page = pageOf(call.parameters, rows, call.state.switches, "SpotInstanceRequestId");
  return answer(call.action, {
    spotInstanceRequestSet: page.rows.map((row) => wireRequest(call.state, row)),
    nextToken: page.nextToken,
  });
}

/** Leaves a running instance running; a stopped one is terminated with its request. */
export async function cancelSpotRequests(call: Call, terminate: (instance: FakeInstance) => Promise<void>): Promise<FakeAnswer> {
  const { state, parameters } = call;
  if (indices(parameters, "SpotInstanceRequestId").length === 0) required(parameters, "SpotInstanceRequestId");
  const found = wanted(call);
  const now = state.clock.now();
  for (const request of found) {
    const instance = state.instances.get(request.instanceId ?? "");
    if (request.state === "open") setStatus(request, "cancelled", "canceled-before-fulfillment", now);
    else if (request.state === "active") setStatus(request, "cancelled", "request-canceled-and-instance-running", now);
    else if (request.state === "disabled") {
      setStatus(request, "cancelled", "instance-terminated-by-user", now);
      if (instance !== undefined && ["stopping", "stopped"].includes(instance.state)) await terminate(instance);
    }
    request.fulfilAt = null;
    if (instance !== undefined) instance.restartAt = null;
  }
  return answer(call.action, {
    spotInstanceRequestSet: found.map(({ id, state: word }) => ({
      spotInstanceRequestId: id,
      state: word === "closed" ? "completed" : word,
    })),
  });
}

/** What becomes of a request when its instance has ended. A persistent one that is still open or active gets another. */
export function instanceEnded(state: AwsState, instance: FakeInstance, by: "user" | "ec2" | "capacity", at: number): void {
  const request = requestOf(state, instance);
  if (request === undefined || request.instanceId !== instance.id) return;
  const code = by === "user" ? "instance-terminated-by-user" : "instance-terminated-no-capacity";
  if (request.state === "cancelled") {
    setStatus(request, "cancelled", code, at);
    return;
  }
  if (request.kind === "persistent" && (request.state === "active" || request.state === "disabled")) {
    setStatus(request, "open", code, at);
    request.instanceId = null;
    request.fulfilAt = at + state.delays.relaunch;
    return;
  }
  if (request.kind === "one-time") setStatus(request, "closed", code, at);
}

/** What an open request would get now. */
export function canBeFulfilled(state: AwsState, request: FakeSpotRequest, now: number): boolean {
  if (request.state !== "open" || request.fulfilAt === null || now < request.fulfilAt) return false;
  if (request.validUntil !== null && now >= request.validUntil) {
    setStatus(request, "cancelled", "schedule-expired", now);
    request.fulfilAt = null;
    return false;
  }
  if (stockOf(state, request.type, request.zone) > 0) return true;
  setStatus(request, "open", "capacity-not-available", now);
  return false;
}
