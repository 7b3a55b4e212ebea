import * as v from "valibot";

/**
 * What is read of Google's answers (fields of the discovery document compute v1, revision 20250320, and cloudbilling v1).
 * Strict about `kind` and names alone: one odd field must not hide a machine that costs money. 64-bit numbers come as strings.
 */
const text = v.fallback(v.string(), "");
const maybe = v.fallback(v.nullable(v.string()), null);
const flag = v.fallback(v.boolean(), false);
const count = v.fallback(v.pipe(v.union([v.string(), v.number()]), v.transform(Number), v.number(), v.finite()), 0);
const name = v.pipe(v.string(), v.minLength(1));
const labels = v.fallback(v.record(v.string(), v.string()), {});
const texts = v.fallback(v.array(v.string()), []);
/** RFC 3339 with an offset as epoch milliseconds of the cloud's clock. */
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

export const operationSchema = v.object({
  name,
  status: text,
  operationType: text,
  targetLink: text,
  targetId: text,
  user: text,
  statusMessage: text,
  insertTime: time,
  startTime: time,
  error: v.fallback(v.nullable(v.object({ errors: v.fallback(v.array(v.object({ code: text, message: text })), []) })), null),
});
export type Operation = v.InferOutput<typeof operationSchema>;

/** A list of one place. An answer without its `kind` is no list. */
function listOf<const Kind extends string, Row extends v.GenericSchema>(kind: Kind, row: Row) {
  return v.object({ kind: v.literal(kind), items: v.optional(v.array(row), []), nextPageToken: maybe, unreachables: texts });
}

const warning = v.fallback(v.nullable(v.object({ code: text })), null);

/** A list over all places: a map of scopes, each with its rows or a warning. */
function aggregated<const Kind extends string, const Key extends string, Row extends v.GenericSchema>(kind: Kind, key: Key, row: Row) {
  const scope = v.pipe(
    v.looseObject({ warning }),
    v.transform((found) => ({ warning: found.warning, rows: found[key] ?? [] })),
    v.object({ warning, rows: v.array(row) }),
  );
  const items = v.optional(v.record(v.string(), scope), {});
  return v.object({ kind: v.literal(kind), items, nextPageToken: maybe, unreachables: texts, warning });
}

export const operationList = listOf("compute#operationList", operationSchema);

const attachedDisk = v.object({ source: text, deviceName: text, boot: flag });
const networkInterface = v.object({ accessConfigs: v.fallback(v.array(v.object({ natIP: maybe })), []) });
const noScheduling = { provisioningModel: "", preemptible: false, automaticRestart: false, maxRunDuration: null };

export const instanceSchema = v.object({
  name,
  zone: text,
  machineType: text,
  status: text,
  statusMessage: maybe,
  labels,
  tags: v.fallback(v.object({ items: texts }), { items: [] }),
  disks: v.fallback(v.array(attachedDisk), []),
  networkInterfaces: v.fallback(v.array(networkInterface), []),
  guestAccelerators: v.fallback(v.array(v.object({ acceleratorType: text, acceleratorCount: count })), []),
  scheduling: v.fallback(
    v.object({
      provisioningModel: text,
      preemptible: flag,
      automaticRestart: flag,
      maxRunDuration: v.fallback(v.nullable(v.object({ seconds: count })), null),
    }),
    noScheduling,
  ),
  creationTimestamp: time,
  lastStartTimestamp: time,
  lastStopTimestamp: time,
});
export type WireInstance = v.InferOutput<typeof instanceSchema>;
export const instanceAggregate = aggregated("compute#instanceAggregatedList", "instances", instanceSchema);
export const instanceList = listOf("compute#instanceList", instanceSchema);

export const diskSchema = v.object({
  name,
  zone: text,
  status: text,
  sizeGb: count,
  type: text,
  labels,
  users: texts,
  sourceImage: maybe,
});
export type WireDisk = v.InferOutput<typeof diskSchema>;
export const diskAggregate = aggregated("compute#diskAggregatedList", "disks", diskSchema);

export const snapshotSchema = v.object({
  name,
  status: text,
  sourceDisk: maybe,
  diskSizeGb: count,
  labels,
  creationTimestamp: time,
});
export type WireSnapshot = v.InferOutput<typeof snapshotSchema>;
export const snapshotList = listOf("compute#snapshotList", snapshotSchema);

export const zoneList = listOf("compute#zoneList", v.object({ name, status: text }));

export const firewallSchema = v.object({ name, targetTags: texts });
export const firewallList = listOf("compute#firewallList", firewallSchema);

const deprecated = v.fallback(v.nullable(v.object({ state: text })), null);
export const machineTypeAggregate = aggregated(
  "compute#machineTypeAggregatedList",
  "machineTypes",
  v.object({
    name,
    guestCpus: count,
    memoryMb: count,
    deprecated,
    architecture: text,
    accelerators: v.fallback(v.array(v.object({ guestAcceleratorType: text, guestAcceleratorCount: count })), []),
  }),
);
export const acceleratorTypeAggregate = aggregated(
  "compute#acceleratorTypeAggregatedList",
  "acceleratorTypes",
  v.object({ name, maximumCardsPerInstance: count, deprecated }),
);

const tier = v.object({
  startUsageAmount: count,
  unitPrice: v.object({
    currencyCode: text,
    units: v.fallback(v.pipe(v.union([v.string(), v.number()]), v.transform(String)), "0"),
    nanos: count,
  }),
});
export const skuPage = v.object({
  skus: v.array(
    v.object({
      description: text,
      category: v.fallback(v.object({ resourceFamily: text, resourceGroup: text, usageType: text }), {
        resourceFamily: "",
        resourceGroup: "",
        usageType: "",
      }),
      serviceRegions: texts,
      pricingInfo: v.fallback(
        v.array(v.object({ pricingExpression: v.object({ usageUnit: text, tieredRates: v.fallback(v.array(tier), []) }) })),
        [],
      ),
    }),
  ),
  nextPageToken: maybe,
});
export type WireSku = v.InferOutput<typeof skuPage>["skus"][number];
