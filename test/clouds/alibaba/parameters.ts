import { CALLS } from "./calls.ts";
import { invalid, missing, Refusal } from "./refusal.ts";

export type ScalarKind = "string" | "integer" | "decimal" | "boolean";

export interface Parameter {
  readonly kind: ScalarKind;
  readonly isList: boolean;
  readonly isRequired: boolean;
  /** Of a list of structures; empty for a list of strings and for a single value. */
  readonly members: ReadonlyMap<string, Parameter>;
}

const SIGNS: Readonly<Record<string, ScalarKind>> = { "#": "integer", "~": "decimal", "?": "boolean" };
const MOST_ITEMS = 1_000;

function parseNotation(notation: string): ReadonlyMap<string, Parameter> {
  const found = new Map<string, Parameter>();
  for (const [, name = "", sign = "", list, must] of notation.matchAll(/([A-Za-z0-9.]+)([#~?]?)(?:\[([^\]]*)\])?(!?)/g))
    found.set(name, {
      kind: SIGNS[sign] ?? "string",
      isList: list !== undefined,
      isRequired: must === "!",
      members: list === undefined || list === "" ? new Map() : parseNotation(list),
    });
  return found;
}

/** What each call takes, by the table of `calls.ts`. */
export const KNOWN_CALLS: ReadonlyMap<string, ReadonlyMap<string, Parameter>> = new Map(
  Object.entries(CALLS).map(([name, notation]) => [name, parseNotation(notation)]),
);

const RIGHT: Readonly<Record<ScalarKind, RegExp>> = {
  string: /^/,
  integer: /^-?\d{1,15}$/,
  decimal: /^-?\d{1,12}(\.\d+)?$/,
  boolean: /^(true|false)$/i,
};

/** The checked parameters of one request. An empty value is an absent one. */
export interface Parameters {
  text(name: string): string | undefined;
  number(name: string): number | undefined;
  flag(name: string): boolean | undefined;
  list(name: string): readonly string[];
  structures(name: string): readonly Parameters[];
  /** All of it but the token, in one form: the same for the same request. */
  readonly fingerprint: string;
}

function checkScalar(name: string, { kind }: Parameter, value: string): void {
  if (value !== "" && !RIGHT[kind].test(value)) throw invalid(name);
}

function parametersOf(values: ReadonlyMap<string, string>): Parameters {
  const text = (name: string) => {
    const value = values.get(name);
    return value === "" ? undefined : value;
  };
  const indices = (name: string) =>
    [
      ...new Set(
        [...values.keys()].filter((key) => key.startsWith(`${name}.`)).map((key) => Number(key.slice(name.length + 1).split(".")[0])),
      ),
    ].sort((a, b) => a - b);
  const number = (name: string) => {
    const value = text(name);
    return value === undefined ? undefined : Number(value);
  };
  const flag = (name: string) => {
    const value = text(name);
    return value === undefined ? undefined : value.toLowerCase() === "true";
  };
  return {
    text,
    number,
    flag,
    list: (name) => indices(name).flatMap((index) => text(`${name}.${index}`) ?? []),
    structures: (name) =>
      indices(name).map((index) => {
        const start = `${name}.${index}.`;
        return parametersOf(
          new Map([...values].flatMap(([key, value]) => (key.startsWith(start) ? [[key.slice(start.length), value]] : []))),
        );
      }),
    fingerprint: JSON.stringify([...values].filter(([name]) => name !== "ClientToken").sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

function checkRequired(known: ReadonlyMap<string, Parameter>, found: Parameters, prefix: string): void {
  for (const [name, { isRequired, isList, members }] of known) {
    const items = members.size > 0 ? found.structures(name) : [];
    const isThere = isList ? items.length > 0 || found.list(name).length > 0 : found.text(name) !== undefined;
    if (isRequired && !isThere) throw missing(`${prefix}${name}`);
    for (const [index, item] of items.entries()) checkRequired(members, item, `${prefix}${name}.${index + 1}.`);
  }
}

function singleOf(parameter: Parameter | undefined): Parameter | undefined {
  return parameter?.isList === true ? undefined : parameter;
}

/** What `Name.1` or `Name.1.member` is, for a list. */
function itemOf(list: Parameter, member: string | undefined): Parameter | undefined {
  if (member !== undefined) return list.members.get(member);
  return list.members.size > 0 ? undefined : list;
}

/** @throws Refusal for a call, a parameter or a value that is not known here, and for what is missing. */
export function checkedParameters(action: string, given: Iterable<readonly [string, string]>): Parameters {
  const known = KNOWN_CALLS.get(action);
  if (known === undefined)
    throw new Refusal(404, "InvalidAction.NotFound", "The specified action is not found, please check API and version.");
  const values = new Map<string, string>();
  for (const [name, value] of given) {
    const [, list, index, member] = /^([A-Za-z]+)\.(\d+)(?:\.([A-Za-z]+))?$/.exec(name) ?? [];
    const parent = list === undefined ? undefined : known.get(list);
    const isItem = parent?.isList === true;
    const parameter = isItem ? itemOf(parent, member) : singleOf(known.get(name));
    if (parameter === undefined) throw new Refusal(400, "InvalidParameter.Unknown", `The parameter "${name}" is not known to ${action}.`);
    if (isItem && !(Number(index) >= 1 && Number(index) <= MOST_ITEMS)) throw invalid(name);
    if (values.has(name)) throw invalid(name);
    checkScalar(name, parameter, value);
    values.set(name, value);
  }
  const found = parametersOf(values);
  checkRequired(known, found, "");
  return found;
}

/** A parameter that is a JSON array in one string, at most 100 entries; undefined when it is not given. @throws Refusal for anything else. */
export function jsonList(found: Parameters, name: string): readonly string[] | undefined {
  const text = found.text(name);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid(name);
  }
  if (!Array.isArray(value) || value.length > 100 || value.some((one) => typeof one !== "string")) throw invalid(name);
  return value as readonly string[];
}

/** @throws Refusal unless it is one of these; undefined when it is not given. */
export function oneOf<Word extends string>(found: Parameters, name: string, words: readonly Word[]): Word | undefined {
  const text = found.text(name);
  const word = words.find((one) => one === text);
  if (text !== undefined && word === undefined) throw invalid(name);
  return word;
}
