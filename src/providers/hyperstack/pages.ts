import * as v from "valibot";
import { ProviderError } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import type { Api } from "./api.ts";
import { PROVIDER } from "./codes.ts";

/** How many rows are asked for; the cloud may give fewer, so a short page proves nothing. */
const PAGE_SIZE = 100;
const MOST_PAGES = 1000;
/** The vendor's own page where nothing else is asked for: no page that is full has fewer rows. */
const SMALLEST_PAGE = 10;
/** How often a list is read again that changed while it was read. */
const READINGS = 3;

interface Reading<Row> {
  readonly rows: ReadonlyMap<string, Row>;
  /** Whether rows may have slipped from one page to another while they were read. */
  readonly moved: boolean;
}

/**
 * Every row of a list, each once. `page` counts from 1; `page` and `page_size` in the answer may be null. Whether `count` is
 * the number of all rows or of those in the page is not documented: it is taken for the first once it is more than a page
 * shows, and until then a page that may be full is not the last. Lists are ordered by age, so a row that goes away while pages are read moves the others up, and
 * one of them over the edge of a page: then it is read again.
 */
export async function wholeList<Schema extends v.GenericSchema<unknown, { readonly id: string }>>(
  api: Api,
  where: { readonly path: string; readonly key: string; readonly row: Schema; readonly query?: Readonly<Record<string, string>> },
  context: CallContext,
): Promise<readonly v.InferOutput<Schema>[]> {
  const number = v.fallback(v.nullable(v.pipe(v.union([v.number(), v.string()]), v.transform(Number))), null);
  const page = v.object({ [where.key]: v.array(v.unknown()), count: number, page_size: number });
  const all = new Map<string, v.InferOutput<Schema>>();
  for (let reading = 1; ; reading++) {
    const { rows, moved } = await readOnce(api, { ...where, page }, context);
    for (const [id, row] of rows) all.set(id, row);
    // What an earlier reading saw and the last one did not is gone, unless rows moved in the last one as well.
    if (!moved) return [...rows.values()];
    if (reading === READINGS) return [...all.values()];
  }
}

async function readOnce<Schema extends v.GenericSchema<unknown, { readonly id: string }>>(
  api: Api,
  where: {
    readonly path: string;
    readonly key: string;
    readonly row: Schema;
    readonly page: v.GenericSchema<unknown, { readonly [key: string]: unknown }>;
    readonly query?: Readonly<Record<string, string>>;
  },
  context: CallContext,
): Promise<Reading<v.InferOutput<Schema>>> {
  const rows = new Map<string, v.InferOutput<Schema>>();
  let seen = 0;
  let firstCount: number | null = null;
  let countsAll = false;
  for (let number = 1; number <= MOST_PAGES; number++) {
    const answer = await api.read(where.page, where.path, context, { ...where.query, page: number, pageSize: PAGE_SIZE });
    const found = answer[where.key] as readonly unknown[];
    const [count, size] = [answer["count"] as number | null, answer["page_size"] as number | null];
    firstCount ??= count;
    countsAll ||= count !== null && count > found.length;
    const before = rows.size;
    for (const one of found) {
      const row = v.safeParse(where.row, one);
      if (row.success) rows.set(row.output.id, row.output);
      else throw new ProviderError(PROVIDER, { kind: "protocol" }, `${where.path} lists something without an id`);
    }
    seen += found.length;
    const isShort = found.length < (size ?? SMALLEST_PAGE);
    const isCounted = count !== null && seen >= count && (countsAll || isShort);
    if (found.length > 0 && !isCounted && rows.size > before) continue;
    return { rows, moved: countsAll && firstCount !== null && number > 1 && (count !== firstCount || rows.size < firstCount) };
  }
  throw new ProviderError(PROVIDER, { kind: "protocol" }, `the list at ${where.path} does not end`);
}
