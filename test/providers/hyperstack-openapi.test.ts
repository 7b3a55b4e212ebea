import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { FakeRequest } from "../clouds/fake-server.ts";
import { hyperstackBench } from "../clouds/hyperstack/bench.ts";

/**
 * The vendor publishes a schema without a licence, so it is not kept here. With `HYPERSTACK_OPENAPI` naming a copy
 * (github.com/NexGenCloud/hyperstack-sdk-go, api/openapi.yaml), everything that the adapter sends is held against it,
 * and the fields of everything that the fake answers.
 */
const FILE = process.env["HYPERSTACK_OPENAPI"];
if (FILE === undefined) process.stdout.write("skipped: HYPERSTACK_OPENAPI names no copy of the vendor's schema\n");

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
  readonly maxLength?: number;
  readonly allOf?: readonly Schema[];
}
interface Content {
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>;
}
interface Operation {
  readonly parameters?: readonly { readonly in: string; readonly name: string; readonly schema: Schema }[];
  readonly requestBody?: Content;
  readonly responses: Readonly<Record<string, Content>>;
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** A defect of the vendor's file: a rule at creation has no machine yet, so nobody can send this. */
const NEVER_SENT = new Set(["virtual_machine_id"]);

function resolved(document: Document, schema: Schema): Schema {
  const name = schema.$ref?.split("/").at(-1);
  const found = name === undefined ? schema : (document.components.schemas[name] ?? {});
  return found.allOf?.[0] === undefined ? found : resolved(document, found.allOf[0]);
}

function jsonOf({ content }: Content = {}): Schema | undefined {
  return content?.["application/json"]?.schema;
}

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === "string",
  boolean: (value) => typeof value === "boolean",
  integer: (value) => Number.isInteger(value),
  number: (value) => typeof value === "number",
  array: Array.isArray,
  object: (value) => typeof value === "object" && value !== null && !Array.isArray(value),
};

/** Where a value differs from its schema; unknown fields differ as well. `names`: only the names of fields count. */
function differences(document: Document, value: unknown, schema: Schema, where: string, names = false): readonly string[] {
  const { type, properties, required = [], items, maxLength, enum: allowed } = resolved(document, schema);
  const found: string[] = [];
  if (!names) {
    if (type !== undefined && TYPES[type]?.(value) !== true) return [`${where} is no ${type}: ${JSON.stringify(value)}`];
    if (maxLength !== undefined && String(value).length > maxLength) found.push(`${where} is longer than ${maxLength}`);
    if (allowed !== undefined && !allowed.includes(value)) found.push(`${where} is none of ${allowed.join(", ")}`);
  }
  if (Array.isArray(value) && items !== undefined)
    found.push(...value.flatMap((one, index) => differences(document, one, items, `${where}[${index}]`, names)));
  // An object without documented properties may hold anything.
  if (TYPES["object"]?.(value) === true && properties !== undefined && Object.keys(properties).length > 0) {
    const fields = value as Readonly<Record<string, unknown>>;
    if (!names) for (const name of required) if (!(name in fields) && !NEVER_SENT.has(name)) found.push(`${where}.${name} is missing`);
    for (const [name, field] of Object.entries(fields)) {
      const known = properties[name];
      if (known === undefined) found.push(`${where}.${name} is not documented`);
      else found.push(...differences(document, field, known, `${where}.${name}`, names));
    }
  }
  return found;
}

function operationOf(document: Document, { method, path }: Pick<FakeRequest, "method" | "path">): Operation | undefined {
  const below = path.replace(/^\/v1/, "");
  // A path without parameters comes before one that would fit it as well.
  const templates = Object.keys(document.paths).sort((a, b) => a.split("{").length - b.split("{").length);
  const template = templates.find((one) => new RegExp(`^${one.replaceAll(/\{[^}]+\}/g, "[^/]+")}$`).test(below));
  return template === undefined ? undefined : document.paths[template]?.[method.toLowerCase()];
}

