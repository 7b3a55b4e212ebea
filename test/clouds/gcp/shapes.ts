import { Refusal } from "./refusal.ts";

/**
 * The fields of request bodies that this imitation reads, by hand; whoever has Google's discovery document compares them with
 * it (test/vendors/gcp-discovery.test.ts). Another field is refused, as the real one refuses unknown names.
 */
export type Shape =
  | "string"
  | "boolean"
  | "integer"
  /** A string of digits, or a number. */
  | "int64"
  /** Valid base64. */
  | "byte"
  | { readonly oneOf: readonly string[] }
  | { readonly listOf: Shape }
  | { readonly mapOf: Shape }
  | Fields;

export interface Fields {
  /** The schema of the discovery document; null for one without a name of its own. */
  readonly schema: string | null;
  readonly fields: Readonly<Record<string, Shape>>;
}

const DURATION: Fields = { schema: "Duration", fields: { seconds: "int64", nanos: "integer" } };

const SCHEDULING: Fields = {
  schema: "Scheduling",
  fields: {
    provisioningModel: { oneOf: ["RESERVATION_BOUND", "SPOT", "STANDARD"] },
    instanceTerminationAction: { oneOf: ["DELETE", "INSTANCE_TERMINATION_ACTION_UNSPECIFIED", "STOP"] },
    onHostMaintenance: { oneOf: ["MIGRATE", "TERMINATE"] },
    automaticRestart: "boolean",
    preemptible: "boolean",
    maxRunDuration: DURATION,
    terminationTime: "string",
    onInstanceStopAction: { schema: "SchedulingOnInstanceStopAction", fields: { discardLocalSsd: "boolean" } },
    localSsdRecoveryTimeout: DURATION,
    hostErrorTimeoutSeconds: "integer",
    minNodeCpus: "integer",
  },
};

/** In preview: known on the beta path alone. */
export const BETA_SCHEDULING: Fields = {
  schema: "Scheduling",
  fields: { ...SCHEDULING.fields, preemptionNoticeDuration: DURATION },
};

const METADATA: Fields = {
  schema: "Metadata",
  fields: { fingerprint: "byte", kind: "string", items: { listOf: { schema: null, fields: { key: "string", value: "string" } } } },
};

const TAGS: Fields = { schema: "Tags", fields: { fingerprint: "byte", items: { listOf: "string" } } };

export const ATTACHED_DISK: Fields = {
  schema: "AttachedDisk",
  fields: {
    kind: "string",
    boot: "boolean",
    autoDelete: "boolean",
    mode: { oneOf: ["READ_ONLY", "READ_WRITE"] },
    type: { oneOf: ["PERSISTENT", "SCRATCH"] },
    interface: { oneOf: ["NVME", "SCSI"] },
    source: "string",
    deviceName: "string",
    diskSizeGb: "int64",
    forceAttach: "boolean",
    initializeParams: {
      schema: "AttachedDiskInitializeParams",
      fields: {
        diskName: "string",
        diskSizeGb: "int64",
        diskType: "string",
        sourceImage: "string",
        sourceSnapshot: "string",
        description: "string",
        labels: { mapOf: "string" },
      },
    },
  },
};

const NETWORK_INTERFACE: Fields = {
  schema: "NetworkInterface",
  fields: {
    kind: "string",
    name: "string",
    network: "string",
    subnetwork: "string",
    nicType: { oneOf: ["GVNIC", "IDPF", "IRDMA", "MRDMA", "UNSPECIFIED_NIC_TYPE", "VIRTIO_NET"] },
    stackType: { oneOf: ["IPV4_IPV6", "IPV4_ONLY", "IPV6_ONLY"] },
    accessConfigs: {
      listOf: {
        schema: "AccessConfig",
        fields: {
          kind: "string",
          name: "string",
          type: { oneOf: ["DIRECT_IPV6", "ONE_TO_ONE_NAT"] },
          networkTier: { oneOf: ["FIXED_STANDARD", "PREMIUM", "STANDARD", "STANDARD_OVERRIDES_FIXED_STANDARD"] },
        },
      },
    },
  },
};

function instance(scheduling: Fields): Fields {
  return {
    schema: "Instance",
    fields: {
      kind: "string",
      name: "string",
      description: "string",
      hostname: "string",
      zone: "string",
      machineType: "string",
      labels: { mapOf: "string" },
      metadata: METADATA,
      tags: TAGS,
      scheduling,
      disks: { listOf: ATTACHED_DISK },
      networkInterfaces: { listOf: NETWORK_INTERFACE },
      guestAccelerators: {
        listOf: { schema: "AcceleratorConfig", fields: { acceleratorType: "string", acceleratorCount: "integer" } },
      },
      serviceAccounts: { listOf: { schema: "ServiceAccount", fields: { email: "string", scopes: { listOf: "string" } } } },
      canIpForward: "boolean",
      deletionProtection: "boolean",
      minCpuPlatform: "string",
      shieldedInstanceConfig: {
        schema: "ShieldedInstanceConfig",
        fields: { enableSecureBoot: "boolean", enableVtpm: "boolean", enableIntegrityMonitoring: "boolean" },
      },
    },
  };
}

