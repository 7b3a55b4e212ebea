/** What one check of `spot doctor` found. */
export interface Finding {
  readonly check: string;
  readonly status: "ok" | "warn" | "fail";
  /** What was seen. */
  readonly detail: string;
  /** What to do about it; empty when all is well. */
  readonly hint: string;
}

export type Verdict = Omit<Finding, "check">;

export const fine = (detail: string): Verdict => ({ status: "ok", detail, hint: "" });
export const doubtful = (detail: string, hint: string): Verdict => ({ status: "warn", detail, hint });
export const bad = (detail: string, hint: string): Verdict => ({ status: "fail", detail, hint });
export const said = (error: unknown) => (error instanceof Error ? error.message : String(error));
