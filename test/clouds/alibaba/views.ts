import { type Disk, type HistoryEvent, type Instance, type Site, toldMinute, toldTime } from "./site.ts";
import { tagsJson } from "./tags.ts";

const NEVER = "2099-12-31T15:59Z";

function locksJson({ lock }: Instance): unknown {
  const LockMsg = lock === "Recycling" ? "" : "Your instance is locked.";
  return { LockReason: lock === null ? [] : [{ LockReason: lock, LockMsg }] };
}

export function instanceJson(site: Site, instance: Instance): unknown {
  const { type } = instance;
  return {
    InstanceId: instance.id,
    InstanceName: instance.name,
    HostName: instance.hostName,
    Description: "",
    RegionId: instance.region.id,
    ZoneId: instance.zone,
    ClusterId: "",
    InstanceType: type.id,
    InstanceTypeFamily: type.family,
    Cpu: type.cpu,
    // MiB here, GiB in DescribeInstanceTypes.
    Memory: type.memory * 1_024,
    GPUAmount: type.gpus,
    GPUSpec: type.gpuSpec,
    ImageId: instance.image.id,
    OSName: instance.image.osName,
    OSNameEn: instance.image.osName,
    OSType: instance.image.osType,
    Status: site.switches.shownStatus ?? instance.status,
    StoppedMode: instance.stoppedMode,
    OperationLocks: locksJson(instance),
    InstanceChargeType: "PostPaid",
    SpotStrategy: instance.spotStrategy,
    SpotPriceLimit: instance.spotPriceLimit ?? 0,
    SpotDuration: instance.spotDuration,
    SpotInterruptionBehavior: instance.interruption,
    CreationTime: toldMinute(site, instance.createdAt),
    StartTime: instance.startedAt === null ? "" : toldMinute(site, instance.startedAt),
    AutoReleaseTime: instance.autoReleaseAt === null ? "" : toldMinute(site, instance.autoReleaseAt),
    ExpiredTime: NEVER,
    InstanceNetworkType: "vpc",
    InternetChargeType: "PayByTraffic",
    InternetMaxBandwidthOut: instance.bandwidthOut,
    InternetMaxBandwidthIn: 100,
    PublicIpAddress: { IpAddress: instance.publicIp === null ? [] : [instance.publicIp] },
    InnerIpAddress: { IpAddress: [] },
    EipAddress: { AllocationId: "", IpAddress: "", InternetChargeType: "" },
    VpcAttributes: {
      VpcId: instance.vSwitch.vpc.id,
      VSwitchId: instance.vSwitch.id,
      NatIpAddress: "",
      PrivateIpAddress: { IpAddress: [instance.privateIp] },
    },
    SecurityGroupIds: { SecurityGroupId: instance.securityGroups.map(({ id }) => id) },
    KeyPairName: instance.keyPair?.name ?? "",
    MetadataOptions: { HttpEndpoint: instance.httpEndpoint, HttpTokens: instance.httpTokens },
    HibernationOptions: { Configured: false },
    DeletionProtection: instance.deletionProtection,
    DeviceAvailable: true,
    Recyclable: false,
    IoOptimized: true,
    ...(type.hasLocalDisk ? { LocalStorageCapacity: 440, LocalStorageAmount: 1 } : {}),
    ResourceGroupId: "",
    SerialNumber: "",
    Tags: tagsJson(instance.tags),
  };
}

/** What the kernel of a machine finds as the serial number of a virtio disk: the id without its kind. */
export function serialOf({ id }: Disk): string {
  return id.replace(/^d-/, "");
}

export function diskJson(site: Site, disk: Disk): unknown {
  const isIn = disk.instanceId !== null;
  const attachment = { InstanceId: disk.instanceId, Device: disk.device, AttachedTime: told(site, disk.attachedAt) };
  return {
    DiskId: disk.id,
    DiskName: disk.name,
    Description: disk.description,
    RegionId: disk.region.id,
    ZoneId: disk.zone,
    SerialNumber: serialOf(disk),
    Type: disk.kind,
    Category: disk.category,
    PerformanceLevel: disk.performanceLevel,
    Size: disk.size,
    Status: disk.status,
    Encrypted: disk.isEncrypted,
    Portable: disk.kind === "data",
    DiskChargeType: "PostPaid",
    DeleteWithInstance: disk.deleteWithInstance,
    DeleteAutoSnapshot: true,
    EnableAutoSnapshot: false,
    MultiAttach: "Disabled",
    SourceSnapshotId: disk.sourceSnapshotId,
    InstanceId: disk.instanceId ?? "",
    // What the cloud calls it; the kernel inside has its own names.
    Device: disk.device ?? "",
    Attachments: { Attachment: isIn ? [attachment] : [] },
    MountInstances: { MountInstance: isIn ? [attachment] : [] },
    OperationLocks: { OperationLock: [] },
    CreationTime: toldTime(site, disk.createdAt),
    AttachedTime: told(site, disk.attachedAt),
    DetachedTime: told(site, disk.detachedAt),
    ExpiredTime: NEVER,
    ImageId: "",
    ProductCode: "",
    ResourceGroupId: "",
    Tags: tagsJson(disk.tags),
  };
}

function told(site: Site, at: number | null): string {
  return at === null ? "" : toldTime(site, at);
}

export function historyJson(site: Site, event: HistoryEvent): unknown {
  return {
    EventId: event.id,
    InstanceId: event.instanceId,
    ResourceType: "instance",
    EventType: { Name: event.type, Code: event.code },
    EventCycleStatus: { Name: event.status, Code: { Scheduled: 24, Executing: 28, Executed: 29, Canceled: 31 }[event.status] },
    EventPublishTime: toldTime(site, event.publishedAt),
    NotBefore: toldTime(site, event.notBefore),
    EventFinishTime: told(site, event.finishedAt),
    ImpactLevel: "100",
    Reason: event.reason,
    ReasonCode: "",
    ExtendedAttribute: {},
  };
}
