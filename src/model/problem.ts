import { EXIT, type ExitCode } from "./exit-codes.ts";

/** Everything a person or a script needs to know about a failure: what happened, why, and what to run next. */
export interface ProblemDetails {
  /** Stable code, e.g. `SPOT_E_NOT_FOUND`; part of the contract with scripts. */
  readonly code: `SPOT_E_${string}`;
  readonly message: string;
  readonly exit: ExitCode;
  /** Why it happened, or how to avoid it. */
  readonly hint?: string;
  /** Commands worth running next, most useful first. */
  readonly next?: readonly string[];
  /** True when the very same command may succeed later. */
  readonly retryable?: boolean;
  readonly cause?: unknown;
}

/** The one error that reaches the edge of the program on purpose; anything else that does is a bug (exit 70). */
export class Problem extends Error {
  readonly code: `SPOT_E_${string}`;
  readonly exit: ExitCode;
  readonly hint: string | undefined;
  readonly next: readonly string[];
  readonly retryable: boolean;

  constructor(details: ProblemDetails) {
    super(details.message, details.cause === undefined ? {} : { cause: details.cause });
    this.name = "Problem";
    this.code = details.code;
    this.exit = details.exit;
    this.hint = details.hint;
    this.next = details.next ?? [];
    this.retryable = details.retryable ?? false;
  }
}

/** A mistake in what was typed or in a file that was given: exit 2. */
export function usageProblem(message: string, hint?: string, next?: readonly string[]): Problem {
  return new Problem({
    code: "SPOT_E_USAGE",
    message,
    exit: EXIT.usage,
    ...(hint === undefined ? {} : { hint }),
    ...(next === undefined ? {} : { next }),
  });
}

/** Something that was named does not exist: exit 9. */
export function notFoundProblem(what: string, name: string, next: readonly string[]): Problem {
  return new Problem({
    code: "SPOT_E_NOT_FOUND",
    message: `no ${what} named ${JSON.stringify(name)}`,
    exit: EXIT.notFound,
    next,
  });
}
