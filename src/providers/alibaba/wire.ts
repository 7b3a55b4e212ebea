import * as v from "valibot";

/**
 * What is read of ECS answers (names as in the official SDK's response classes, 2014-05-26). Strict about ids alone: one odd
 * field must not hide a machine that costs money. Lists are always wrapped twice: `Instances.Instance[]`.
 */
const text = v.fallback(v.nullable(v.string()), null);
const word = v.fallback(v.string(), "");
const id = v.pipe(v.string(), v.minLength(1));
const decimalText = v.pipe(
  v.union([v.string(), v.number()]),
  v.transform((value) => (typeof value === "number" ? value.toFixed(6) : value.trim())),
  v.regex(/^\d{1,12}(\.\d+)?$/),
);
/** A decimal string; null when it is none. */
const decimal = v.fallback(v.nullable(decimalText), null);
const count = v.fallback(v.pipe(decimalText, v.transform(Number)), 0);
const flag = v.fallback(v.nullable(v.boolean()), null);
/** Epoch milliseconds of the cloud's clock. Some old fields lack the seconds: `2015-12-27T07:35Z`. */
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
const next = v.fallback(v.string(), "");

const inList = <Row extends v.GenericSchema>(row: Row) => v.array(row);
/** A wrapped list whose absence costs nothing. */
const optionalList = <Key extends string, Row extends v.GenericSchema>(key: Key, row: Row) =>
  v.fallback(v.object({ [key]: v.array(row) } as { [K in Key]: v.ArraySchema<Row, undefined> }), { [key]: [] } as never);

const tags = optionalList("Tag", v.object({ TagKey: word, TagValue: word }));

export const refusalSchema = v.object({ Code: v.pipe(v.string(), v.minLength(1)), Message: text });
/** The whole answer to a change that says nothing else. */
export const doneSchema = v.object({ RequestId: id });

export const regionList = v.object({ Regions: v.object({ Region: inList(v.object({ RegionId: id })) }) });

export const instanceSchema = v.object({
  InstanceId: id,
  InstanceName: word,
  RegionId: word,
  ZoneId: word,
  InstanceType: word,
  Status: v.fallback(v.string(), "unknown"),
  StoppedMode: text,
  OperationLocks: optionalList("LockReason", v.object({ LockReason: word, LockMsg: text })),
  SpotStrategy: text,
  SpotDuration: v.fallback(v.nullable(v.pipe(decimalText, v.transform(Number))), null),
  InstanceChargeType: text,
  CreationTime: time,
  StartTime: time,
  GPUAmount: count,
  GPUSpec: word,
  PublicIpAddress: optionalList("IpAddress", v.string()),
  EipAddress: v.fallback(v.object({ IpAddress: text }), { IpAddress: null }),
  Tags: tags,
});
export type WireInstance = v.InferOutput<typeof instanceSchema>;
export const instanceList = v.object({ Instances: v.object({ Instance: inList(instanceSchema) }), NextToken: next });

export const madeInstances = v.object({ InstanceIdSets: v.object({ InstanceIdSet: v.pipe(v.array(id), v.minLength(1)) }) });

export const eventList = v.object({
  InstanceSystemEventSet: v.object({
    InstanceSystemEventType: inList(
      v.object({
        EventType: v.fallback(v.object({ Name: word }), { Name: "" }),
        EventPublishTime: time,
        Reason: text,
        ReasonCode: text,
      }),
    ),
  }),
});

export const diskSchema = v.object({
  DiskId: id,
  DiskName: word,
  Size: count,
  Status: v.fallback(v.string(), "unknown"),
  Type: word,
  InstanceId: text,
  ZoneId: word,
  RegionId: word,
  SerialNumber: text,
  Tags: tags,
});
export type WireDisk = v.InferOutput<typeof diskSchema>;
export const diskList = v.object({ Disks: v.object({ Disk: inList(diskSchema) }), NextToken: next });
export const madeDisk = v.object({ DiskId: id });

export const snapshotSchema = v.object({
  SnapshotId: id,
  SnapshotName: word,
  Status: v.fallback(v.string(), "unknown"),
  SourceDiskId: text,
  /** GiB. */
  SourceDiskSize: count,
  CreationTime: time,
  Tags: tags,
});
export type WireSnapshot = v.InferOutput<typeof snapshotSchema>;
export const snapshotList = v.object({ Snapshots: v.object({ Snapshot: inList(snapshotSchema) }), NextToken: next });
export const madeSnapshot = v.object({ SnapshotId: id });

/** `MemorySize` and `GPUMemorySize` are GiB here; in DescribeInstances `Memory` is MiB. */
export const typeList = v.object({
  InstanceTypes: v.object({
    InstanceType: inList(
      v.object({
        InstanceTypeId: id,
        CpuCoreCount: count,
        MemorySize: count,
        GPUAmount: count,
        GPUSpec: word,
        GPUMemorySize: count,
      }),
    ),
  }),
  NextToken: next,
});

const stockFields = { Status: word, StatusCategory: word };
export const stockList = v.object({
  AvailableZones: v.object({
    AvailableZone: inList(
      v.object({
        ZoneId: id,
        ...stockFields,
        AvailableResources: optionalList(
          "AvailableResource",
          v.object({ SupportedResources: optionalList("SupportedResource", v.object({ Value: word, ...stockFields })) }),
        ),
      }),
    ),
  }),
});
export type WireStock = v.InferOutput<typeof stockList>;

export const priceList = v.object({
  Currency: v.pipe(v.string(), v.regex(/^[A-Za-z]{3}$/)),
  NextOffset: v.fallback(v.pipe(decimalText, v.transform(Number)), 0),
  SpotPrices: v.object({
    SpotPriceType: inList(v.object({ ZoneId: word, Timestamp: time, SpotPrice: decimal, OriginPrice: decimal })),
  }),
});
export type WirePrice = v.InferOutput<typeof priceList>["SpotPrices"]["SpotPriceType"][number];

export const adviceList = v.object({
  AvailableSpotZones: v.object({
    AvailableSpotZone: inList(
      v.object({
        ZoneId: word,
        AvailableSpotResources: optionalList("AvailableSpotResource", v.object({ InstanceType: word, InterruptRateDesc: word })),
      }),
    ),
  }),
});

export const vswitchList = v.object({
  VSwitches: v.object({
    VSwitch: inList(v.object({ VSwitchId: id, VpcId: id, ZoneId: word, IsDefault: flag, Status: word, AvailableIpAddressCount: count })),
  }),
});
export const groupList = v.object({
  SecurityGroups: v.object({ SecurityGroup: inList(v.object({ SecurityGroupId: id, SecurityGroupName: word })) }),
});
export const madeGroup = v.object({ SecurityGroupId: id });
export const keyPairList = v.object({ KeyPairs: v.object({ KeyPair: inList(v.object({ KeyPairName: id })) }) });
export const madeKeyPair = v.object({ KeyPairName: id });
export const imageList = v.object({
  Images: v.object({
    Image: inList(
      v.object({
        ImageId: id,
        ImageName: word,
        OSName: word,
        OSNameEn: word,
        Description: word,
        ImageFamily: word,
        CreationTime: time,
        Size: count,
      }),
    ),
  }),
});
export type WireImage = v.InferOutput<typeof imageList>["Images"]["Image"][number];
