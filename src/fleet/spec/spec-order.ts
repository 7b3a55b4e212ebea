import * as v from "valibot";
import type { InstanceSpec } from "../../state/records.ts";

/**
 * The part of an order that nobody but our records knows: not what a cloud says of its machine, and not what its agent is told
 * anyway. The agent keeps it, so that a machine can be taken over whole by whoever has lost the records. No environment: its
 * values are nobody's business. Only what is not as usual is written, because clouds take only so much user data.
 */
const ORDER = {
  providers: [],
  maxPrice: null,
  regions: [],
  image: null,
  onReclaim: "replace",
  fallbackAfterMs: null,
  returnToSpot: false,
  idleBy: "exit",
  onRebalance: "log",
  readyHttp: null,
  readyCmd: null,
  ports: [],
  registryAuth: null,
  fleet: null,
  labels: {},
  caches: true,
} as const satisfies Partial<InstanceSpec>;

type Order = Pick<InstanceSpec, keyof typeof ORDER>;

const text = v.pipe(v.string(), v.maxLength(32_768));
const label = v.record(v.pipe(v.string(), v.regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/)), v.pipe(v.string(), v.maxLength(255)));
const port = v.object({ port: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535)), protocol: v.picklist(["http", "tcp"]) });

/** Each by itself: what is not understood is as usual. */
const schema = v.object({
  providers: v.fallback(v.array(v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{0,31}$/))), []),
  maxPrice: v.fallback(v.nullable(v.pipe(v.string(), v.regex(/^\d+(\.\d+)?[A-Z]{0,3}$/))), null),
  regions: v.fallback(v.array(text), []),
  image: v.fallback(v.nullable(text), null),
  onReclaim: v.fallback(v.picklist(["replace", "hibernate", "checkpoint", "wait", "let-go"]), "replace"),
  fallbackAfterMs: v.fallback(v.nullable(v.pipe(v.number(), v.minValue(0))), null),
  returnToSpot: v.fallback(v.boolean(), false),
  idleBy: v.fallback(v.picklist(["exit", "gpu"]), "exit"),
  onRebalance: v.fallback(v.picklist(["log", "checkpoint"]), "log"),
  readyHttp: v.fallback(v.nullable(text), null),
  readyCmd: v.fallback(v.nullable(text), null),
  ports: v.fallback(v.array(port), []),
  registryAuth: v.fallback(v.nullable(text), null),
  fleet: v.fallback(v.nullable(text), null),
  labels: v.fallback(label, {}),
  caches: v.fallback(v.boolean(), true),
});

/** As the agent is given it; null when everything is as usual. One provider is the one where the machine is. */
export function orderText(spec: InstanceSpec): string | null {
  const told = { ...spec, caches: spec.caches !== false, providers: spec.providers.length > 1 ? spec.providers : [] };
  const unusual = Object.keys(ORDER).filter((key) => !isUsual(told[key as keyof Order], ORDER[key as keyof Order]));
  return unusual.length === 0 ? null : JSON.stringify(Object.fromEntries(unusual.map((key) => [key, told[key as keyof Order]])));
}

const isUsual = (value: unknown, usual: unknown) => JSON.stringify(value) === JSON.stringify(usual);

/** What an agent says of it; everything as usual for what is no such text. */
export function orderFrom(told: string | null): Order {
  const usual = { ...ORDER };
  if (told === null) return usual;
  try {
    const result = v.safeParse(schema, { ...usual, ...JSON.parse(told) });
    return result.success ? result.output : usual;
  } catch {
    return usual;
  }
}
