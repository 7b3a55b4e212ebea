import { ZONES } from "./catalogue.ts";
import type { Placed, Row } from "./lists.ts";
import { notFound } from "./refusal.ts";
import { fullName, type Operation, type Site } from "./site.ts";

export interface Call {
  readonly site: Site;
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly isBeta: boolean;
  /** What stands in the path's places, in order. */
  readonly parts: readonly string[];
}

/** What a route answers: JSON, an operation that it began, or one to be waited for. */
export type Outcome = { readonly json: unknown } | { readonly began: Operation } | { readonly waitFor: Operation };

export interface Route {
  readonly method: "GET" | "POST" | "DELETE";
  /** Below `projects/{p}/`, with its places in braces. */
  readonly path: string;
  readonly pattern: RegExp;
  /** Query parameters of its own, beside those that every method has. */
  readonly query: readonly string[];
  handle(call: Call): Outcome;
}

export const LIST = ["filter", "maxResults", "orderBy", "pageToken", "returnPartialSuccess"];
export const AGGREGATED = [...LIST, "includeAllScopes", "serviceProjectNumber"];

export function route(method: Route["method"], path: string, query: readonly string[], handle: Route["handle"]): Route {
  return { method, path, pattern: new RegExp(`^${path.replace(/\{\w+\}/g, "([^/]+)")}$`), query, handle };
}

export function read(path: string, handle: (call: Call, ...parts: string[]) => unknown, query: readonly string[] = []): Route {
  return route("GET", path, query, (call) => ({ json: handle(call, ...call.parts) }));
}

/** With a requestId, beside its other parameters. */
export function change(
  method: "POST" | "DELETE",
  path: string,
  handle: (call: Call, ...parts: string[]) => Operation,
  query: readonly string[] = [],
): Route {
  return route(method, path, ["requestId", ...query], (call) => ({ began: handle(call, ...call.parts) }));
}

/** @throws Refusal for a zone that is not there. */
export function zoneNamed(name: string): string {
  if (!ZONES.includes(name)) throw notFound(fullName(`zones/${name}`));
  return name;
}

export function inScope(rows: readonly Placed[], scope: string): readonly Placed[] {
  return rows.filter((one) => one.scope === scope);
}

export const globally = (rows: readonly Row[]): readonly Placed[] =>
  rows.map((row) => ({ scope: "global", name: String(row["name"]), row: () => row }));
