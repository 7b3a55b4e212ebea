import { DISK_PER_GIB_HOUR, IMAGES, INSTANCE_TYPES, type InstanceType, REGIONS, type Region, typeNamed } from "./catalogue.ts";
import type { Parameters } from "./parameters.ts";
import { regionNamed } from "./places.ts";
import { invalid } from "./refusal.ts";

function typeJson(type: InstanceType): unknown {
  return {
    InstanceTypeId: type.id,
    InstanceTypeFamily: type.family,
    InstanceFamilyLevel: "EnterpriseLevel",
    InstanceCategory: type.gpuSpec === "" ? "General-purpose" : "GPU-based compute-optimized",
    CpuArchitecture: type.architecture,
    CpuCoreCount: type.cpu,
    MemorySize: type.memory,
    GPUAmount: type.gpus,
    GPUSpec: type.gpuSpec,
    GPUMemorySize: type.gpuMemory,
    ...(type.hasLocalDisk ? { LocalStorageCategory: "local_ssd_pro", LocalStorageAmount: 1, LocalStorageCapacity: 440 } : {}),
    EniQuantity: 4,
    DiskQuantity: 17,
    NvmeSupport: "unsupported",
  };
}

const MOST_TYPES = 1_600;

export function instanceTypes(found: Parameters): unknown {
  const names = found.list("InstanceTypes");
  const families = [
    ...found.list("InstanceTypeFamilies"),
    ...(found.text("InstanceTypeFamily") ?? "").split(",").filter((one) => one !== ""),
  ];
  const within = (value: number, least: string, most: string) =>
    value >= (found.number(least) ?? 0) && value <= (found.number(most) ?? Number.POSITIVE_INFINITY);
  const all = INSTANCE_TYPES.filter(
    (type) =>
      (names.length === 0 || names.includes(type.id)) &&
      (families.length === 0 || families.includes(type.family)) &&
      type.gpuSpec.toLowerCase().includes((found.text("GPUSpec") ?? "").toLowerCase()) &&
      (found.list("GpuSpecs").length === 0 || found.list("GpuSpecs").includes(type.gpuSpec)) &&
      (found.text("CpuArchitecture") ?? type.architecture) === type.architecture &&
      within(type.gpus, "MinimumGPUAmount", "MaximumGPUAmount") &&
      within(type.cpu, "MinimumCpuCoreCount", "MaximumCpuCoreCount") &&
      within(type.memory, "MinimumMemorySize", "MaximumMemorySize"),
  );
  const size = found.number("MaxResults") ?? MOST_TYPES;
  if (size < 1 || size > MOST_TYPES) throw invalid("MaxResults");
  const start = Number(found.text("NextToken") ?? 0);
  if (!Number.isInteger(start)) throw invalid("NextToken");
  const rows = all.slice(start, start + size);
  const end = start + rows.length;
  return { NextToken: end < all.length ? String(end) : "", InstanceTypes: { InstanceType: rows.map(typeJson) } };
}

const CHINESE: Readonly<Record<string, string>> = {
  "cn-hangzhou": "华东1（杭州）",
  "cn-shanghai": "华东2（上海）",
  "ap-southeast-1": "新加坡",
  "eu-central-1": "德国（法兰克福）",
};

const inEnglish = (found: Parameters) => (found.text("AcceptLanguage") ?? "").startsWith("en");

export function regions(found: Parameters): unknown {
  const Region = REGIONS.map(({ id, name }) => ({
    RegionId: id,
    RegionEndpoint: `ecs.${id}.aliyuncs.com`,
    LocalName: inEnglish(found) ? name : CHINESE[id],
  }));
  return { Regions: { Region } };
}

const zoneTypes = (region: Region, zone: string) => INSTANCE_TYPES.filter((type) => region.sells(type, zone)).map(({ id }) => id);

export function zones(found: Parameters): unknown {
  const region = regionNamed(found);
  const categories = Object.keys(DISK_PER_GIB_HOUR);
  const Zone = region.zones.map((zone) => ({
    ZoneId: zone,
    LocalName: inEnglish(found)
      ? `${region.name} Zone ${zone.slice(-1).toUpperCase()}`
      : `${CHINESE[region.id]} 可用区${zone.slice(-1).toUpperCase()}`,
    ZoneType: "AvailabilityZone",
    AvailableInstanceTypes: { InstanceTypes: zoneTypes(region, zone) },
    AvailableDiskCategories: { DiskCategories: categories },
    AvailableResourceCreation: { ResourceTypes: ["VSwitch", "IoOptimized", "Instance", "Disk"] },
    AvailableResources: {
      ResourcesInfo: [
        {
          IoOptimized: true,
          InstanceTypes: { supportedInstanceType: zoneTypes(region, zone) },
          SystemDiskCategories: { supportedSystemDiskCategory: categories },
          DataDiskCategories: { supportedDataDiskCategory: categories },
          NetworkTypes: { supportedNetworkCategory: ["vpc"] },
        },
      ],
    },
  }));
  return { Zones: { Zone } };
}

/** The images that match, newest order not promised. */
export function imagesFound(found: Parameters): readonly { readonly number: number; readonly json: unknown }[] {
  const owner = found.text("ImageOwnerAlias");
  if (owner !== undefined && !["system", "self", "others", "marketplace"].includes(owner)) throw invalid("ImageOwnerAlias");
  const ids = found.text("ImageId")?.split(",");
  const type = found.text("InstanceType");
  const architecture = type === undefined ? found.text("Architecture") : typeNamed(type)?.architecture === "ARM" ? "arm64" : "x86_64";
  return IMAGES.map((image, index) => ({ image, number: index + 1 }))
    .filter(
      ({ image }) =>
        (ids === undefined || ids.includes(image.id)) &&
        (owner ?? image.owner) === image.owner &&
        (found.text("ImageFamily") ?? image.family) === image.family &&
        (found.text("OSType") ?? image.osType) === image.osType &&
        (architecture ?? image.architecture) === image.architecture &&
        image.id.includes((found.text("ImageName") ?? "").replaceAll("*", "")),
    )
    .map(({ image, number }) => ({
      number,
      json: {
        ImageId: image.id,
        ImageName: image.id,
        ImageFamily: image.family,
        ImageOwnerAlias: image.owner,
        OSName: image.osName,
        OSNameEn: image.osName,
        OSType: image.osType,
        Platform: image.osName.split(" ")[0],
        Architecture: image.architecture,
        CreationTime: image.created,
        Size: image.size,
        Status: "Available",
        IsSupportCloudinit: true,
        IsSupportIoOptimized: true,
        IsPublic: image.owner !== "self",
        Usage: "none",
        Progress: "100%",
        Tags: { Tag: [] },
      },
    }));
}
