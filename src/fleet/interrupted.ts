import { EXIT, type ExitCode } from "../model/exit-codes.ts";
import { Problem } from "../model/problem.ts";

/** The exit code that goes with the reason of a signal: Ctrl-C, SIGTERM, or a time-out. */
function exitFor(reason: unknown): ExitCode {
  if (reason === "SIGINT") return EXIT.interrupted;
  return reason === "SIGTERM" ? EXIT.terminated : EXIT.timeout;
}

/** What to throw when a command was told to stop in the middle: how things stand, what to run next, and whether the same again would do. */
export function interrupted(signal: AbortSignal, how: string, next: readonly string[], cause: unknown, retryable = false): Problem {
  const exit = exitFor(signal.reason);
  const what = exit === EXIT.timeout ? "the time was up" : "interrupted";
  return new Problem({
    code: exit === EXIT.timeout ? "SPOT_E_TIMEOUT" : "SPOT_E_INTERRUPTED",
    message: `${what}: ${how}`,
    exit,
    next,
    retryable,
    cause,
  });
}
