import { isFault, ProviderError } from "../errors.ts";

export interface Page<Row> {
  readonly rows: readonly Row[];
  /** How many there are in all, as the cloud counts; null when it does not say. */
  readonly total: number | null;
}

/** Where the first page is, as far as it was found out; one for each list of a cloud, kept between its readings. */
export interface FirstPage {
  page: 0 | 1;
  isSure: boolean;
}

/** Pages that are asked for at once, once the first one has said how many there are. */
const AT_ONCE = 6;
const MOST_PAGES = 1000;
const MOST_WALKS = 3;

interface Walk<Row> {
  readonly rows: Map<string, Row>;
  readonly total: number | null;
  /** Nothing moved while it was walked: the total stood still and no row was met twice. */
  readonly isSteady: boolean;
  /** Everything was on one page, which is of one moment. */
  readonly isOnePage: boolean;
}

export interface PagedList<Row> {
  readonly provider: string;
  fetch(page: number): Promise<Page<Row>>;
  idOf(row: Row): string;
  readonly first: FirstPage;
}

async function walk<Row>({ provider, fetch, idOf, first: { page: first } }: PagedList<Row>, wanted: string | null): Promise<Walk<Row>> {
  const rows = new Map<string, Row>();
  let [total, largest, isSteady, next]: [number | null, number, boolean, number] = [null, 0, true, first];
  while (next < first + MOST_PAGES) {
    const missing = total === null || largest === 0 ? 1 : Math.ceil((total - rows.size) / largest);
    const count = Math.min(AT_ONCE, Math.max(1, missing));
    const from = next;
    const pages = await Promise.all(Array.from({ length: count }, (_, at) => fetch(from + at)));
    next += count;
    let fresh = 0;
    for (const page of pages) {
      // A total of nothing beside rows is no total.
      const said: number | null = page.total === 0 && page.rows.length > 0 ? null : page.total;
      if (total !== null && said !== total) isSteady = false;
      total = said;
      largest = Math.max(largest, page.rows.length);
      for (const row of page.rows) {
        if (rows.has(idOf(row))) isSteady = false;
        else fresh += 1;
        rows.set(idOf(row), row);
      }
    }
    const isEnd =
      pages.some((page) => page.rows.length === 0) || fresh === 0 || (total !== null && rows.size >= total) || rows.has(wanted ?? "");
    if (isEnd) return { rows, total, isSteady, isOnePage: rows.size <= largest };
  }
  throw new ProviderError(provider, { kind: "protocol" }, "a list does not end");
}

/**
 * Every row of a list that knows page numbers only, each once. The documents do not say whether the first page is 0 or 1, and
 * rows move between pages while they are read; so the list is walked again until one walk met as many rows as the cloud
 * counts and none of them twice, or, where it does not count, nothing that the walk before had not met; three times at most. With an id that is `wanted`, the walk ends where it is met.
 * @throws ProviderError `protocol` for a list without an end.
 */
export async function everyRow<Row>(list: PagedList<Row>, wanted: string | null = null): Promise<readonly Row[]> {
  const { idOf, first } = list;
  const met = new Map<string, Row>();
  for (let walks = 0; walks < MOST_WALKS; walks++) {
    const { rows, total, isSteady, isOnePage } = await walk(list, wanted);
    if (wanted !== null && rows.has(wanted)) return [...rows.values()];
    if (first.page === 1 && (total === null ? !first.isSure : rows.size < total)) {
      const zeroth = await pageZero(list);
      const more = zeroth.filter((row) => !rows.has(idOf(row)));
      // Where pages count from 1, page 0 is refused, empty or the first one again.
      if (more.length > 0 && more.length === zeroth.length) first.page = 0;
      first.isSure ||= rows.size + zeroth.length > 0;
      for (const row of more) rows.set(idOf(row), row);
    }
    // Without a count, a row that moved to a page that was read before is seen only by walking once more.
    if (isSteady && (total === null ? isOnePage : rows.size === total)) return [...rows.values()];
    const before = met.size;
    for (const [id, row] of rows) met.set(id, row);
    if (walks > 0 && met.size === before) break;
  }
  return [...met.values()];
}

async function pageZero<Row>({ fetch }: PagedList<Row>): Promise<readonly Row[]> {
  try {
    return (await fetch(0)).rows;
  } catch (error) {
    if (isFault(error, "invalid-request", "not-found")) return [];
    throw error;
  }
}
