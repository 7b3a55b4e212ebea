import { createHash, createHmac } from "node:crypto";
import { durationText } from "../../model/duration.ts";
import type { FleetEvent } from "../../model/event.ts";
import { eventSentence } from "../../output/event-text.ts";
import { eventJson, isoTime } from "../../output/json.ts";
import { safeJson, safeLine } from "../../platform/terminal.ts";
import { deadlineOf } from "./exec.ts";

/** How the body of a webhook is written. */
export const WEBHOOK_FORMATS = ["json", "slack"] as const;
export type WebhookFormat = (typeof WEBHOOK_FORMATS)[number];

/** One attempt at telling of one event. */
export interface Telling {
  readonly event: FleetEvent;
  /** 1 for the first. */
  readonly attempt: number;
  /** Epoch milliseconds. */
  readonly now: number;
}

/** The same for every attempt at an event, and for no other event, also of another database: receivers drop repeats by it. */
export function eventId({ seq, at, type, instance, provider }: FleetEvent): string {
  const digest = createHash("sha256")
    .update(JSON.stringify([seq, at, type, instance, provider]))
    .digest("hex");
  return `evt-${seq}-${digest.slice(0, 16)}`;
}

/** The body: the versioned envelope, or a text for people. */
export function webhookBody(format: WebhookFormat, telling: Telling): string {
  if (format === "slack") return safeJson({ text: slackText(telling) });
  const { event, attempt, now } = telling;
  return safeJson({ schema: "spot.webhook/1", id: eventId(event), sentAt: isoTime(now), attempt, event: eventJson(event) });
}

/** `t=<unix seconds>,v1=<hex>`: HMAC-SHA-256 of `t`, a full stop and the body, under the receiver's secret. */
export function signature(secret: string, body: string, now: number): string {
  const seconds = Math.floor(now / 1000);
  return `t=${seconds},v1=${createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex")}`;
}

/** Slack reads these three as its own. */
export function slackEscape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

const POLICIES: Readonly<Record<string, string>> = {
  replace: "a new machine takes over from the last checkpoint",
  hibernate: "it is put to sleep with its work",
  wait: "it waits until its cloud has room again",
  "let-go": "it is let go",
  checkpoint: "a checkpoint is sealed, and it is let go",
};

/** One event in the words that one wants to read at three in the morning. */
function slackText({ event, now }: Telling): string {
  const { instance, provider, data } = event;
  const name = `*${slackEscape(safeLine(instance ?? provider ?? "spot"))}*`;
  const where = instance === null || provider === null ? "" : ` (${slackEscape(safeLine(provider))})`;
  if (event.type !== "notice" || data["withdrawn"] === true) {
    const sign = event.type === "warning" ? ":warning: " : event.type === "notice" ? ":white_check_mark: " : "";
    return `${sign}${name}${where}: ${slackEscape(eventSentence(event))}`;
  }
  const deadline = deadlineOf(event);
  const by = data["source"] === "guest" ? "its agent heard it" : "the provider says so";
  const next = POLICIES[String(data["policy"])];
  const what = data["kind"] === "reclaim" ? "will be taken back" : `is under a ${slackEscape(safeLine(String(data["kind"])))} notice`;
  const when =
    deadline === null
      ? ""
      : deadline <= now
        ? `, its time ran out ${durationText(now - deadline)} ago`
        : ` in ${durationText(deadline - now)}`;
  const at = deadline === null ? "" : ` (${new Date(deadline).toISOString().slice(11, 19)} UTC)`;
  const follows = data["kind"] === "reclaim" && next !== undefined ? ` Then: ${next}.` : "";
  return `:rotating_light: ${name}${where} ${what}${when}${at}; ${by}.${follows}`;
}
