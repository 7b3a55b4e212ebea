import * as v from "valibot";

/** Characters of a hostname that are safe: dstack keeps to so many, what the cloud takes is not documented. */
export const NAME_LENGTH = 60;

/**
 * What is read of Verda's answers (fields as in the vendor's Go SDK v1.4.2 and Python SDK 1.24). Strict about ids alone:
 * one odd field must not hide a machine that costs money. Numbers come as numbers or as strings.
 */
const text = v.fallback(v.nullable(v.string()), null);
const decimalText = v.pipe(
  v.union([v.string(), v.number()]),
  v.transform((value) => (typeof value === "number" ? value.toFixed(6) : value.trim())),
  v.regex(/^\d{1,12}(\.\d+)?$/),
);
/** A decimal string; null when it is none. */
const decimal = v.fallback(v.nullable(decimalText), null);
const count = v.fallback(v.pipe(decimalText, v.transform(Number)), 0);
const flag = v.fallback(v.boolean(), false);
const texts = v.fallback(v.array(v.string()), []);
/** RFC 3339 as epoch milliseconds of the server's clock. */
const time = v.fallback(
  v.nullable(
    v.pipe(
      v.string(),
      v.transform((value) => Date.parse(value)),
      v.number(),
      v.check((at) => !Number.isNaN(at)),
    ),
  ),
  null,
);
const tags = v.fallback(v.array(v.object({ key: v.string(), value: v.fallback(v.string(), "") })), []);
const gpu = v.fallback(v.object({ description: v.fallback(v.string(), ""), number_of_gpus: count }), {
  description: "",
  number_of_gpus: 0,
});
const cpu = v.fallback(v.object({ number_of_cores: count }), { number_of_cores: 0 });
const memory = v.fallback(v.object({ size_in_gigabytes: count }), { size_in_gigabytes: 0 });
const id = v.pipe(v.string(), v.minLength(1));

export const instanceSchema = v.object({
  id,
  ip: text,
  status: v.fallback(v.string(), "unknown"),
  created_at: time,
  gpu,
  gpu_memory: memory,
  hostname: v.fallback(v.string(), ""),
  location: v.fallback(v.string(), ""),
  price_per_hour: decimal,
  is_spot: flag,
  contract: text,
  instance_type: v.fallback(v.string(), ""),
  startup_script_id: text,
  os_volume_id: text,
  volume_ids: texts,
  tags,
});
export type WireInstance = v.InferOutput<typeof instanceSchema>;
export const instanceList = v.array(instanceSchema);

export const volumeSchema = v.object({
  id,
  name: v.fallback(v.string(), ""),
  size: count,
  status: v.fallback(v.string(), "unknown"),
  instance_id: text,
  instances: v.fallback(v.array(v.object({ id })), []),
  location: v.fallback(v.string(), ""),
  is_os_volume: flag,
  target: text,
  base_hourly_cost: decimal,
  currency: v.fallback(v.string(), "usd"),
  is_permanently_deleted: flag,
  tags,
});
export type WireVolume = v.InferOutput<typeof volumeSchema>;
export const volumeList = v.array(volumeSchema);

export const typeList = v.array(
  v.object({
    instance_type: v.fallback(v.string(), ""),
    cpu,
    gpu,
    gpu_memory: memory,
    memory,
    price_per_hour: decimal,
    spot_price: decimal,
    currency: v.fallback(v.string(), "usd"),
  }),
);
export type WireType = v.InferOutput<typeof typeList>[number];

export const availabilityList = v.array(v.object({ location_code: v.string(), availabilities: texts }));
export type WireAvailability = v.InferOutput<typeof availabilityList>[number];
export const locationList = v.array(v.object({ code: v.string() }));

export const imageList = v.array(v.object({ id, image_type: text, is_default: flag, is_cluster: flag, name: v.fallback(v.string(), "") }));
export const keyList = v.array(v.object({ id, key: v.fallback(v.string(), "") }));
const scriptSchema = v.object({ id, name: v.fallback(v.string(), ""), script: v.fallback(v.string(), ""), created_at: time });
export type WireScript = v.InferOutput<typeof scriptSchema>;
export const scriptList = v.array(scriptSchema);

export const tokenSchema = v.object({
  access_token: v.pipe(v.string(), v.minLength(1)),
  refresh_token: text,
  /** Seconds; five minutes when nobody says. */
  expires_in: v.fallback(v.pipe(decimalText, v.transform(Number)), 300),
});

export const errorSchema = v.object({ code: text, message: text });

/** A row of the answer to an action; the vendor mixes the cases of its field names. */
export const actionResults = v.array(
  v.object({
    instanceId: text,
    status: text,
    error: text,
    statusCode: v.fallback(v.nullable(v.pipe(decimalText, v.transform(Number))), null),
  }),
);
