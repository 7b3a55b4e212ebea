import type { Parameters } from "./parameters.ts";
import { Refusal } from "./refusal.ts";
import type { Site } from "./site.ts";

/** Calls that take a ClientToken; the others know none. */
export interface TokenBook {
  /** Does it once for each token: a repeat is answered with what the first one was. @throws Refusal for another request with the same token. */
  once(action: string, found: Parameters, work: () => unknown): unknown;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: what is not ASCII begins there
const ASCII = /^[\x00-\x7f]{1,64}$/;

export function tokenBook(site: Site): TokenBook {
  const kept = new Map<string, { readonly fingerprint: string; readonly answer: unknown; readonly at: number }>();
  return {
    once(action, found, work) {
      const token = found.text("ClientToken");
      if (token === undefined || found.flag("DryRun") === true) return work();
      if (!ASCII.test(token)) throw new Refusal(400, "InvalidClientToken.Malformed", "The specified ClientToken is not valid.");
      const now = site.schedule.time();
      const first = kept.get(`${action} ${token}`);
      if (first !== undefined && now - first.at <= site.switches.tokenLastsMs) {
        if (site.switches.tokenIsProcessing)
          throw new Refusal(403, "IdempotentProcessing", "The previous idempotent request(s) is still processing.");
        if (first.fingerprint !== found.fingerprint)
          throw new Refusal(
            400,
            "IdempotentParameterMismatch",
            "The request uses the same client token as a previous one with other parameters.",
          );
        return first.answer;
      }
      const answer = work();
      kept.set(`${action} ${token}`, { fingerprint: found.fingerprint, answer, at: now });
      return answer;
    },
  };
}
