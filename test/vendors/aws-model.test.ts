import { expect, test } from "vitest";
import { FIELDS } from "../clouds/aws/fields.ts";

/** A shape of the SDK's schemas: [kind, namespace, name, traits, member names, member shapes]; lists: [1, ns, name, traits, shape]. */
type Shape = number | readonly unknown[] | (() => Shape);

function opened(given: unknown): { readonly shape: Shape; readonly traits: Readonly<Record<string, unknown>> } {
  let shape = given;
  let traits: Readonly<Record<string, unknown>> = {};
  for (;;) {
    if (typeof shape === "function") shape = (shape as () => Shape)();
    // A member with traits: [shape, traits].
    else if (Array.isArray(shape) && shape.length === 2 && typeof shape[0] !== "string" && !isShape(shape)) {
      traits = typeof shape[1] === "object" && shape[1] !== null ? (shape[1] as Readonly<Record<string, unknown>>) : {};
      shape = shape[0];
    } else return { shape: shape as Shape, traits };
  }
}

type StructureShape = readonly [number, string, string, unknown, readonly string[], readonly unknown[]];

const isShape = (value: readonly unknown[]) => value.length >= 4 && typeof value[0] === "number" && typeof value[1] === "string";
const upper = (name: string) => name.charAt(0).toUpperCase() + name.slice(1);

/** What a structure's members are called on the wire of the `ec2` protocol. */
function members(shape: Shape): ReadonlyMap<string, unknown> {
  if (!Array.isArray(shape) || shape[0] !== 3) return new Map();
  const [, , , , names, shapes] = shape as unknown as StructureShape;
  return new Map(
    names.map((name, at) => {
      const { traits } = opened(shapes[at]);
      const own = traits["ec2QueryName"];
      const xml = traits["xmlName"];
      return [typeof own === "string" ? own : upper(typeof xml === "string" ? xml : name), shapes[at]];
    }),
  );
}

function isField(shape: unknown, path: readonly string[]): boolean {
  const { shape: inner } = opened(shape);
  const [step, ...rest] = path;
  if (step === undefined) return true;
  if (step === "N")
    return Array.isArray(inner) && inner[0] === 1 ? isField(inner[4], rest) : inner === 64 || inner === 128 || typeof inner === "number";
  const member = members(inner).get(step);
  return member !== undefined && isField(member, rest);
}

test("every field that the imitation of EC2 takes is one of the official model's", async () => {
  const sdk: Readonly<Record<string, unknown>> = await import("@aws-sdk/client-ec2");
  const wrong = Object.entries(FIELDS).flatMap(([action, fields]) => {
    const request = sdk[`${action}Request$`] ?? sdk[`${action}$`];
    if (request === undefined) return [`${action}: no such action in ${Object.keys(sdk).length} names`];
    return fields.filter((field) => !isField(request, field.split("."))).map((field) => `${action}: ${field}`);
  });
  expect(wrong).toEqual([]);
});
