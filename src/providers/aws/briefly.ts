import { deadline } from "../../platform/clock.ts";
import type { CallContext } from "../provider.ts";

/** What is good to know is waited for so long: what must be known is then still in time. */
const WITHIN_MS = 8_000;

/** Does it with a deadline of its own, which is nobody's else. */
export async function briefly<Result>(
  { signal }: CallContext,
  work: (context: CallContext) => Promise<Result>,
  withinMs = WITHIN_MS,
): Promise<Result> {
  const limit = deadline(signal, withinMs);
  try {
    return await work({ signal: limit.signal });
  } finally {
    limit.done();
  }
}
