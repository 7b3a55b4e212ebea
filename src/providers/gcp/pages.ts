import type * as v from "valibot";
import { isFault, ProviderError } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import type { Api } from "./api.ts";
import { PROVIDER } from "./codes.ts";

/** The most that one page may hold (discovery document, maxResults). */
const PAGE_SIZE = 500;
/** An end for a server that gives pages for ever. */
const MOST_PAGES = 400;

interface Page {
  readonly nextPageToken: string | null;
  readonly unreachables: readonly string[];
}

interface AggregatedPage<Row> extends Page {
  readonly warning: { readonly code: string } | null;
  readonly items: Readonly<Record<string, { readonly warning: { readonly code: string } | null; readonly rows: readonly Row[] }>>;
}

interface PlainPage<Row> extends Page {
  readonly items: readonly Row[];
}

const broken = (message: string) => new ProviderError(PROVIDER, { kind: "protocol" }, message);

async function everyPage<Schema extends v.GenericSchema<unknown, Page>>(
  api: Api,
  schema: Schema,
  path: string,
  context: CallContext,
  query: Readonly<Record<string, string | number | boolean>>,
  take: (page: v.InferOutput<Schema>) => void,
): Promise<void> {
  let pageToken: string | null = null;
  for (let count = 0; count < MOST_PAGES; count++) {
    const page: v.InferOutput<Schema> = await api.read(schema, path, context, {
      ...query,
      maxResults: PAGE_SIZE,
      ...(pageToken === null ? {} : { pageToken }),
    });
    take(page);
    const next: string | null = page.nextPageToken === "" ? null : page.nextPageToken;
    if (next === null) return;
    if (next === pageToken) throw broken(`the pages of ${path} do not end`);
    pageToken = next;
  }
  throw broken(`${path} has more than ${MOST_PAGES} pages`);
}

/** Warnings about a whole list which say that something may be missing in it (discovery document). */
const NOT_WHOLE = ["UNREACHABLE", "PARTIAL_SUCCESS", "LIST_OVERHEAD_QUOTA_EXCEED"];

/** The place that did not answer, of a scope's key (`zones/us-central1-a`) or a reference to it. */
const placeOf = (reference: string) => reference.replace(/^.*\/(zones|regions)\//, "$1/");

/**
 * The rows of all places. Google answers 200 for what it could reach; half a list is no list: a machine that is missing in it
 * is unknown, not gone.
 * @throws ProviderError `unavailable` that names the places which did not answer.
 */
export async function aggregatedList<Row>(
  api: Api,
  schema: v.GenericSchema<unknown, AggregatedPage<Row>>,
  path: string,
  context: CallContext,
  query: Readonly<Record<string, string>> = {},
): Promise<readonly (readonly [scope: string, row: Row])[]> {
  return (await aggregatedOnce(api, schema, path, context, query)).rows;
}

/**
 * The same for rows that come and go. What a page token points at is not documented: should it be a number of rows, one that
 * goes meanwhile costs another its place. So a list of more than one page is read twice, and both readings count.
 */
export async function movingList<Row extends { readonly name: string }>(
  api: Api,
  schema: v.GenericSchema<unknown, AggregatedPage<Row>>,
  path: string,
  context: CallContext,
): Promise<readonly (readonly [scope: string, row: Row])[]> {
  const first = await aggregatedOnce(api, schema, path, context, {});
  if (first.pages === 1) return first.rows;
  const { rows: again } = await aggregatedOnce(api, schema, path, context, {});
  const all = new Map([...first.rows, ...again].map(([scope, row]) => [`${scope}/${row.name}`, [scope, row] as const]));
  return [...all.values()];
}

async function aggregatedOnce<Row>(
  api: Api,
  schema: v.GenericSchema<unknown, AggregatedPage<Row>>,
  path: string,
  context: CallContext,
  query: Readonly<Record<string, string>>,
): Promise<{ readonly rows: readonly (readonly [scope: string, row: Row])[]; readonly pages: number }> {
  const rows: (readonly [string, Row])[] = [];
  const silent = new Set<string>();
  let pages = 0;
  await everyPage(api, schema, `aggregated/${path}`, context, { ...query, returnPartialSuccess: true }, (page) => {
    pages += 1;
    for (const place of page.unreachables) silent.add(placeOf(place));
    if (page.warning !== null && NOT_WHOLE.includes(page.warning.code)) silent.add(`somebody (${page.warning.code})`);
    for (const [scope, { warning, rows: found }] of Object.entries(page.items)) {
      if (warning !== null && warning.code !== "" && warning.code !== "NO_RESULTS_ON_PAGE") silent.add(placeOf(scope));
      for (const row of found) rows.push([scope, row]);
    }
  });
  if (silent.size > 0)
    throw new ProviderError(
      PROVIDER,
      { kind: "unavailable" },
      `${[...silent].slice(0, 5).join(", ")} did not answer: the list of ${path} is not whole`,
    );
  return { rows, pages };
}

/** The rows of one place. */
export async function plainList<Row>(
  api: Api,
  schema: v.GenericSchema<unknown, PlainPage<Row>>,
  path: string,
  context: CallContext,
  query: Readonly<Record<string, string>> = {},
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  await everyPage(api, schema, path, context, query, (page) => {
    rows.push(...page.items);
  });
  return rows;
}

/**
 * Asks for some fields of an answer alone, which makes lists of types a tenth as large. It is a saving, not a need: a server
 * that refuses the selection is asked for everything.
 */
export async function selected<Result>(fields: string, ask: (query: Readonly<Record<string, string>>) => Promise<Result>): Promise<Result> {
  try {
    return await ask({ fields });
  } catch (error) {
    if (!isFault(error, "invalid-request")) throw error;
    return ask({});
  }
}
