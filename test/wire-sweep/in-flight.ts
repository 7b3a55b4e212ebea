import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { onTestFinished } from "vitest";

const BEGUN = "undici:request:create";
const ENDED = ["undici:request:trailers", "undici:request:error"];

/** Whether a request of this process is on its way, by what the HTTP library itself reports. To be called inside a test. */
export function requestsInFlight(): () => boolean {
  const open = new Set<unknown>();
  const begin = (message: unknown) => open.add((message as { readonly request: unknown }).request);
  const end = (message: unknown) => open.delete((message as { readonly request: unknown }).request);
  subscribe(BEGUN, begin);
  for (const channel of ENDED) subscribe(channel, end);
  onTestFinished(() => {
    unsubscribe(BEGUN, begin);
    for (const channel of ENDED) unsubscribe(channel, end);
  });
  return () => open.size > 0;
}
