import { deadline } from "../../platform/clock.ts";
import { cloudHttp } from "../cloud-http.ts";
import { isFault, ProviderError } from "../errors.ts";
import { PROVIDER } from "./codes.ts";
import type { GcpWorld } from "./settings.ts";

/** Off Google's machines the name is not known, or nobody answers under it. */
const ANSWER_WITHIN_MS = 3_000;
const HOST = "metadata.google.internal";

/** The metadata server of the machine that this program itself runs on. */
export interface OwnMetadata {
  /** The text below `/computeMetadata/v1/`; undefined when there is no such server, or it says no. */
  read(path: string, signal: AbortSignal): Promise<string | undefined>;
}

export function ownMetadata({ env, clock }: Pick<GcpWorld, "env" | "clock">): OwnMetadata {
  const http = cloudHttp({
    provider: PROVIDER,
    baseUrl: `http://${env["GCE_METADATA_HOST"]?.trim() || HOST}`,
    clock,
    // On the link: no proxy leads there.
    env: {},
    headers: () => ({ "metadata-flavor": "Google" }),
    secrets: () => [],
  });
  return {
    async read(path, signal) {
      const limit = deadline(signal, ANSWER_WITHIN_MS);
      try {
        const answer = await http.send({ method: "GET", path: `/computeMetadata/v1/${path}`, effect: "read", signal: limit.signal });
        if (answer.status >= 500)
          throw new ProviderError(
            PROVIDER,
            { kind: "unavailable" },
            `the metadata server of this machine answers with HTTP ${answer.status}`,
          );
        return answer.status === 200 ? answer.text : undefined;
      } catch (error) {
        if (signal.aborted || (isFault(error, "unavailable") && error.cause === undefined)) throw error;
        return undefined;
      } finally {
        limit.done();
      }
    },
  };
}
