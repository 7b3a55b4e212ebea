import * as v from "valibot";

const time = v.pipe(
  v.string(),
  v.check((text) => !Number.isNaN(Date.parse(text)), "not a time"),
  v.transform((text) => Date.parse(text)),
);
const decimal = v.pipe(v.string(), v.regex(/^\d{1,12}(\.\d{1,12})?$/));
const gpu = v.object({ model: v.string(), count: v.number(), vramGb: v.number() });
const strings = v.record(v.string(), v.string());

/** Times become epoch milliseconds; money stays a decimal string beside its currency. */
export const instanceSchema = v.object({
  id: v.string(),
  name: v.string(),
  clientToken: v.nullable(v.string()),
  state: v.string(),
  reason: v.nullable(v.string()),
  region: v.string(),
  zone: v.string(),
  type: v.string(),
  gpu,
  billing: v.picklist(["spot", "on-demand"]),
  price: decimal,
  currency: v.string(),
  createdAt: time,
  startedAt: v.nullable(time),
  protectedUntil: v.nullable(time),
  notice: v.nullable(v.object({ kind: v.picklist(["reclaim", "rebalance"]), at: time, deadline: time })),
  address: v.nullable(v.string()),
  volumes: v.array(v.object({ id: v.string(), mount: v.string() })),
  rootDir: v.string(),
  env: strings,
  consoleLog: v.string(),
  exitCode: v.nullable(v.number()),
});
export type WireInstance = v.InferOutput<typeof instanceSchema>;

export const volumeSchema = v.object({
  id: v.string(),
  name: v.string(),
  clientToken: v.nullable(v.string()),
  sizeGb: v.number(),
  region: v.string(),
  zone: v.string(),
  state: v.string(),
  attachedTo: v.nullable(v.string()),
  path: v.string(),
  usedBytes: v.nullable(v.number()),
  pricePerHour: decimal,
  currency: v.string(),
});
export type WireVolume = v.InferOutput<typeof volumeSchema>;

export const offerSchema = v.object({
  region: v.string(),
  zone: v.string(),
  type: v.string(),
  gpu,
  vcpus: v.number(),
  memoryGb: v.number(),
  billing: v.picklist(["spot", "on-demand", "monthly"]),
  price: decimal,
  onDemandPrice: decimal,
  currency: v.string(),
  stock: v.pipe(v.number(), v.integer(), v.minValue(0)),
  noticeSeconds: v.number(),
  protectionSeconds: v.number(),
  interruptionsPerHour: v.number(),
});
export type WireOffer = v.InferOutput<typeof offerSchema>;

export const oneInstance = v.object({ instance: instanceSchema });
export const instancePage = v.object({ instances: v.array(instanceSchema), nextCursor: v.nullable(v.string()) });
export const oneVolume = v.object({ volume: volumeSchema });
export const allVolumes = v.object({ volumes: v.array(volumeSchema) });
export const allOffers = v.object({ offers: v.array(offerSchema) });
export const billSchema = v.object({
  items: v.array(
    v.object({
      resourceId: v.string(),
      name: v.string(),
      kind: v.picklist(["gpu", "disk"]),
      from: time,
      to: time,
      seconds: v.number(),
      rate: decimal,
      amount: decimal,
      currency: v.string(),
      open: v.boolean(),
    }),
  ),
});
export const errorSchema = v.object({ error: v.object({ code: v.string(), message: v.string() }) });

export const accountSchema = v.object({ account: v.object({ id: v.string(), name: v.string() }) });

export const healthSchema = v.object({
  pid: v.number(),
  version: v.string(),
  startedAt: v.string(),
  profile: v.string(),
  metadataPort: v.number(),
  simulated: v.object({ provisioningMs: v.number(), hibernateMs: v.number(), restoreMs: v.number(), hazardPerHour: v.number() }),
});

export const marketSchema = v.object({
  profile: v.string(),
  seed: v.number(),
  provisioningMs: v.number(),
  hibernateMs: v.number(),
  restoreMs: v.number(),
  hazardPerHour: v.number(),
  schedule: v.array(v.object({ afterSeconds: v.number(), noticeSeconds: v.number(), times: v.number() })),
  stock: v.record(v.string(), v.number()),
});

export const chaosSchema = v.object({
  rules: v.array(
    v.object({
      on: v.string(),
      effect: v.string(),
      ms: v.optional(v.number()),
      status: v.optional(v.number()),
      code: v.optional(v.string()),
      times: v.number(),
    }),
  ),
});
export const anything = v.unknown();
