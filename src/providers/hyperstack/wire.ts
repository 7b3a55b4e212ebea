import * as v from "valibot";
import type { moneyFromDecimal } from "../../model/money.ts";

/**
 * What the Hyperstack API sends, as far as it is read. The vendor's schema is stricter than its answers (numbers come as
 * text, times without a zone, addresses as null), so everything that is not needed may be missing or of another type.
 */

const id = v.pipe(
  v.union([v.number(), v.string()]),
  v.transform(String),
  v.check((text) => isId(text), "not an id"),
);
const text = v.fallback(v.nullable(v.string()), null);
const flag = v.fallback(v.nullable(v.boolean()), null);
const number = v.fallback(v.nullable(v.pipe(v.union([v.number(), v.string()]), v.transform(Number), v.finite())), null);
/** The vendor's examples have the string "{}" where an object is documented. */
const features = v.fallback(v.record(v.string(), v.unknown()), {});
/** `["no-hibernation"]` and `[{"id": 1, "label": "no-hibernation"}]` are both seen. */
const labels = v.fallback(
  v.array(
    v.union([
      v.string(),
      v.pipe(
        v.object({ label: v.string() }),
        v.transform(({ label }) => label),
      ),
    ]),
  ),
  [],
);
const rows = <Schema extends v.GenericSchema>(row: Schema) => v.fallback(v.array(row), []);
const maybe = <Schema extends v.GenericSchema>(schema: Schema) => v.fallback(v.nullish(schema, null), null);

/** Ids are integers; anything else is never sent, for it cannot be one of theirs. */
export function isId(given: string): boolean {
  return /^[1-9]\d{0,15}$/.test(given);
}

const attachmentStatus = { status: text, device: text };
const attachedVolume = v.object({ ...attachmentStatus, volume: maybe(v.object({ id, bootable: flag })) });
const rule = v.object({ direction: text, protocol: text, port_range_min: number, port_range_max: number });

const flavorShape = {
  name: v.string(),
  cpu: number,
  ram: number,
  gpu: text,
  gpu_count: number,
  features,
  labels,
};

export const vmSchema = v.object({
  id,
  name: v.fallback(v.string(), ""),
  status: text,
  environment: maybe(v.object({ name: text, region: text })),
  image: maybe(v.object({ name: text })),
  os: text,
  flavor: maybe(v.object(flavorShape)),
  volume_attachments: rows(attachedVolume),
  security_rules: rows(rule),
  floating_ip: text,
  floating_ip_status: text,
  port_randomization: flag,
  labels,
  created_at: text,
});
export type WireVm = v.InferOutput<typeof vmSchema>;

export const oneVm = v.object({ instance: vmSchema });
/** An array even when one machine was asked for. */
export const madeVms = v.object({ instances: v.pipe(v.array(vmSchema), v.minLength(1)) });

export const volumeSchema = v.object({
  id,
  name: v.fallback(v.string(), ""),
  status: text,
  size: number,
  volume_type: text,
  environment: maybe(v.object({ name: text, region: text })),
  attachments: rows(v.object({ ...attachmentStatus, instance_id: maybe(id) })),
});
export type WireVolume = v.InferOutput<typeof volumeSchema>;
export const oneVolume = v.object({ volume: volumeSchema });

export const flavorSchema = v.object({ ...flavorShape, region_name: text, stock_available: flag });
export type WireFlavor = v.InferOutput<typeof flavorSchema>;
/** Grouped by GPU and region; a group that cannot be read costs no other. */
export const flavorGroups = v.object({
  data: v.array(v.fallback(v.object({ region_name: text, flavors: v.array(maybe(flavorSchema)) }), { region_name: null, flavors: [] })),
});

export const stocksSchema = v.object({
  stocks: v.array(
    v.object({
      region: text,
      models: rows(
        v.object({
          model: text,
          available: v.fallback(v.nullable(v.union([v.string(), v.number()])), null),
          configurations: v.fallback(v.record(v.string(), v.unknown()), {}),
        }),
      ),
    }),
  ),
});
export type WireStocks = v.InferOutput<typeof stocksSchema>;

/** A bare array, although everything else comes in an envelope. */
export const pricebookSchema = v.array(
  v.object({
    name: text,
    value: v.fallback(v.nullable(v.union([v.string(), v.number()])), null),
    start_time: text,
    end_time: text,
  }),
);
export type WirePricebook = v.InferOutput<typeof pricebookSchema>;

export const imageSchema = v.object({ id, name: v.string(), type: text, region_name: text, is_public: flag });
export type WireImage = v.InferOutput<typeof imageSchema>;
export const imageGroups = v.object({ images: v.array(v.object({ images: rows(imageSchema) })) });

export const environmentSchema = v.object({ id, name: v.string(), region: text });
export const oneEnvironment = v.object({ environment: environmentSchema });
export const keypairSchema = v.object({ id, name: v.string(), public_key: text, environment: maybe(v.object({ name: text })) });
export const oneKeypair = v.object({ keypair: keypairSchema });

/** `{"status": false, "message": …, "error_reason": …}`; of a broken server only the message. */
export const refusalSchema = v.object({ message: text, error_reason: text });

/** A time as this API tells it, in epoch milliseconds: without a zone it is UTC. Null for what is no time. */
export function timeOf(told: string | null): number | null {
  if (told === null) return null;
  const zoned = /(?:[zZ]|[+-]\d\d:?\d\d)$/.test(told.trim()) ? told.trim() : `${told.trim()}Z`;
  const at = Date.parse(zoned.replace(" ", "T"));
  return Number.isNaN(at) ? null : at;
}

/**
 * A price per unit times a number of units, in US dollars. Prices are decimal text that may carry an exponent ("0E-9");
 * the product is exact before it is rounded half up to the millionth. Null for what is no price.
 */
export function dollars(price: string | number | null, units: number): ReturnType<typeof moneyFromDecimal> | null {
  const match = /^(\d{1,15})(?:\.(\d{1,30}))?(?:[eE]([+-]?\d{1,2}))?$/.exec(String(price ?? "").trim());
  if (match === null || !Number.isSafeInteger(units) || units < 0) return null;
  const [, whole = "0", fraction = "", exponent = "0"] = match;
  const places = fraction.length - Number(exponent);
  const product = BigInt(whole + fraction) * BigInt(units);
  const micros = places <= 6 ? product * 10n ** BigInt(6 - places) : (product + 5n * 10n ** BigInt(places - 7)) / 10n ** BigInt(places - 6);
  return { micros, currency: "USD" };
}
