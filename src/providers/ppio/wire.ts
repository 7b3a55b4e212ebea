import * as v from "valibot";

/*
 * What the v1 API sends (novita.ai/docs/api-reference and ppio.com/docs/gpus, field for field twins). Numbers come as numbers
 * or as strings, fields are missing from one page and there on the other; so everything but an id has something to fall back on.
 */

const scalar = v.union([v.string(), v.number()]);
const id = v.pipe(
  scalar,
  v.transform((value) => String(value)),
  v.nonEmpty("an empty id"),
);
const text = v.fallback(
  v.pipe(
    scalar,
    v.transform((value) => String(value)),
  ),
  "",
);
const amount = v.fallback(
  v.nullable(
    v.pipe(
      scalar,
      v.transform((value) => (value === "" ? Number.NaN : Number(value))),
      v.finite(),
      v.minValue(0),
    ),
  ),
  null,
);
const truth = v.fallback(v.nullable(v.boolean()), null);

/** Largest number of seconds that is read as seconds (the year 5138); what is larger is milliseconds. */
const MOST_SECONDS = 1e11;

/** Unix seconds, mostly in a string; "0", "-1" and nothing mean that there is no such moment. Read to epoch milliseconds. */
const moment = v.fallback(
  v.pipe(
    v.nullable(scalar),
    v.transform((value) => {
      const seconds = Number(value === "" || value === null ? 0 : value);
      if (Number.isNaN(seconds)) return Date.parse(String(value)) || null;
      if (!Number.isFinite(seconds) || seconds <= 0) return null;
      return seconds > MOST_SECONDS ? seconds : seconds * 1000;
    }),
  ),
  null,
);

/** A price in 1/100000 of the currency's unit; null when there is none or it cannot be read. "0" is none. */
const rawPrice = v.fallback(
  v.pipe(
    v.nullable(scalar),
    v.transform((value) => (value !== null && /^\d{1,15}$/.test(String(value)) ? BigInt(value) : 0n)),
    v.transform((raw) => (raw > 0n ? raw : null)),
  ),
  null,
);

/** Rows of a list, or null for none; one that cannot be read is left out. */
function rows<Schema extends v.GenericSchema>(schema: Schema) {
  return v.pipe(
    v.nullable(v.array(v.unknown())),
    v.transform((list): readonly v.InferOutput<Schema>[] =>
      (list ?? []).flatMap((row) => {
        const read = v.safeParse(schema, row);
        return read.success ? [read.output] : [];
      }),
    ),
  );
}

/** The same for a list that may be missing. */
function rowsIfAny<Schema extends v.GenericSchema>(schema: Schema) {
  return v.fallback(rows(schema), []);
}

const words = v.fallback(v.array(v.string()), []);

/** One instance, as the list or the details call shows it: the fields of both, so that one reader serves. */
export const instanceSchema = v.object({
  id,
  name: text,
  clusterId: text,
  status: text,
  productId: text,
  productName: text,
  gpuNum: amount,
  volumeMounts: rowsIfAny(v.object({ type: text, id })),
  statusError: v.fallback(v.nullable(v.object({ state: text, message: text })), null),
  billingMode: text,
  // In the list alone.
  spotStatus: text,
  spotReclaimTime: moment,
  createdAt: moment,
  lastStoppedAt: moment,
  releaseDataAt: moment,
  keepDataDay: amount,
  // In the details alone, with an endpoint.
  portMappings: rowsIfAny(v.object({ port: v.pipe(amount, v.number()), endpoint: text })),
  connectComponentSSH: v.fallback(v.nullable(v.object({ sshCommand: text, password: text, isRunning: truth })), null),
  sshCommand: text,
  password: text,
  sshPassword: text,
});
export type WireInstance = v.InferOutput<typeof instanceSchema>;

/** A strange field is fallen back on; a row without an id says that this is no list of instances. No rows may come as null. */
export const instancePage = v.object({ instances: v.nullable(v.array(instanceSchema), []), total: amount });

/** Flat by the documents; clients that were run against it also expect it below `instance`. */
export const instanceDetails = v.union([
  v.pipe(
    v.object({ instance: instanceSchema }),
    v.transform(({ instance }) => instance),
  ),
  instanceSchema,
]);

export const created = v.object({ id });

const productSchema = v.object({
  id,
  name: text,
  cpuPerGpu: amount,
  memoryPerGpu: amount,
  availableDeploy: truth,
  inventoryState: text,
  minRootFS: amount,
  maxRootFS: amount,
  /** Ids or names of clusters; empty means everywhere. */
  regions: words,
  price: rawPrice,
  spotPrice: rawPrice,
  monthlyPrice: rowsIfAny(v.object({ price: rawPrice, month: amount })),
  billingMethods: words,
});
export type WireProduct = v.InferOutput<typeof productSchema>;
export const productList = v.object({ data: rows(productSchema) });

const clusterSchema = v.object({ id, name: text });
export type WireCluster = v.InferOutput<typeof clusterSchema>;
export const clusterList = v.object({ data: rows(clusterSchema) });

export const authList = v.object({ data: rows(v.object({ id, name: text })) });

const storageSchema = v.object({ storageId: id, storageName: text, storageSize: amount, clusterId: text });
export type WireStorage = v.InferOutput<typeof storageSchema>;
export const storagePage = v.object({ data: rows(storageSchema), total: amount });

/** The new id as a bare JSON string by the documents; an object with it is taken too. */
export const storageCreated = v.union([
  id,
  v.pipe(
    v.object({ storageId: id }),
    v.transform(({ storageId }) => storageId),
  ),
  v.pipe(
    created,
    v.transform((answer) => answer.id),
  ),
]);
