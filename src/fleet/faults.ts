import { EXIT } from "../model/exit-codes.ts";
import { Problem } from "../model/problem.ts";
import { ProviderError } from "../providers/errors.ts";

/** A provider's fault as the person who typed the command should read it. Anything else is passed through unchanged. */
export function problemOf(error: unknown): unknown {
  if (!(error instanceof ProviderError)) return error;
  const { provider, fault, message, rawCode } = error;
  const said = `${provider}: ${message}${rawCode === null ? "" : ` (${rawCode})`}`;
  switch (fault.kind) {
    case "no-capacity":
      return new Problem({
        code: "SPOT_E_NO_CAPACITY",
        message: said,
        exit: EXIT.noCapacity,
        retryable: true,
        next: ["spot offers"],
        cause: error,
      });
    case "price-too-low":
      return new Problem({ code: "SPOT_E_PRICE", message: said, exit: EXIT.refused, next: ["spot offers --sort price"], cause: error });
    case "auth":
      return new Problem({
        code: "SPOT_E_CREDENTIALS",
        message: said,
        exit: EXIT.credentials,
        next: [`spot provider login ${provider}`, "spot doctor"],
        cause: error,
      });
    case "rate-limited":
    case "unavailable":
      return new Problem({
        code: "SPOT_E_UNAVAILABLE",
        message: said,
        exit: EXIT.failed,
        retryable: true,
        next: ["spot doctor"],
        cause: error,
      });
    case "ambiguous":
      return new Problem({
        code: "SPOT_E_AMBIGUOUS",
        message: said,
        exit: EXIT.partial,
        hint: "the request left and no answer came; it may have been done",
        next: ["spot reconcile"],
        retryable: true,
        cause: error,
      });
    case "not-found":
      return new Problem({ code: "SPOT_E_NOT_FOUND", message: said, exit: EXIT.notFound, next: ["spot ls --refresh"], cause: error });
    case "quota":
    case "invalid-request":
    case "conflict":
    case "unsupported":
    case "protocol":
      return new Problem({ code: `SPOT_E_${fault.kind.toUpperCase().replace("-", "_")}`, message: said, exit: EXIT.failed, cause: error });
  }
}

/** Whether the call certainly did nothing, so that its intent can be closed. */
export function didNothing(error: unknown): error is ProviderError {
  return error instanceof ProviderError && error.fault.kind !== "ambiguous" && error.fault.kind !== "protocol";
}
