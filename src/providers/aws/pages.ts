import { ProviderError } from "../errors.ts";
import { PROVIDER } from "./codes.ts";

const MOST_PAGES = 2_000;

/**
 * Every row of a list. The token alone says whether there is more: a page may be empty and not be the last.
 * @throws ProviderError `protocol` for an answer without the list that was asked for, and for a list that does not end.
 */
export async function everyPage<Page extends { readonly NextToken?: string | undefined }, Row>(
  what: string,
  ask: (token: { readonly NextToken?: string }) => Promise<Page>,
  rows: (page: Page) => readonly Row[] | undefined,
): Promise<readonly Row[]> {
  const all: Row[] = [];
  let token: string | undefined;
  for (let page = 0; page < MOST_PAGES; page++) {
    const answer = await ask(token === undefined ? {} : { NextToken: token });
    all.push(...rowsOf(what, rows(answer)));
    const next = answer.NextToken || undefined;
    if (next === undefined) return all;
    if (next === token) break;
    token = next;
  }
  throw new ProviderError(PROVIDER, { kind: "protocol" }, `the list of ${what} does not end`);
}

/** An empty list is an empty element; a list that is not there is none. */
export function rowsOf<Row>(what: string, rows: readonly Row[] | undefined): readonly Row[] {
  if (rows === undefined) throw new ProviderError(PROVIDER, { kind: "protocol" }, `an answer without the list of ${what}`);
  return rows;
}

/** The same, for answers of one page. @throws ProviderError `protocol` when what must be there is not. */
export function present<Value>(what: string, value: Value | null | undefined): Value {
  if (value === undefined || value === null || value === "")
    throw new ProviderError(PROVIDER, { kind: "protocol" }, `an answer without ${what}`);
  return value;
}
