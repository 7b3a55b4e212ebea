import { deadline } from "../../platform/clock.ts";
import { type HttpClient, HttpFailure, type HttpResponse } from "../../platform/http.ts";
import { eventId, signature, type Telling, webhookBody } from "./webhook-message.ts";
import type { WebhookTarget } from "./webhook-target.ts";

const ANSWER_MS = 10_000;
/** Nobody is left alone for longer than an event is worth telling. */
const LONGEST_WAIT_MS = 24 * 3_600_000;

/** What came of one attempt. */
export type Posted =
  | { readonly kind: "delivered" }
  /** Another try would be answered in the same way. */
  | { readonly kind: "refused"; readonly why: string }
  | { readonly kind: "failed"; readonly why: string; readonly retryAfterMs: number | null };

/** Seconds, or an HTTP date. */
function retryAfterMs(header: string | undefined, now: number): number | null {
  if (header === undefined) return null;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isFinite(ms) ? Math.min(LONGEST_WAIT_MS, Math.max(0, ms)) : null;
}

function postedOf({ status, headers }: HttpResponse, now: number): Posted {
  if (status >= 200 && status < 300) return { kind: "delivered" };
  if (status >= 300 && status < 400) return { kind: "refused", why: `it redirects (${status}), and redirects are not followed` };
  const mayRetry = status >= 500 || status === 408 || status === 425 || status === 429;
  if (!mayRetry) return { kind: "refused", why: `it answered ${status}` };
  return { kind: "failed", why: `it answered ${status}`, retryAfterMs: retryAfterMs(headers["retry-after"], now) };
}

/** Sends one event once. Never throws. */
export async function post(
  client: HttpClient,
  target: WebhookTarget,
  telling: Telling,
  secret: string | null,
  signal: AbortSignal,
): Promise<Posted> {
  const body = webhookBody(target.format, telling);
  const headers: Record<string, string> = {
    "content-type": "application/json; charset=utf-8",
    "user-agent": "spot-fleet",
    "spot-event-id": eventId(telling.event),
    ...(secret === null || target.format === "slack" ? {} : { "spot-signature": signature(secret, body, telling.now) }),
  };
  const limit = deadline(signal, ANSWER_MS);
  try {
    return postedOf(await client.send({ method: "POST", path: target.path, headers, body, signal: limit.signal }), telling.now);
  } catch (error) {
    // The words of a failed connection name addresses and ports, never the path.
    const why = error instanceof HttpFailure && error.code !== "" ? error.code : "no answer";
    return { kind: "failed", why: limit.signal.aborted && !signal.aborted ? "no answer within 10 s" : why, retryAfterMs: null };
  } finally {
    limit.done();
  }
}
