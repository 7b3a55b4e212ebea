import type { Parameters } from "./parameters.ts";
import { invalid } from "./refusal.ts";

interface Limits {
  /** The most rows of a page with MaxResults, and of one with PageSize. */
  readonly most: number;
  /** Whether the call knows NextToken, PageNumber, or both; without any parameter it is PageNumber. */
  readonly by: "token" | "number" | "both";
}

const LEAST = 10;

/** Rows are remembered by their number, so that a list that moved meanwhile loses none. */
function readToken(found: Parameters): number {
  const token = found.text("NextToken");
  if (token === undefined) return 0;
  const number = /^n(\d+)$/.exec(Buffer.from(token, "base64url").toString("latin1"))?.[1];
  if (number === undefined) throw invalid("NextToken");
  return Number(number);
}

interface Numbered {
  readonly number: number;
}

export interface Page<Row> {
  readonly rows: readonly Row[];
  /** What the answer says beside the rows. */
  readonly about: Readonly<Record<string, unknown>>;
}

/** One page of rows that are given in any order; the oldest come first. */
export function pageOf<Row extends Numbered>(found: Parameters, all: readonly Row[], { most, by }: Limits): Page<Row> {
  const sorted = [...all].sort((a, b) => a.number - b.number);
  const asksForToken = found.number("MaxResults") !== undefined || found.text("NextToken") !== undefined;
  if (by === "token" || (by === "both" && asksForToken)) {
    const asked = found.number("MaxResults") ?? LEAST;
    if (asked < 1 || asked > most) throw invalid("MaxResults");
    const size = Math.max(LEAST, asked);
    const after = readToken(found);
    const left = sorted.filter(({ number }) => number > after);
    const rows = left.slice(0, size);
    const last = left.length > size ? rows.at(-1) : undefined;
    const NextToken = last === undefined ? "" : Buffer.from(`n${last.number}`).toString("base64url");
    // With tokens the count means nothing.
    return { rows, about: { NextToken, ...(by === "both" ? { TotalCount: 0, PageSize: 0, PageNumber: 0 } : {}) } };
  }
  const size = found.number("PageSize") ?? LEAST;
  const number = found.number("PageNumber") ?? 1;
  if (size < 1 || size > Math.min(most, 100)) throw invalid("PageSize");
  if (number < 1) throw invalid("PageNumber");
  const rows = sorted.slice((number - 1) * size, number * size);
  return { rows, about: { TotalCount: all.length, PageSize: size, PageNumber: number } };
}
