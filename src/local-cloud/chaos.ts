import type { CloudDatabase } from "./database.ts";
import type { ChaosRule } from "./records.ts";

/** The operations of the API that a rule can name. */
export const OPERATIONS = [
  "offers",
  "launch",
  "list",
  "get",
  "destroy",
  "hibernate",
  "restore",
  "volume-create",
  "volume-list",
  "volume-remove",
  "bill",
] as const;
export type Operation = (typeof OPERATIONS)[number];

/** What goes wrong with one call. */
export interface Mischief {
  readonly delayMs: number;
  /** Answered instead of doing anything. */
  readonly fail: { readonly status: number; readonly code: string } | null;
  /** Do it, then hang up. */
  readonly loseAnswer: boolean;
  /** The instance that this call starts will not come up. */
  readonly startFailure: boolean;
}

const DEFAULT_DELAY_MS = 1000;

/** Uses up one of each rule that fits this call. */
export function strikeChaos(database: CloudDatabase, operation: Operation): Mischief {
  const rules = database.chaos();
  const fits = (rule: ChaosRule) =>
    rule.times > 0 && (rule.on === operation || rule.on === "*") && (rule.effect !== "start-failure" || isStart(operation));
  const struck = rules.filter(fits);
  if (struck.length > 0)
    database.saveChaos(rules.map((rule) => (fits(rule) ? { ...rule, times: rule.times - 1 } : rule)).filter(({ times }) => times > 0));
  const failure = struck.find(({ effect }) => effect === "fail");
  return {
    delayMs: struck.filter(({ effect }) => effect === "delay").reduce((sum, rule) => sum + (rule.ms ?? DEFAULT_DELAY_MS), 0),
    fail: failure === undefined ? null : { status: failure.status ?? 503, code: failure.code ?? "unavailable" },
    loseAnswer: struck.some(({ effect }) => effect === "lose-answer"),
    startFailure: struck.some(({ effect }) => effect === "start-failure"),
  };
}

function isStart(operation: Operation): boolean {
  return operation === "launch" || operation === "restore";
}
