import type { Api } from "./api.ts";
import { requestId } from "./names.ts";

/** A repeat within a minute is the same request; a later one, after a refusal, is another. */
const SAME_REQUEST_MS = 60_000;

/** The request id of a deletion, of what is deleted and when: names are never used again, so nothing else can be meant. */
export function deletionId(api: Pick<Api, "now">, path: string): string {
  return requestId("delete", path, String(Math.floor(api.now() / SAME_REQUEST_MS)));
}
