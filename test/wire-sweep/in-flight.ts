import { subscribe, unsubscribe } from "node:diagnostics_channel";

const BEGUN = "undici:request:create";
const ENDED = ["undici:request:trailers", "undici:request:error"];

/** Whether a request of this process is on its way, by what the HTTP library itself reports, until `done`. */
export function requestsInFlight(): { readonly busy: () => boolean; done(): void } {
  const open = new Set<unknown>();
  const begin = (message: unknown) => open.add((message as { readonly request: unknown }).request);
  const end = (message: unknown) => open.delete((message as { readonly request: unknown }).request);
  subscribe(BEGUN, begin);
  for (const channel of ENDED) subscribe(channel, end);
  return {
    busy: () => open.size > 0,
    done() {
      unsubscribe(BEGUN, begin);
      for (const channel of ENDED) unsubscribe(channel, end);
    },
  };
}
