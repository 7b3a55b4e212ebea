import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { FakeAnswer, FakeRequest } from "../fake-server.ts";

/** A schema of Google's discovery document, as far as it is checked. */
interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
}

interface Method {
  readonly httpMethod: string;
  readonly path: string;
  readonly parameters?: Readonly<Record<string, { readonly location: string; readonly required?: boolean } & Schema>>;
  readonly request?: { readonly $ref: string };
  readonly response?: { readonly $ref: string };
}

interface Resource {
  readonly methods?: Readonly<Record<string, Method>>;
  readonly resources?: Readonly<Record<string, Resource>>;
}

interface Document extends Resource {
  readonly revision: string;
  readonly schemas: Readonly<Record<string, Schema>>;
  readonly parameters: Readonly<Record<string, Schema>>;
}

/** Google's own description of the API, to check requests and answers with. */
export interface Discovery {
  readonly revision: string;
  /** What is wrong with an exchange by the document; nothing for a request to another API than this version of Compute Engine. */
  problems(request: FakeRequest, answer: FakeAnswer): readonly string[];
  schema(name: string): Schema | undefined;
}

const BESIDE = fileURLToPath(new URL("../../../../shared/data/gcp/compute.v1.json", import.meta.url));

/** Where the document is: named by SPOT_TEST_GCP_DISCOVERY, or beside the repository; undefined where there is none. */
export function discoveryPath(): string | undefined {
  const named = process.env["SPOT_TEST_GCP_DISCOVERY"];
  if (named !== undefined && named !== "") return named;
  return existsSync(BESIDE) ? BESIDE : undefined;
}

function methodsOf(resource: Resource): readonly Method[] {
  return [...Object.values(resource.methods ?? {}), ...Object.values(resource.resources ?? {}).flatMap(methodsOf)];
}

const FORMATS: Readonly<Record<string, RegExp>> = {
  int64: /^-?\d{1,19}$/,
  uint64: /^\d{1,20}$/,
  byte: /^(?:[A-Za-z0-9+/_-]{4})*(?:[A-Za-z0-9+/_-]{2}==|[A-Za-z0-9+/_-]{3}=)?$/,
};

/** Where a request may differ from an answer: 64-bit numbers may be sent as numbers. */
type Side = "request" | "answer";

function valueProblems(all: Document["schemas"], schema: Schema, value: unknown, path: string, side: Side): readonly string[] {
  // A field that is null is one that is not there.
  if (value === null && side === "request") return [];
  if (schema.$ref !== undefined) return valueProblems(all, all[schema.$ref] ?? {}, value, path, side);
  const wrong = (what: string) => [`${path}: ${what}, not ${JSON.stringify(value)}`];
  switch (schema.type) {
    case "string": {
      const isNumber = (schema.format === "int64" || schema.format === "uint64") && side === "request" && Number.isSafeInteger(value);
      if (isNumber) return [];
      if (typeof value !== "string") return wrong("a string");
      if (schema.enum !== undefined && !schema.enum.includes(value)) return wrong("a value of the enum");
      return FORMATS[schema.format ?? ""]?.test(value) === false ? wrong(`in the format ${schema.format}`) : [];
    }
    case "boolean":
      return typeof value === "boolean" ? [] : wrong("a boolean");
    case "integer":
      return Number.isInteger(value) ? [] : wrong("an integer");
    case "number":
      return typeof value === "number" ? [] : wrong("a number");
    case "array":
      if (!Array.isArray(value)) return wrong("a list");
      return value.flatMap((one, index) => valueProblems(all, schema.items ?? {}, one, `${path}[${index}]`, side));
    case "object":
      return objectProblems(all, schema, value, path, side);
    default:
      return [];
  }
}

function objectProblems(all: Document["schemas"], schema: Schema, value: unknown, path: string, side: Side): readonly string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [`${path}: an object, not ${JSON.stringify(value)}`];
  return Object.entries(value).flatMap(([name, one]) => {
    const inner = schema.properties?.[name] ?? schema.additionalProperties;
    const here = path === "" ? name : `${path}.${name}`;
    return inner === undefined ? [`${here}: no such field`] : valueProblems(all, inner, one, here, side);
  });
}

function templated(path: string): RegExp {
  return new RegExp(`^/compute/v1/${path.replace(/\{\+?\w+\}/g, "[^/]+")}$`);
}

function queryProblems(document: Document, method: Method, query: URLSearchParams): readonly string[] {
  const own = method.parameters ?? {};
  const unknown = [...query.keys()].filter((name) => own[name]?.location !== "query" && document.parameters[name] === undefined);
  const missing = Object.entries(own).filter(([name, one]) => one.required === true && one.location === "query" && !query.has(name));
  const bad = [...query].filter(([name, value]) => own[name]?.enum?.includes(value) === false);
  return [
    ...unknown.map((name) => `query ${name}: no such parameter`),
    ...missing.map(([name]) => `query ${name}: missing`),
    ...bad.map(([name, value]) => `query ${name}: not ${value}`),
  ];
}

const ok = (status: number): boolean => status >= 200 && status < 300;

/** Reads the document; undefined where there is none. It takes a moment. */
export function discovery(): Discovery | undefined {
  const path = discoveryPath();
  if (path === undefined) return undefined;
  const document = JSON.parse(readFileSync(path, "utf8")) as Document;
  const methods = methodsOf(document).map((method) => ({ method, path: templated(method.path) }));
  return {
    revision: document.revision,
    schema: (name) => document.schemas[name],
    problems(request, answer) {
      if (!request.path.startsWith("/compute/v1/")) return [];
      const found = methods.find((one) => one.method.httpMethod === request.method && one.path.test(request.path));
      const what = `${request.method} ${request.path}`;
      if (found === undefined) return ok(answer.status) ? [`${what}: no such method`] : [];
      const { method } = found;
      // What was refused may be as wrong as it likes.
      if (!ok(answer.status)) return [];
      const check = (ref: { readonly $ref: string } | undefined, value: unknown, side: Side) =>
        ref === undefined ? [] : valueProblems(document.schemas, { $ref: ref.$ref }, value, "", side);
      const sent = request.body === "" ? [] : check(method.request, request.json(), "request");
      return [
        ...queryProblems(document, method, request.query).map((one) => `${what}: ${one}`),
        ...sent.map((one) => `${what}: request ${one}`),
        ...check(method.response, answer.body, "answer").map((one) => `${what}: answer ${one}`),
      ];
    },
  };
}

/** The document; without one a line that says so. Its absence fails no test: it is nobody's program to install. */
export function discoveryOrSkip(what: string): Discovery | undefined {
  const found = discovery();
  if (found === undefined)
    process.stderr.write(
      `skipped, ${join("shared", "data", "gcp")} is not beside the repository and SPOT_TEST_GCP_DISCOVERY names no document: ${what}\n`,
    );
  return found;
}
