import * as v from "valibot";
import { OPERATIONS } from "./chaos.ts";
import { machineType } from "./market.ts";
import { CHAOS_EFFECTS, PROFILES, Refusal } from "./records.ts";

const MOST_SCRIPT_BYTES = 4 * 1024 * 1024;
const YEAR_SECONDS = 366 * 86_400;

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused here
const CONTROL = /[\u0000-\u001f\u007f]/;
const label = v.pipe(
  v.string(),
  v.minLength(1),
  v.maxLength(128),
  v.check((text) => !CONTROL.test(text), "control characters are not allowed"),
);
const decimal = v.pipe(v.string(), v.regex(/^\d{1,9}(\.\d{1,12})?$/, "not an amount of money"));
const envName = v.pipe(v.string(), v.regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "not the name of a variable"));
const envValue = v.pipe(
  v.string(),
  v.maxLength(128 * 1024),
  v.check((text) => !text.includes("\0"), "a zero byte is not allowed"),
);
const mount = v.pipe(
  v.string(),
  v.maxLength(256),
  v.regex(/^(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$/, "not an absolute path of plain names"),
  v.check((path) => !/^\/(home|tmp|run|var|metadata\.env)$/.test(path), "the machine itself needs this folder"),
);
const wholeSeconds = v.pipe(v.number(), v.finite(), v.minValue(0), v.maxValue(YEAR_SECONDS));
const milliseconds = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(3_600_000));

function mountsApart(volumes: readonly { readonly id: string; readonly mount: string }[]): boolean {
  return volumes.every((one, index) =>
    volumes.every((other, at) => at === index || (other.id !== one.id && !`${other.mount}/`.startsWith(`${one.mount}/`))),
  );
}

export const launchSchema = v.object({
  name: label,
  clientToken: v.nullish(label, null),
  type: v.string(),
  zone: v.string(),
  billing: v.picklist(["spot", "on-demand"], "only spot and on-demand can be launched"),
  maxPrice: v.nullish(decimal, null),
  tags: v.optional(v.record(v.pipe(v.string(), v.maxLength(256)), v.pipe(v.string(), v.maxLength(4096))), {}),
  env: v.optional(v.record(envName, envValue), {}),
  bootScript: v.pipe(v.string(), v.maxLength(MOST_SCRIPT_BYTES)),
  volumes: v.optional(
    v.pipe(
      v.array(v.object({ id: v.string(), mount })),
      v.maxLength(16),
      v.check((list) => mountsApart(list), "two volumes are in each other's way"),
    ),
    [],
  ),
  ttlSeconds: v.nullish(v.pipe(wholeSeconds, v.minValue(1)), null),
});

export const volumeSchema = v.object({
  name: label,
  clientToken: v.nullish(label, null),
  sizeGb: v.pipe(v.number(), v.finite(), v.gtValue(0), v.maxValue(65_536)),
  zone: v.string(),
});

export const reclaimSchema = v.object({
  instance: v.string(),
  noticeSeconds: v.nullish(wholeSeconds, null),
  kind: v.optional(v.picklist(["reclaim", "rebalance"]), "reclaim"),
});

export const withdrawSchema = v.object({ instance: v.string() });

export const marketSchema = v.partial(
  v.strictObject({
    profile: v.picklist(PROFILES),
    seed: v.pipe(v.number(), v.safeInteger()),
    provisioningMs: milliseconds,
    hibernateMs: milliseconds,
    restoreMs: milliseconds,
    hazardPerHour: v.pipe(v.number(), v.finite(), v.minValue(0), v.maxValue(3_600)),
    schedule: v.pipe(
      v.array(
        v.object({
          afterSeconds: wholeSeconds,
          noticeSeconds: wholeSeconds,
          times: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1_000_000)), 1),
        }),
      ),
      v.maxLength(1000),
    ),
    stock: v.record(
      v.pipe(
        v.string(),
        v.check((type) => machineType(type) !== undefined, "there is no such instance type"),
      ),
      v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1_000_000)),
    ),
  }),
);

export const chaosSchema = v.object({
  on: v.picklist([...OPERATIONS, "*"]),
  effect: v.picklist(CHAOS_EFFECTS),
  ms: v.optional(milliseconds),
  status: v.optional(v.pipe(v.number(), v.integer(), v.minValue(400), v.maxValue(599))),
  code: v.optional(v.pipe(v.string(), v.regex(/^[a-z_]{1,40}$/))),
  times: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1_000_000)), 1),
});

export const shutdownSchema = v.object({ force: v.optional(v.boolean(), false) });

/** @throws Refusal `invalid` that names the field. */
export function readBody<Schema extends v.GenericSchema>(schema: Schema, text: string): v.InferOutput<Schema> {
  let value: unknown;
  try {
    value = text === "" ? {} : JSON.parse(text);
  } catch {
    throw new Refusal(400, "invalid", "the body is not JSON");
  }
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = v.getDotPath(issue);
  throw new Refusal(400, "invalid", path === null ? issue.message : `${path}: ${issue.message}`);
}
