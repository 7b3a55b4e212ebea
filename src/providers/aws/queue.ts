import type { Message, SQSClient, SQSClientConfig } from "@aws-sdk/client-sqs";
import * as v from "valibot";
import type { Notice } from "../../model/notice.ts";
import { deadline } from "../../platform/clock.ts";
import { type FaultKind, ProviderError } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import type { Api, SendOptions } from "./api.ts";
import { PROVIDER } from "./codes.ts";
import { type Placed, placed, placedId } from "./ids.ts";
import { countsMore, type NoticeShelf } from "./notice-shelf.ts";
import { NOTICE_SECONDS } from "./offers.ts";

/** A queue of the user's own into which EventBridge puts what EC2 says of spot machines. */
export interface NoticeQueue {
  /**
   * Takes what has come. A message is deleted when what it says lies safe in a file of ours, and not before. Whatever is wrong
   * with the queue: a list does not fail for it, since whoever cannot list ends nothing.
   */
  receive(context: CallContext): Promise<void>;
  /** Reads what was told before, also to another process. */
  recall(): Promise<void>;
  /** What was last read of a machine. `since`: when it was last started; what was told before that is of the past. */
  noticeOf(machine: Placed, since: number | null): Notice | null;
  /** @throws ProviderError that names the variable, when the queue is not one that can be read. */
  requireReadable(context: CallContext): Promise<void>;
}

const VARIABLE = "SPOT_AWS_NOTICE_QUEUE_URL";
/** The most that one question brings, and how often it is asked in one go. */
const MESSAGES = 10;
const MOST_QUESTIONS = 20;
/** What an old notice warned of has happened, or not. */
const KEPT_MS = 600_000;
/** So near, two deadlines are of one event that was delivered twice. */
const SAME_DEADLINE_MS = 30_000;
/** A list waits no longer for it: the other mouths still speak. */
const ANSWERED_WITHIN_MS = 4_000;

const eventSchema = v.object({
  source: v.literal("aws.ec2"),
  "detail-type": v.string(),
  time: v.pipe(v.string(), v.isoTimestamp()),
  region: v.string(),
  detail: v.object({ "instance-id": v.string() }),
});
type Event = v.InferOutput<typeof eventSchema>;

const KINDS: Readonly<Record<string, "reclaim" | "rebalance">> = {
  "EC2 Spot Instance Interruption Warning": "reclaim",
  // It may come long before a notice, with it, or without one.
  "EC2 Instance Rebalance Recommendation": "rebalance",
};
/** What the next list shows anyway: it is taken from the queue and no more. */
const IGNORED = ["EC2 Instance State-change Notification", "EC2 Spot Instance Request Fulfillment"];

/** An event of EC2's; null for anything else, which is left in the queue. */
function eventIn({ Body }: Message): Event | null {
  const read = v.safeParse(v.pipe(v.string(), v.parseJson(), eventSchema), Body);
  if (!read.success) return null;
  return [...Object.keys(KINDS), ...IGNORED].includes(read.output["detail-type"]) ? read.output : null;
}

function regionIn(url: string): string | undefined {
  return /^https?:\/\/(?:[^/]*\.)?([a-z]{2,4}(?:-[a-z]+)+-\d{1,2})\./.exec(url)?.[1];
}

/** What is wrong with the queue itself; undefined for one that does not answer for once. */
function wrongWith(error: unknown): ProviderError | undefined {
  const passing: readonly FaultKind[] = ["unavailable", "rate-limited", "ambiguous", "protocol"];
  if (!(error instanceof ProviderError) || passing.includes(error.fault.kind)) return undefined;
  const fault = error.fault.kind === "not-found" ? ({ kind: "invalid-request" } as const) : error.fault;
  return new ProviderError(PROVIDER, fault, `${VARIABLE}: ${error.message}`, error.rawCode, error);
}