function checkRequest(document: Document, request: FakeRequest): readonly string[] {
  const asked = `${request.method} ${request.path}`;
  const operation = operationOf(document, request);
  if (operation === undefined) return [`${asked} is not documented`];
  const parameters = new Map((operation.parameters ?? []).filter((one) => one.in === "query").map((one) => [one.name, one.schema]));
  const found: string[] = [];
  for (const [name, value] of request.query) {
    const schema = parameters.get(name);
    if (schema === undefined) found.push(`${asked}?${name} is not documented`);
    else if (schema.type === "integer" && !/^\d+$/.test(value)) found.push(`${asked}?${name} is no integer`);
    else if (schema.type === "boolean" && !/^(true|false)$/.test(value)) found.push(`${asked}?${name} is no boolean`);
  }
  const schema = jsonOf(operation.requestBody);
  if (schema === undefined) return request.body === "" ? found : [...found, `${asked} takes no body`];
  return [...found, ...differences(document, request.json(), schema, asked)];
}

/** Everything that the adapter can send, in one life of a machine and its volume. */
async function wholeLife() {
  const bench = await hyperstackBench();
  const { provider, volumes, hibernation, context, offer, spec, settle, cloud } = bench;
  const chosen = await offer("n3-RTX-A6000x1-spot", "CANADA-1");
  const change = { labels: { team: "vision" }, ports: [{ port: 8000, protocol: "http" as const }] };
  const { providerId } = await provider.launch(spec(chosen, "t-whole", change), context);
  await settle();
  const { providerId: volume } = await volumes.create(
    { name: "data", token: "t-disk", sizeGb: 200, region: "CANADA-1", zone: "CANADA-1" },
    context,
  );
  await settle();
  await volumes.attach?.(volume, providerId, context);
  await settle();
  await provider.list(context);
  await volumes.list(context);
  await hibernation.hibernate(providerId, context, { retainAddress: true });
  await settle();
  await hibernation.restore(providerId, context);
  await settle();
  return { ...bench, providerId, volume, requests: () => cloud.server.requests };
}

describe.skipIf(FILE === undefined)("the vendor's schema", () => {
  const document = FILE === undefined ? undefined : (parse(readFileSync(FILE, "utf8")) as Document);
  const told: string[] = [];
  afterAll(() => {
    for (const line of told) process.stdout.write(`${line}\n`);
  });

  test("documents every request of the adapter: path, method, query, body", async () => {
    if (document === undefined) throw new Error("there is no schema");
    const life = await wholeLife();
    try {
      await life.provider.destroy(life.providerId, life.context);
      await life.settle();
      await life.provider.get(life.providerId, life.context);
      await life.volumes.remove(life.volume, life.context);
      const kinds = new Set(life.requests().map(({ method, path }) => `${method} ${path.replaceAll(/\/\d+/g, "/{id}")}`));
      expect(life.requests().flatMap((request) => checkRequest(document, request))).toEqual([]);
      expect(kinds.size).toBeGreaterThanOrEqual(20);
      told.push(`schema: ${life.requests().length} requests of ${kinds.size} kinds agree: ${[...kinds].sort().join(", ")}`);
    } finally {
      await life.cloud.close();
    }
  });

  test("knows every field that the fake answers with", async () => {
    if (document === undefined) throw new Error("there is no schema");
    const { cloud, providerId, volume } = await wholeLife();
    try {
      const paths = [
        "/core/regions",
        "/core/flavors",
        "/core/stocks",
        "/core/images",
        "/core/environments",
        "/core/keypairs",
        "/core/virtual-machines",
        `/core/virtual-machines/${providerId}`,
        "/core/volumes",
        `/core/volumes/${volume}`,
        "/pricebook",
      ];
      const unknown: string[] = [];
      for (const path of paths) {
        const answer = await fetch(`${cloud.url}${path}`, { headers: { api_key: cloud.env["HYPERSTACK_API_KEY"] ?? "" } });
        const schema = jsonOf(operationOf(document, { method: "GET", path })?.responses["200"]);
        expect([answer.status, schema === undefined], path).toEqual([200, false]);
        unknown.push(...differences(document, await answer.json(), schema ?? {}, path, true));
      }
      expect([...new Set(unknown)]).toEqual([]);
      told.push(`schema: the fake's answers to ${paths.length} reads have no field that it does not know`);
    } finally {
      await cloud.close();
    }
  });
});
