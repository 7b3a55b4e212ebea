import { Refusal } from "./refusal.ts";

export type Parameters = URLSearchParams;

/** `Name.1`, `Name.2` … in order. */
export function listOf(parameters: Parameters, name: string): readonly string[] {
  return indices(parameters, name).flatMap((index) => parameters.get(`${name}.${index}`) ?? []);
}

/** The numbers of `Name.N…`. */
export function indices(parameters: Parameters, name: string): readonly number[] {
  const pattern = new RegExp(`^${name.replaceAll(".", "\\.")}\\.(\\d+)(?:\\.|$)`);
  const found = [...parameters.keys()].flatMap((key) => pattern.exec(key)?.[1] ?? []);
  return [...new Set(found.map(Number))].sort((a, b) => a - b);
}

export function required(parameters: Parameters, name: string): string {
  const value = parameters.get(name) ?? "";
  if (value === "") throw new Refusal(400, "MissingParameter", `The request must contain the parameter ${name}`);
  return value;
}

/** A non-negative whole number; undefined when it is not there. */
export function countOf(parameters: Parameters, name: string): number | undefined {
  const text = parameters.get(name);
  if (text === null) return undefined;
  if (!/^\d+$/.test(text)) throw new Refusal(400, "InvalidParameterValue", `Invalid value '${text}' for ${name}`);
  return Number(text);
}

export function timeOf(parameters: Parameters, name: string): number | undefined {
  const text = parameters.get(name);
  if (text === null) return undefined;
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(text) || Number.isNaN(Date.parse(text)))
    throw new Refusal(400, "InvalidParameterValue", `Value (${text}) for parameter ${name} is invalid. Invalid date format`);
  return Date.parse(text);
}

export interface Tag {
  readonly key: string;
  readonly value: string;
}

/** What `TagSpecification.N` says of one kind of resource. */
export function specifiedTags(parameters: Parameters, resourceType: string): readonly Tag[] {
  return indices(parameters, "TagSpecification").flatMap((at) => {
    const prefix = `TagSpecification.${at}`;
    if (parameters.get(`${prefix}.ResourceType`) !== resourceType) return [];
    return indices(parameters, `${prefix}.Tag`).map((tag) => ({
      key: parameters.get(`${prefix}.Tag.${tag}.Key`) ?? "",
      value: parameters.get(`${prefix}.Tag.${tag}.Value`) ?? "",
    }));
  });
}

/** A filter's value with `*` and `?`, as a pattern. */
function wildcard(value: string): RegExp {
  const escaped = value.replaceAll(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`, "s");
}

/** What a filter looks at, by its name. */
export type Filterable<Row> = Readonly<Record<string, (row: Row) => readonly string[]>>;

/** What `Filter.N` lets through. @throws Refusal for a filter that there is not. */
export function filtered<Row>(
  parameters: Parameters,
  rows: readonly Row[],
  by: Filterable<Row>,
  tagsOf?: (row: Row) => readonly Tag[],
): readonly Row[] {
  const tests = indices(parameters, "Filter").map((at) => {
    const name = parameters.get(`Filter.${at}.Name`) ?? "";
    const patterns = listOf(parameters, `Filter.${at}.Value`).map(wildcard);
    const values = valuesBy(name, by, tagsOf);
    return (row: Row) => values(row).some((value) => patterns.some((pattern) => pattern.test(value)));
  });
  return rows.filter((row) => tests.every((test) => test(row)));
}

function valuesBy<Row>(
  name: string,
  by: Filterable<Row>,
  tagsOf: ((row: Row) => readonly Tag[]) | undefined,
): (row: Row) => readonly string[] {
  if (tagsOf !== undefined && name.startsWith("tag:"))
    return (row) => tagsOf(row).flatMap(({ key, value }) => (key === name.slice("tag:".length) ? [value] : []));
  if (tagsOf !== undefined && name === "tag-key") return (row) => tagsOf(row).map(({ key }) => key);
  const values = Object.hasOwn(by, name) ? by[name] : undefined;
  if (values === undefined) throw new Refusal(400, "InvalidParameterValue", `The filter '${name}' is invalid`);
  return values;
}

export interface PageLimits {
  readonly pageSize: number;
  readonly emptyFirstPage: boolean;
}

/**
 * One page of a list. A token says after which row it goes on, by that row's number in the order of making, so that rows
 * which appear or go meanwhile move no other. @throws Refusal for limits and tokens that EC2 does not take.
 */
export function pageOf<Row extends { readonly seq: number }>(
  parameters: Parameters,
  rows: readonly Row[],
  limits: PageLimits,
  idParameter: string | null,
): { readonly rows: readonly Row[]; readonly nextToken: string | undefined } {
  const most = countOf(parameters, "MaxResults");
  const token = parameters.get("NextToken");
  if (most !== undefined && idParameter !== null && indices(parameters, idParameter).length > 0)
    throw new Refusal(
      400,
      "InvalidParameterCombination",
      `The parameter ${idParameter.charAt(0).toLowerCase()}${idParameter.slice(1)}sSet cannot be used with the parameter maxResults`,
    );
  if (most !== undefined && (most < 5 || most > 1000))
    throw new Refusal(
      400,
      "InvalidParameterValue",
      `Value ( ${most} ) for parameter maxResults is invalid. Expecting a value greater than 5.`,
    );
  const after = token === null || token === "" ? null : readToken(token);
  if (after === null && limits.emptyFirstPage) return { rows: [], nextToken: tokenOf(-1) };
  const left = after === null ? rows : rows.filter(({ seq }) => seq > after);
  const page = left.slice(0, Math.min(most ?? limits.pageSize, limits.pageSize));
  return { rows: page, nextToken: page.length < left.length ? tokenOf(page.at(-1)?.seq ?? -1) : undefined };
}

const tokenOf = (seq: number) => Buffer.from(`after ${seq}`).toString("base64");

function readToken(token: string): number {
  const match = /^after (-?\d+)$/.exec(Buffer.from(token, "base64").toString("utf8"));
  if (match === null) throw new Refusal(400, "InvalidNextToken", "The token is not valid.");
  return Number(match[1]);
}
