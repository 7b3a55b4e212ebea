import type { FakeAnswer, FakeRequest } from "../fake-server.ts";
import { authenticated, requireRate } from "./auth.ts";
import { FIELDS, requireKnownFields } from "./fields.ts";
import {
  describeInstanceStatus,
  describeInstances,
  startInstances,
  stopInstances,
  terminateBySelf,
  terminateInstances,
} from "./instances.ts";
import { runInstances } from "./launch.ts";
import {
  describeImages,
  describeOfferings,
  describePrices,
  describeRegions,
  describeTypes,
  describeZones,
  placementScores,
} from "./market.ts";
import type { MotoAnswer } from "./moto.ts";
import { changeTags, passOn } from "./passthrough.ts";
import { required } from "./query.ts";
import { htmlAnswer, Refusal } from "./refusal.ts";
import { createSnapshot, deleteSnapshot, describeSnapshots } from "./snapshots.ts";
import { cancelSpotRequests, describeSpotRequests } from "./spot-requests.ts";
import type { AwsState, Call } from "./state.ts";
import { attachVolume, createVolume, deleteVolume, describeVolumes, detachVolume } from "./volumes.ts";

/** `forward` gives the request to moto as it is: the client's own signature goes with it. */
type Handler = (call: Call, forward: () => Promise<MotoAnswer>) => FakeAnswer | Promise<FakeAnswer>;

const VERSION = "2016-11-15";
const ACTIONS: Readonly<Record<string, Handler>> = {
  AttachVolume: attachVolume,
  CancelSpotInstanceRequests: (call) => cancelSpotRequests(call, (instance) => terminateBySelf(call.state, instance)),
  CreateSnapshot: createSnapshot,
  CreateTags: changeTags,
  CreateVolume: createVolume,
  DeleteSnapshot: deleteSnapshot,
  DeleteTags: changeTags,
  DeleteVolume: deleteVolume,
  DescribeAvailabilityZones: describeZones,
  DescribeImages: describeImages,
  DescribeInstanceStatus: describeInstanceStatus,
  DescribeInstances: describeInstances,
  DescribeInstanceTypeOfferings: describeOfferings,
  DescribeInstanceTypes: describeTypes,
  DescribeRegions: describeRegions,
  DescribeSnapshots: describeSnapshots,
  DescribeSpotInstanceRequests: describeSpotRequests,
  DescribeSpotPriceHistory: describePrices,
  DescribeVolumes: describeVolumes,
  DetachVolume: detachVolume,
  GetSpotPlacementScores: placementScores,
  RunInstances: runInstances,
  StartInstances: startInstances,
  StopInstances: stopInstances,
  TerminateInstances: terminateInstances,
};

/** A request as it came, for moto; what belongs to this connection alone stays here. */
export function forwarded(state: AwsState, { method, path, query, headers, body }: FakeRequest): () => Promise<MotoAnswer> {
  const { connection: _, "content-length": __, "transfer-encoding": ___, "accept-encoding": ____, ...rest } = headers;
  const search = query.toString();
  return () => state.account.send({ method, path: search === "" ? path : `${path}?${search}`, headers: rest, body });
}

/** One request to EC2. @throws Refusal */
export async function ec2(state: AwsState, request: FakeRequest): Promise<FakeAnswer> {
  const { region } = authenticated(state, request);
  if (state.switches.silentRegions.includes(region)) return htmlAnswer(503);
  // A region that the account has not opted in to.
  if (!state.switches.regions.includes(region))
    throw new Refusal(401, "AuthFailure", "AWS was not able to validate the provided access credentials");
  if (request.path !== "/" || request.method !== "POST") throw new Refusal(400, "MalformedQueryString", "EC2 is asked by POST /");
  if (!(request.headers["content-type"] ?? "").startsWith("application/x-www-form-urlencoded"))
    throw new Refusal(400, "MalformedQueryString", "The body is a form");
  const parameters = new URLSearchParams(request.body);
  const action = required(parameters, "Action");
  requireRate(state, region, action);
  if (parameters.get("Version") !== VERSION)
    throw new Refusal(400, "InvalidAction", `The action ${action} is not valid for this web service and version.`);
  if (state.switches.deniedActions.includes(action))
    throw new Refusal(
      403,
      "UnauthorizedOperation",
      `You are not authorized to perform this operation. User: arn:aws:iam::${state.account.id}:user/spot`,
    );
  if (!Object.hasOwn(FIELDS, action))
    throw new Refusal(400, "InvalidAction", `The action ${action} is not valid for this web service, or not played here.`);
  requireKnownFields(action, parameters);
  const call: Call = { state, request, region, action, parameters };
  const forward = forwarded(state, request);
  const handler = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
  return handler === undefined ? passOn(call, forward) : handler(call, forward);
}
