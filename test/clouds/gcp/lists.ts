import { link } from "./answers.ts";
import { REGIONS, ZONES } from "./catalogue.ts";
import { filterOf } from "./filter.ts";
import { invalid, Refusal } from "./refusal.ts";
import { PROJECT, type Scope, type Site } from "./site.ts";

export type Row = Readonly<Record<string, unknown>>;

/** A row and where it lies; made when it is looked at, for there may be thousands. */
export interface Placed {
  readonly scope: Scope;
  readonly name: string;
  row(): Row;
}

type Place = Pick<Placed, "scope" | "name">;

function pageOf(
  site: Site,
  query: URLSearchParams,
  rows: readonly Placed[],
): { readonly shown: readonly Placed[]; readonly next: string | null } {
  const asked = query.get("maxResults") ?? "500";
  if (!/^\d+$/.test(asked) || Number(asked) > 500)
    throw invalid(`Invalid value for field 'maxResults': '${asked}'. Must be between 0 and 500.`);
  // Zero means: as many as the server likes.
  const size = Math.min(Number(asked) === 0 ? 500 : Number(asked), site.switches.largestPage);
  const from = beginOf(query.get("pageToken"), rows);
  const until = from + size;
  const last = rows[until - 1];
  const isByName = site.switches.pageTokensBy === "name" && !(query.get("orderBy") ?? "").startsWith("creationTimestamp");
  const next = !isByName ? `from ${until}` : `after ${last?.scope} ${last?.name}`;
  return { shown: rows.slice(from, until), next: until < rows.length ? Buffer.from(next).toString("base64url") : null };
}

/** Where a page begins. @throws Refusal for what is no token of ours */
function beginOf(token: string | null, rows: readonly Placed[]): number {
  if (token === null || token === "") return 0;
  const [, word, scope = "", name] = /^(from|after) (\S*)(?: (.*))?$/.exec(Buffer.from(token, "base64url").toString("utf8")) ?? [];
  if (word === "from") return Number(scope);
  if (word === undefined || name === undefined) throw invalid(`Invalid value for field 'pageToken': '${token}'.`);
  const after = rows.findIndex((row) => byScopeAndName({ scope, name }, row) < 0);
  return after === -1 ? rows.length : after;
}

function ordered(query: URLSearchParams, rows: readonly Placed[]): readonly Placed[] {
  const order = query.get("orderBy");
  if (order === null || order === "" || order === "name") return rows;
  if (order !== "creationTimestamp desc") throw invalid(`Invalid value for field 'orderBy': '${order}'. Invalid order by.`);
  const made = rows.map((placed) => {
    const row = placed.row();
    return { placed, at: Date.parse(String(row["creationTimestamp"] ?? row["insertTime"])) };
  });
  return made.toSorted((one, other) => other.at - one.at).map(({ placed }) => placed);
}

const byScopeAndName = (one: Place, other: Place): number =>
  one.scope === other.scope ? (one.name < other.name ? -1 : 1) : one.scope < other.scope ? -1 : 1;

function filtered(query: URLSearchParams, rows: readonly Placed[]): readonly Placed[] {
  const text = query.get("filter");
  const test = filterOf(text);
  return text === null ? rows : rows.filter((placed) => test(placed.row()));
}

/** One page of the rows of one place. */
export function list(site: Site, query: URLSearchParams, kind: string, path: string, rows: readonly Placed[]): Row {
  const { shown, next } = pageOf(site, query, ordered(query, filtered(query, rows).toSorted(byScopeAndName)));
  return {
    kind,
    id: `projects/${PROJECT}/${path}`,
    ...(shown.length === 0 ? {} : { items: shown.map((placed) => placed.row()) }),
    ...(next === null ? {} : { nextPageToken: next }),
    selfLink: link(site, path),
  };
}

const emptyScope = (scope: Scope) => ({
  warning: {
    code: "NO_RESULTS_ON_PAGE",
    message: `There are no results for scope '${scope}' on this page.`,
    data: [{ key: "scope", value: scope }],
  },
});

const unreachable = (scope: Scope) => ({
  warning: { code: "UNREACHABLE", message: `The scope '${scope}' did not answer.`, data: [{ key: "scope", value: scope }] },
});

/** One page of everything: a map by place, with a warning where this page has nothing. */
export function aggregated(
  site: Site,
  query: URLSearchParams,
  { kind, key, name }: { readonly kind: string; readonly key: string; readonly name: string },
  rows: readonly Placed[],
): Row {
  const silent = new Set(site.switches.unreachableZones.map((zone) => `zones/${zone}`));
  if (silent.size > 0 && query.get("returnPartialSuccess")?.toLowerCase() !== "true")
    throw new Refusal(503, "backendError", "Backend Error: some zones did not answer.");
  const found = filtered(
    query,
    rows.filter(({ scope }) => !silent.has(scope)),
  );
  const { shown, next } = pageOf(site, query, ordered(query, found.toSorted(byScopeAndName)));
  const scopes = [...REGIONS.map((region) => `regions/${region.name}`), ...ZONES.map((zone) => `zones/${zone}`)];
  const wanted =
    query.get("includeAllScopes")?.toLowerCase() === "true"
      ? ["global", ...scopes]
      : scopes.filter((one) => one.startsWith("zones/") || key !== "instances");
  const all = new Set([...wanted, ...shown.map(({ scope }) => scope)]);
  const names = site.switches.unreachableBy === "unreachables";
  const items = [...all].flatMap((scope) => {
    if (silent.has(scope)) return names ? [] : [[scope, unreachable(scope)] as const];
    const here = shown.filter((one) => one.scope === scope).map((one) => one.row());
    return [[scope, here.length === 0 ? emptyScope(scope) : { [key]: here }] as const];
  });
  return {
    kind,
    id: `projects/${PROJECT}/aggregated/${name}`,
    items: Object.fromEntries(items),
    ...(next === null ? {} : { nextPageToken: next }),
    ...(names && silent.size > 0 ? { unreachables: [...silent].map((scope) => `projects/${PROJECT}/${scope}`) } : {}),
    selfLink: link(site, `aggregated/${name}`),
  };
}
