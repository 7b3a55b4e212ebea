import type { Api } from "./api.ts";
import { requestId } from "./names.ts";

/** A repeat within a minute is the same request; a later one, after a refusal, is another. */
const SAME_REQUEST_MS = 60_000;

/**
 * Part of the ids of requests that may be refused and sent again: what Google answers to an id whose first request came to
 * nothing is not documented. Twice the same thing cannot come of it, since the name carries the token.
 */
export function thisMinute(api: Pick<Api, "now">): string {
  return String(Math.floor(api.now() / SAME_REQUEST_MS));
}

/** The request id of a deletion, of what is deleted and when: names are never used again, so nothing else can be meant. */
export function deletionId(api: Pick<Api, "now">, path: string): string {
  return requestId("delete", path, thisMinute(api));
}
