/** What a budget counts: everything or one fleet, from the beginning or by the calendar day. */
export interface BudgetScope {
  /** Null for everything. */
  readonly fleet: string | null;
  /** By the calendar day in UTC; otherwise since the ledger began. */
  readonly perDay: boolean;
}

/** What may happen at a cap, the default first. */
export const AT_CAP = ["refuse", "hibernate", "warn"] as const;

/** As a record keeps it and a person types it: `total`, `day`, `fleet:NAME` or `fleet:NAME:day`. */
export function scopeText({ fleet, perDay }: BudgetScope): string {
  if (fleet === null) return perDay ? "day" : "total";
  return `fleet:${fleet}${perDay ? ":day" : ""}`;
}

/** @returns undefined for what is no scope. */
export function scopeFrom(text: string): BudgetScope | undefined {
  if (text === "total" || text === "day") return { fleet: null, perDay: text === "day" };
  const [, fleet, day] = /^fleet:([^:]+)(:day)?$/.exec(text) ?? [];
  return fleet === undefined ? undefined : { fleet, perDay: day !== undefined };
}

/** For people: "the total budget", "the day's budget", "the budget of fleet night", "the day's budget of fleet night". */
export function scopeName(text: string): string {
  const { fleet, perDay } = scopeFrom(text) ?? { fleet: null, perDay: false };
  if (fleet === null) return perDay ? "the day's budget" : "the total budget";
  return `the ${perDay ? "day's " : ""}budget of fleet ${fleet}`;
}

/** Whether what belongs to a fleet (null for none) counts in this scope. */
export function isInScope(scope: BudgetScope, fleet: string | null): boolean {
  return scope.fleet === null || scope.fleet === fleet;
}
