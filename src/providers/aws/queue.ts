import type { Message, SQSClient, SQSClientConfig } from "@aws-sdk/client-sqs";
import * as v from "valibot";
import type { Notice } from "../../model/notice.ts";
import { isFault, ProviderError } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import type { Api, SendOptions } from "./api.ts";
import { PROVIDER } from "./codes.ts";
import { type Placed, placedId } from "./ids.ts";
import { NOTICE_SECONDS } from "./offers.ts";

/** A queue of the user's own into which EventBridge puts what EC2 says of spot machines. */
export interface NoticeQueue {
  /**
   * Takes what has come. A message is deleted by the next call, when whoever asked has seen what it says: it may be seen
   * twice, but never not at all.
   */
  receive(context: CallContext): Promise<void>;
  noticeOf(machine: Placed): Notice | null;
}

const VARIABLE = "SPOT_AWS_NOTICE_QUEUE_URL";
/** The most that one question brings, and how often it is asked in one go. */
const MESSAGES = 10;
const MOST_QUESTIONS = 20;
/** What an old notice warned of has happened, or not. */
const KEPT_MS = 600_000;

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
/** What we act on in other ways: it is taken from the queue and no more. */
const IGNORED = ["EC2 Instance State-change Notification", "EC2 Spot Instance Request Fulfillment"];

/** An event of EC2's; null for anything else, which is left in the queue. */
function eventIn({ Body }: Message): Event | null {
  const read = v.safeParse(v.pipe(v.string(), v.parseJson(), eventSchema), Body);
  if (!read.success) return null;
  return [...Object.keys(KINDS), ...IGNORED].includes(read.output["detail-type"]) ? read.output : null;
}

function regionIn(url: string): string | undefined {
  return /^https?:\/\/(?:sqs\.|queue\.)?([a-z]{2,4}(?:-[a-z]+)+-\d{1,2})\./.exec(url)?.[1];
}

/** What is wrong with the queue itself is told; that it does not answer for once is not: the other mouths still speak. */
function toldOrNot(error: unknown): void {
  if (isFault(error, "unavailable", "rate-limited", "ambiguous", "protocol")) return;
  if (!(error instanceof ProviderError)) throw error;
  throw new ProviderError(PROVIDER, error.fault, `${VARIABLE}: ${error.message}`, error.rawCode, error);
}

interface Book {
  readonly notices: Map<string, Notice>;
  note(event: Event): void;
  forgetOld(): void;
}

function book(api: Api): Book {
  const notices = new Map<string, Notice>();
  return {
    notices,
    note(event) {
      const kind = KINDS[event["detail-type"]];
      const at = api.ours(new Date(event.time));
      if (kind === undefined || at === null) return;
      const key = placedId({ region: event.region, id: event.detail["instance-id"] });
      const known = notices.get(key);
      const deadline = at + NOTICE_SECONDS * 1000;
      // The first word counts, and a reclaim before a mere recommendation.
      if (known !== undefined && (known.kind === "reclaim" || kind === "rebalance") && known.deadline > api.now() - KEPT_MS) return;
      const assumed = kind === "rebalance" ? { assumed: true as const } : {};
      notices.set(key, { kind, source: "api", seenAt: api.now(), deadline, ...assumed });
    },
    forgetOld() {
      for (const [key, { deadline }] of notices) if (deadline < api.now() - KEPT_MS) notices.delete(key);
    },
  };
}

/** The SDK's client for it is loaded only where there is a queue. */
export function noticeQueue(api: Api, home: () => string): NoticeQueue | undefined {
  const url = api.env[VARIABLE]?.trim() || undefined;
  if (url === undefined) return undefined;
  const { notices, note, forgetOld } = book(api);
  const seen = new Map<string, string>();
  /** What nobody needs any more goes at once: a process that lists but once would leave it for ever. */
  const over = new Map<string, string>();
  const isOver = (event: Event) => (api.ours(new Date(event.time)) ?? 0) + NOTICE_SECONDS * 1000 < api.now() - KEPT_MS;
  let opened: Promise<{ readonly sqs: SQSClient; readonly sdk: typeof import("@aws-sdk/client-sqs") }> | undefined;
  const open = () => {
    opened ??= import("@aws-sdk/client-sqs").then((sdk) => {
      const config = { ...api.clientOf("sqs", regionIn(url) ?? home()), md5: false as const };
      return { sdk, sqs: new sdk.SQSClient(config as unknown as SQSClientConfig) };
    });
    return opened;
  };
  const remove = async (messages: Map<string, string>, options: SendOptions) => {
    const { sqs, sdk } = await open();
    const all = [...messages];
    for (let at = 0; at < all.length; at += MESSAGES) {
      const some = all.slice(at, at + MESSAGES);
      const Entries = some.map(([, ReceiptHandle], index) => ({ Id: String(index), ReceiptHandle }));
      await sqs.send(new sdk.DeleteMessageBatchCommand({ QueueUrl: url, Entries }), options);
      for (const [id] of some) messages.delete(id);
    }
  };
  const receiveAll = async (options: SendOptions) => {
    const { sqs, sdk } = await open();
    for (let question = 0; question < MOST_QUESTIONS; question++) {
      const command = new sdk.ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: MESSAGES, WaitTimeSeconds: 0 });
      const { Messages = [] } = await sqs.send(command, options);
      for (const message of Messages) {
        const event = eventIn(message);
        if (event === null) continue;
        note(event);
        const { MessageId, ReceiptHandle } = message;
        if (MessageId !== undefined && ReceiptHandle !== undefined) (isOver(event) ? over : seen).set(MessageId, ReceiptHandle);
      }
      if (Messages.length === 0) return;
    }
  };
  return {
    async receive(context) {
      forgetOld();
      try {
        await remove(seen, context);
        await receiveAll(context);
        await remove(over, context);
      } catch (error) {
        if (context.signal.aborted) throw error;
        toldOrNot(error);
      }
    },
    noticeOf: (machine) => notices.get(placedId(machine)) ?? null,
  };
}
