import { randomUUID } from "node:crypto";
import { adminCall } from "./moto.ts";
import { orRefuse } from "./refusal.ts";
import { requestOf, setStatus } from "./spot-requests.ts";
import { type AwsState, type FakeInstance, timeText } from "./state.ts";
import { parseXml, textAt } from "./xml.ts";

/** EC2 says it so long before. */
export const NOTICE_MS = 120_000;
const SQS = { region: "us-east-1", service: "sqs" };
const SQS_VERSION = "2012-11-05";

/** Where a notice is told, besides the machine's own metadata: on the spot request, in the queue, both, or nowhere. */
export type Told = "status" | "queue" | "both" | "none";

export interface Reclaim {
  /** How long before it happens it is told; 0: not at all. */
  readonly noticeSeconds?: number;
  readonly tell?: Told;
}

function event(state: AwsState, instance: FakeInstance, type: string, at: number, detail: object): object {
  return {
    version: "0",
    id: randomUUID(),
    "detail-type": type,
    source: "aws.ec2",
    account: state.account.id,
    time: timeText(state, at).replace(/\.\d{3}Z$/, "Z"),
    region: instance.region,
    // With the zone in the place of the region, and no account.
    resources: [`arn:aws:ec2:${instance.zone}:instance/${instance.id}`],
    detail: { "instance-id": instance.id, ...detail },
  };
}

/** A queue at moto's SQS, as a rule of EventBridge would fill it. The account's own user may read it. */
export async function openQueue(state: AwsState): Promise<void> {
  if (state.queue !== null) return;
  const made = orRefuse(
    await adminCall(state.account, state.host, SQS, {
      Action: "CreateQueue",
      Version: SQS_VERSION,
      QueueName: `spot-notices-${state.nextSeq()}`,
    }),
  );
  const motoUrl = textAt(parseXml(made.text), "CreateQueueResult", "QueueUrl");
  state.queue = { region: SQS.region, path: new URL(motoUrl).pathname, motoUrl };
}

/** Not through moto's EventBridge, which would date the event by a clock of its own; the envelope is the documented one. */
async function post(state: AwsState, message: object): Promise<void> {
  if (state.queue === null) return;
  orRefuse(
    await adminCall(state.account, state.host, SQS, {
      Action: "SendMessage",
      Version: SQS_VERSION,
      QueueUrl: state.queue.motoUrl,
      MessageBody: JSON.stringify(message),
    }),
  );
}

/** Tells of a reclaim, where it is told at all, and lets it come at its time. */
export async function announce(state: AwsState, instance: FakeInstance, { noticeSeconds = 120, tell = "both" }: Reclaim): Promise<void> {
  const now = state.clock.now();
  const request = requestOf(state, instance);
  const action = request !== undefined && request.behaviour !== "terminate" ? "stop" : "terminate";
  const deadline = now + noticeSeconds * 1000;
  instance.doom = { at: deadline, action };
  if (noticeSeconds === 0) return;
  // A notice that is told late was given two minutes before the deadline all the same.
  const givenAt = deadline - NOTICE_MS;
  instance.noticeAt = givenAt;
  if ((tell === "status" || tell === "both") && request !== undefined && request.state !== "cancelled")
    setStatus(request, action === "stop" ? "active" : "closed", action === "stop" ? "marked-for-stop" : "marked-for-termination", givenAt);
  if (tell === "queue" || tell === "both")
    await post(state, event(state, instance, "EC2 Spot Instance Interruption Warning", givenAt, { "instance-action": action }));
}

/** Takes a notice back that has not run out; no document says that it happens, and none that it does not. */
export function takeBack(state: AwsState, instance: FakeInstance): void {
  const request = requestOf(state, instance);
  if (instance.doom === null) return;
  instance.doom = null;
  instance.noticeAt = null;
  if (request?.status.code.startsWith("marked-for-") === true) setStatus(request, "active", "fulfilled", state.clock.now());
}

/** A recommendation, which says nothing of when, or whether. */
export async function recommend(state: AwsState, instance: FakeInstance): Promise<void> {
  const now = state.clock.now();
  instance.rebalanceAt = now;
  await post(state, event(state, instance, "EC2 Instance Rebalance Recommendation", now, {}));
}