/** The machine that an event is about and what it is told; undefined for what is no notice, or one of long ago. */
function noticeIn(api: Api, event: Event): { readonly machine: Placed; readonly notice: Notice } | undefined {
  const kind = KINDS[event["detail-type"]];
  const at = api.ours(new Date(event.time));
  const machine = placed(`${event.region}/${event.detail["instance-id"]}`, "i");
  if (kind === undefined || at === null || machine === undefined) return undefined;
  const deadline = at + NOTICE_SECONDS * 1000;
  if (deadline < api.now() - KEPT_MS) return undefined;
  // A recommendation has no deadline: it is ours, and only to show.
  const assumed = kind === "rebalance" ? { assumed: true as const } : {};
  return { machine, notice: { kind, source: "api", seenAt: api.now(), deadline, ...assumed } };
}

/** The SDK's client for it is loaded only where there is a queue. */
export function noticeQueue(api: Api, home: () => string, shelf: NoticeShelf): NoticeQueue | undefined {
  const url = api.env[VARIABLE]?.trim() || undefined;
  if (url === undefined) return undefined;
  let notices: ReadonlyMap<string, Notice> = new Map();
  /** What could not be put on the shelf: its message comes back, and until then it is known here alone. */
  const unsaved = new Map<string, Notice>();
  let opened: Promise<{ readonly sqs: SQSClient; readonly sdk: typeof import("@aws-sdk/client-sqs") }> | undefined;
  const open = () => {
    opened ??= import("@aws-sdk/client-sqs").then((sdk) => {
      const config = { ...api.clientOf("sqs", regionIn(url) ?? home()), md5: false as const };
      return { sdk, sqs: new sdk.SQSClient(config as unknown as SQSClientConfig) };
    });
    return opened;
  };
  /** Puts what a message says on the shelf. @returns whether it may be deleted. */
  const taken = async (message: Message): Promise<boolean> => {
    const event = eventIn(message);
    const found = event === null ? undefined : noticeIn(api, event);
    if (found === undefined) return event !== null;
    const id = placedId(found.machine);
    const known = notices.get(id);
    // The same event may be delivered twice. A later one is another reclaim, of a machine that was started again.
    const isSame = known?.kind === found.notice.kind && Math.abs(known.deadline - found.notice.deadline) < SAME_DEADLINE_MS;
    if (isSame && !unsaved.has(id)) return true;
    return shelf.put(found.machine, isSame ? known : found.notice).then(
      () => {
        unsaved.delete(id);
        return true;
      },
      () => {
        if (countsMore(found.notice, unsaved.get(id)) && !isSame) unsaved.set(id, found.notice);
        return false;
      },
    );
  };
  const recall = async () => {
    const all = new Map(await shelf.all().catch(() => new Map<string, Notice>()));
    for (const [id, notice] of unsaved) {
      if (notice.deadline < api.now() - KEPT_MS) unsaved.delete(id);
      else if (countsMore(notice, all.get(id))) all.set(id, notice);
    }
    notices = all;
  };
  const receiveAll = async (options: SendOptions) => {
    const { sqs, sdk } = await open();
    for (let question = 0; question < MOST_QUESTIONS; question++) {
      const command = new sdk.ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: MESSAGES, WaitTimeSeconds: 0 });
      const { Messages = [] } = await sqs.send(command, options);
      if (Messages.length === 0) return;
      const done: string[] = [];
      for (const message of Messages) if ((await taken(message)) && message.ReceiptHandle !== undefined) done.push(message.ReceiptHandle);
      const Entries = done.map((ReceiptHandle, index) => ({ Id: String(index), ReceiptHandle }));
      if (Entries.length > 0) await sqs.send(new sdk.DeleteMessageBatchCommand({ QueueUrl: url, Entries }), options);
    }
  };
  return {
    async receive({ signal }) {
      await shelf.clear(api.now() - KEPT_MS).catch(() => undefined);
      await recall();
      const limit = deadline(signal, ANSWERED_WITHIN_MS);
      await receiveAll({ signal: limit.signal })
        .catch(() => undefined)
        .finally(limit.done);
      await recall();
    },
    recall,
    noticeOf(machine, since) {
      const notice = notices.get(placedId(machine)) ?? null;
      return notice !== null && since !== null && notice.deadline < since ? null : notice;
    },
    async requireReadable({ signal }) {
      const limit = deadline(signal, ANSWERED_WITHIN_MS);
      try {
        await receiveAll({ signal: limit.signal });
      } catch (error) {
        const wrong = wrongWith(error);
        if (wrong !== undefined) throw wrong;
      } finally {
        limit.done();
      }
    },
  };
}
