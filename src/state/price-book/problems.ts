import { Problem } from "../../model/problem.ts";
import { databaseProblem } from "../problems.ts";

/**
 * `databaseProblem` of the price book, of which nothing is lost for good but its history, and with which nothing is rented:
 * what it advises of the fleet's state would be wrong here.
 */
export function bookProblem(error: unknown, path: string): unknown {
  const problem = databaseProblem(error, path);
  if (!(problem instanceof Problem)) return problem;
  const isDamaged = problem.code === "SPOT_E_STATE_CORRUPT";
  return new Problem({
    code: problem.code,
    message: problem.message.replace("the state database", "the price book"),
    exit: problem.exit,
    ...(isDamaged
      ? { hint: "nothing but prices is in it: it may be deleted, and the next sync makes it anew, without the history" }
      : problem.hint === undefined
        ? {}
        : { hint: problem.hint }),
    next: isDamaged
      ? [`rm ${path}`, "spot price sync"]
      : problem.next.map((line) => (line === "spot reconcile" ? "spot price sync" : line)),
    retryable: problem.retryable,
    cause: problem.cause,
  });
}
