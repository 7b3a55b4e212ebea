import type * as v from "valibot";
import { ProviderError } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import type { Ecs, EcsCall } from "./client.ts";
import { PROVIDER } from "./codes.ts";

const MOST_PAGES = 2_000;

/**
 * Every page of a list, by `NextToken`; `TotalCount` means nothing beside it. A row that is on two pages comes once.
 * @throws ProviderError `protocol` when the paging does not end.
 */
export async function wholeList<Schema extends v.GenericSchema<unknown, { readonly NextToken: string }>, Row>(
  ecs: Ecs,
  call: EcsCall<Schema>,
  { rows, idOf }: { rows(page: v.InferOutput<Schema>): readonly Row[]; idOf(row: Row): string },
  context: CallContext,
): Promise<readonly Row[]> {
  const found = new Map<string, Row>();
  const seen = new Set<string>();
  let token = "";
  for (let page = 0; page < MOST_PAGES; page++) {
    const parameters = { ...call.parameters, NextToken: token === "" ? undefined : token };
    const answer = await ecs.read({ ...call, parameters }, context);
    for (const row of rows(answer)) found.set(idOf(row), row);
    token = answer.NextToken;
    if (token === "") return [...found.values()];
    if (seen.has(token)) break;
    seen.add(token);
  }
  throw new ProviderError(PROVIDER, { kind: "protocol" }, `the pages of ${call.action} do not end`);
}