export const INSTANCE = instance(SCHEDULING);
export const BETA_INSTANCE = instance(BETA_SCHEDULING);
export const SET_SCHEDULING = SCHEDULING;
export const SET_METADATA = METADATA;
export const SET_TAGS = TAGS;

export const SET_LABELS: Fields = {
  schema: "InstancesSetLabelsRequest",
  fields: { labels: { mapOf: "string" }, labelFingerprint: "byte" },
};

export const SET_DISK_LABELS: Fields = {
  schema: "ZoneSetLabelsRequest",
  fields: { labels: { mapOf: "string" }, labelFingerprint: "byte" },
};

export const SET_GLOBAL_LABELS: Fields = {
  schema: "GlobalSetLabelsRequest",
  fields: { labels: { mapOf: "string" }, labelFingerprint: "byte" },
};

export const DISK: Fields = {
  schema: "Disk",
  fields: {
    kind: "string",
    name: "string",
    description: "string",
    sizeGb: "int64",
    type: "string",
    zone: "string",
    labels: { mapOf: "string" },
    sourceImage: "string",
    sourceSnapshot: "string",
    physicalBlockSizeBytes: "int64",
    provisionedIops: "int64",
    provisionedThroughput: "int64",
  },
};

export const SNAPSHOT: Fields = {
  schema: "Snapshot",
  fields: {
    kind: "string",
    name: "string",
    description: "string",
    labels: { mapOf: "string" },
    sourceDisk: "string",
    snapshotType: { oneOf: ["ARCHIVE", "STANDARD"] },
    storageLocations: { listOf: "string" },
  },
};

const RULES: Shape = { listOf: { schema: null, fields: { IPProtocol: "string", ports: { listOf: "string" } } } };

export const FIREWALL: Fields = {
  schema: "Firewall",
  fields: {
    kind: "string",
    name: "string",
    description: "string",
    network: "string",
    direction: { oneOf: ["EGRESS", "INGRESS"] },
    priority: "integer",
    disabled: "boolean",
    allowed: RULES,
    denied: RULES,
    sourceRanges: { listOf: "string" },
    destinationRanges: { listOf: "string" },
    sourceTags: { listOf: "string" },
    targetTags: { listOf: "string" },
  },
};

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function wrong(path: string, value: unknown, kind: string): Refusal {
  return new Refusal(400, "badRequest", `Invalid value at '${path}' (${kind}), ${JSON.stringify(value)}`);
}

const SIMPLE: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === "string",
  boolean: (value) => typeof value === "boolean",
  integer: (value) => typeof value === "number" && Number.isInteger(value),
  int64: (value) => (typeof value === "number" && Number.isSafeInteger(value)) || (typeof value === "string" && /^-?\d{1,19}$/.test(value)),
  byte: (value) => typeof value === "string" && /^(?:[A-Za-z0-9+/_-]{4})*(?:[A-Za-z0-9+/_-]{2,4}={0,2})?$/.test(value),
};

function checkValue(value: unknown, shape: Shape, path: string): void {
  if (typeof shape === "string") {
    if (SIMPLE[shape]?.(value) !== true) throw wrong(path, value, `TYPE_${shape.toUpperCase()}`);
  } else if ("oneOf" in shape) {
    if (typeof value !== "string" || !shape.oneOf.includes(value)) throw wrong(path, value, "TYPE_ENUM");
  } else if ("listOf" in shape) {
    if (!Array.isArray(value)) throw wrong(path, value, "TYPE_LIST");
    for (const [index, one] of value.entries()) checkValue(one, shape.listOf, `${path}[${index}]`);
  } else if ("mapOf" in shape) {
    if (!isRecord(value)) throw wrong(path, value, "TYPE_MAP");
    for (const [key, one] of Object.entries(value)) checkValue(one, shape.mapOf, `${path}.${key}`);
  } else checkFields(value, shape, path);
}

function checkFields(value: unknown, shape: Fields, path: string): void {
  if (!isRecord(value)) throw wrong(path, value, "TYPE_MESSAGE");
  for (const [name, one] of Object.entries(value)) {
    const inner = shape.fields[name];
    // A field that is null is one that is not there.
    if (one === null && inner !== undefined) continue;
    if (inner === undefined)
      throw new Refusal(400, "badRequest", `Invalid JSON payload received. Unknown name "${name}" at '${path}': Cannot find field.`);
    checkValue(one, inner, path === "" ? name : `${path}.${name}`);
  }
}

function withoutNulls(value: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const kept = Object.entries(value).filter(([, one]) => one !== null);
  return Object.fromEntries(kept.map(([name, one]) => [name, isRecord(one) ? withoutNulls(one) : one]));
}

/** @throws Refusal for another field, and for one of a wrong type. */
export function checkedBody(body: unknown, shape: Fields): Readonly<Record<string, unknown>> {
  if (!isRecord(body)) throw new Refusal(400, "parseError", "Parse Error");
  checkFields(body, shape, "resource");
  return withoutNulls(body);
}
