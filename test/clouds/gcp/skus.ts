import { DISK_TYPES, HOURS_IN_A_MONTH, type MachineType, REGIONS, type Region, regionOf } from "./catalogue.ts";

/** The rows of the Cloud Billing catalogue for Compute Engine; no price of a machine type is in it, only those of its parts. */

interface Part {
  /** `%` is where the words for Spot or the place go. */
  readonly onDemand: string;
  readonly spot: string;
  readonly group: string;
  readonly unit: "h" | "GiBy.h";
  readonly onDemandPrice: number;
  readonly spotPrice: number;
  /** The category of the Spot row, where it is not what one expects. */
  readonly spotUsage?: string;
}

function family(
  words: string,
  group: readonly [string, string],
  core: readonly [number, number],
  ram: readonly [number, number],
): readonly Part[] {
  return [
    {
      onDemand: `${words} Core running in %`,
      spot: `Spot Preemptible ${words} Core running in %`,
      group: group[0],
      unit: "h",
      onDemandPrice: core[0],
      spotPrice: core[1],
    },
    {
      onDemand: `${words} Ram running in %`,
      spot: `Spot Preemptible ${words} Ram running in %`,
      group: group[1],
      unit: "GiBy.h",
      onDemandPrice: ram[0],
      spotPrice: ram[1],
    },
  ];
}

function gpu(words: string, onDemandPrice: number, spotPrice: number): Part {
  return {
    onDemand: `${words} GPU running in %`,
    spot: `${words} GPU attached to Spot Preemptible VMs running in %`,
    group: "GPU",
    unit: "h",
    onDemandPrice,
    spotPrice,
  };
}

/** Cores and RAM: by the family of the machine type. */
const FAMILIES: Readonly<Record<string, readonly Part[]>> = {
  n1: family("N1 Predefined Instance", ["N1Standard", "N1Standard"], [0.031611, 0.006655], [0.004237, 0.000892]),
  g2: family("G2 Instance", ["CPU", "RAM"], [0.02498844, 0.0099954], [0.00292736, 0.00117094]),
  a2: family("A2 Instance", ["CPU", "RAM"], [0.031611, 0.012644], [0.004237, 0.0016948]),
  a3: family("A3 Instance", ["CPU", "RAM"], [0.0293227, 0.0073306], [0.0025534, 0.00063835]),
  a3plus: family("A3Plus Instance", ["CPU", "RAM"], [0.0293227, 0.0073306], [0.0025534, 0.00063835]),
  e2: family("E2 Instance", ["CPU", "RAM"], [0.02181159, 0.00654348], [0.00292353, 0.00087706]),
};

const GPUS: Readonly<Record<string, Part>> = {
  "nvidia-l4": gpu("Nvidia L4", 0.560004, 0.2240016),
  "nvidia-tesla-a100": gpu("Nvidia Tesla A100", 2.933908, 1.1735632),
  "nvidia-a100-80gb": gpu("Nvidia Tesla A100 80GB", 3.92808, 1.571232),
  "nvidia-h100-80gb": gpu("Nvidia H100 80GB", 9.79655057, 2.4491376),
  "nvidia-h100-mega-80gb": gpu("Nvidia H100 80GB Mega", 9.79655057, 2.4491376),
  "nvidia-tesla-t4": gpu("Nvidia Tesla T4", 0.35, 0.14),
  "nvidia-tesla-v100": gpu("Nvidia Tesla V100", 2.48, 0.992),
  "nvidia-tesla-p100": gpu("Nvidia Tesla P100", 1.46, 0.584),
  "nvidia-tesla-p4": gpu("Nvidia Tesla P4", 0.6, 0.24),
  // The slice brings its cores and RAM; its Spot row carries the category of the other one.
  "nvidia-b200": {
    onDemand: "A4 Nvidia B200 (1 gpu slice) running in %",
    spot: "Spot Preemptible A4 Nvidia B200 (1 gpu slice) running in %",
    group: "GPU",
    unit: "h",
    onDemandPrice: 16.11,
    spotPrice: 4.9542,
    spotUsage: "OnDemand",
  },
};

export interface Sku {
  readonly name: string;
  readonly skuId: string;
  readonly description: string;
  readonly category: {
    readonly serviceDisplayName: string;
    readonly resourceFamily: string;
    readonly resourceGroup: string;
    readonly usageType: string;
  };
  readonly serviceRegions: readonly string[];
  readonly pricingInfo: readonly unknown[];
  readonly serviceProviderName: string;
  readonly geoTaxonomy: { readonly type: string; readonly regions: readonly string[] };
}

/** A price as the catalogue writes it: whole dollars as a string, the rest in billionths. */
export function unitPrice(dollars: number): { readonly currencyCode: string; readonly units: string; readonly nanos: number } {
  const nanos = Math.round(dollars * 1e9);
  return { currencyCode: "USD", units: String(Math.floor(nanos / 1e9)), nanos: nanos % 1e9 };
}

const UNITS: Readonly<Record<string, string>> = { h: "hour", "GiBy.h": "gibibyte hour", "GiBy.mo": "gibibyte month" };

interface Line {
  readonly description: string;
  readonly resourceFamily: string;
  readonly group: string;
  readonly usage: string;
  readonly regions: readonly string[];
  readonly unit: string;
  readonly dollars: number;
}

function skuOf(line: Line, number: number, effectiveTime: string): Sku {
  const digits = ((number + 1) * 2_654_435_761).toString(16).toUpperCase().padStart(12, "0").slice(-12);
  const skuId = [digits.slice(0, 4), digits.slice(4, 8), digits.slice(8)].join("-");
  return {
    name: `services/6F81-5844-456A/skus/${skuId}`,
    skuId,
    description: line.description,
    category: {
      serviceDisplayName: "Compute Engine",
      resourceFamily: line.resourceFamily,
      resourceGroup: line.group,
      usageType: line.usage,
    },
    serviceRegions: line.regions,
    pricingInfo: [
      {
        summary: "",
        pricingExpression: {
          usageUnit: line.unit,
          displayQuantity: 1,
          tieredRates: [{ startUsageAmount: 0, unitPrice: unitPrice(line.dollars) }],
          usageUnitDescription: UNITS[line.unit] ?? line.unit,
          baseUnit: line.unit === "h" ? "s" : "By.s",
          baseUnitDescription: line.unit === "h" ? "second" : "byte second",
          baseUnitConversionFactor: line.unit === "h" ? 3600 : 3_865_470_566_400,
        },
        currencyConversionRate: 1,
        effectiveTime,
      },
    ],
    serviceProviderName: "Google",
    geoTaxonomy: { type: line.regions.length > 1 ? "MULTI_REGIONAL" : "REGIONAL", regions: line.regions },
  };
}

interface Place {
  readonly name: string;
  readonly regions: readonly string[];
  readonly factor: number;
}

function places(): readonly Place[] {
  return [...new Set(REGIONS.map(({ place }) => place))].map((name) => {
    const regions = REGIONS.filter(({ place }) => place === name);
    return { name, regions: regions.map((region) => region.name), factor: (regions[0] as Region).priceFactor };
  });
}

function partLines(part: Part, { name, regions, factor }: Place, spotFactor: number): readonly Line[] {
  const common = { resourceFamily: "Compute", group: part.group, regions, unit: part.unit };
  const old = name === "Singapore" && part.group === "N1Standard";
  const spot = part.spot.replace("%", name);
  return [
    { ...common, description: part.onDemand.replace("%", name), usage: "OnDemand", dollars: part.onDemandPrice * factor },
    {
      ...common,
      // Some rows still have the words of before Spot.
      description: old ? spot.replace("Spot Preemptible", "Preemptible") : spot,
      usage: part.spotUsage ?? "Preemptible",
      dollars: part.spotPrice * factor * spotFactor,
    },
  ];
}

/** Rows that look like the wanted ones and are not. */
function decoyLines({ name, regions, factor }: Place): readonly Line[] {
  const line = (description: string, group: string, usage: string, dollars: number, unit = "h"): Line => ({
    description,
    resourceFamily: "Compute",
    group,
    usage,
    regions,
    unit,
    dollars: dollars * factor,
  });
  return [
    line(`Commitment v1: Nvidia L4 GPU running in ${name} for 1 Year`, "GPU", "Commit1Yr", 0.35),
    line(`Commitment v1: G2 Instance Core in ${name} for 3 Years`, "CPU", "Commit3Yr", 0.011),
    line(`N1 Custom Instance Core running in ${name}`, "N1Standard", "OnDemand", 0.033174),
    line(`Spot Preemptible N1 Custom Instance Core running in ${name}`, "N1Standard", "Preemptible", 0.00698),
    line(`Spot Preemptible N1 Custom Extended Instance Ram running in ${name}`, "N1Standard", "Preemptible", 0.00209, "GiBy.h"),
    line(`DWS Defined Duration A3 Core running in ${name}`, "CPU", "OnDemand", 0.0146),
    line(`Nvidia H100 Mega 80GB GPU attached to DWS Defined Duration VMs running in ${name}`, "GPU", "OnDemand", 4.9),
    line(`Reserved Nvidia L4 GPU in ${name} in Calendar Mode`, "GPU", "OnDemand", 0.4),
    line(`G2 Sole Tenancy Instance Core running in ${name}`, "CPU", "OnDemand", 0.0249),
    line(`Sole Tenancy Premium for G2 Sole Tenancy Instance Core running in ${name}`, "CPU", "OnDemand", 0.0025),
    line(`Nvidia L4 Virtual Workstation running in ${name}`, "GPU", "OnDemand", 0.2),
    line(`TpuV5e attached to Spot Preemptible VMs running in ${name}`, "TPU", "Preemptible", 0.48),
  ];
}

const DISK_WORDS: Readonly<Record<string, readonly [string, string]>> = {
  "pd-standard": ["Storage PD Capacity", "PDStandard"],
  "pd-balanced": ["Balanced PD Capacity", "SSD"],
  "pd-ssd": ["SSD backed PD Capacity", "SSD"],
  "hyperdisk-balanced": ["Hyperdisk Balanced Capacity", "SSD"],
};

function storageLines({ name, regions, factor }: Place): readonly Line[] {
  const disks = Object.entries(DISK_TYPES).map(([type, dollars]) => {
    const [words, group] = DISK_WORDS[type] ?? [type, "SSD"];
    const description = name === "Americas" ? words : `${words} in ${name}`;
    return { description, resourceFamily: "Storage", group, usage: "OnDemand", regions, unit: "GiBy.mo", dollars: dollars * factor };
  });
  const address = (description: string, usage: string, dollars: number): Line => ({
    description,
    resourceFamily: "Network",
    group: "ExternalIp",
    usage,
    regions,
    unit: "h",
    dollars,
  });
  return [
    ...disks,
    // Cheaper than the disk of the same name, and not it.
    {
      description: `Regional ${DISK_WORDS["pd-balanced"]?.[0]} in ${name}`,
      resourceFamily: "Storage",
      group: "SSD",
      usage: "OnDemand",
      regions,
      unit: "GiBy.mo",
      dollars: 0.2 * factor,
    },
    address("External IP Charge on a Standard VM", "OnDemand", 0.005),
    address("External IP Charge on a Spot Preemptible VM", "Preemptible", 0.0025),
  ];
}

/** Every row; `now` is when the prices took effect, near enough; spot is `spotFactor` times as dear as at first. */
export function skus(now: number, spotFactor: number): readonly Sku[] {
  const effectiveTime = new Date(now).toISOString();
  const parts = [...Object.values(FAMILIES).flat(), ...Object.values(GPUS)];
  return places()
    .flatMap((place) => [...decoyLines(place), ...parts.flatMap((part) => partLines(part, place, spotFactor)), ...storageLines(place)])
    .map((line, number) => skuOf(line, number, effectiveTime));
}

/** What a machine costs an hour, in dollars, by the same parts: the bill of the imitation. */
export function hourlyPrice(
  zone: string,
  type: MachineType,
  accelerator: { readonly type: string; readonly count: number } | null,
  isSpot: boolean,
): number {
  const factor = REGIONS.find(({ name }) => name === regionOf(zone))?.priceFactor ?? 1;
  const priced = (part: Part | undefined) => (part === undefined ? 0 : isSpot ? part.spotPrice : part.onDemandPrice);
  const [core, ram] = FAMILIES[type.family] ?? [];
  const gpus = accelerator === null ? 0 : priced(GPUS[accelerator.type]) * accelerator.count;
  return (priced(core) * type.vcpus + priced(ram) * (type.memoryMb / 1024) + gpus) * factor;
}

/** What a disk costs an hour, in dollars. */
export function hourlyDiskPrice(zone: string, type: string, sizeGb: number): number {
  const factor = REGIONS.find(({ name }) => name === regionOf(zone))?.priceFactor ?? 1;
  return ((DISK_TYPES[type] ?? 0) * sizeGb * factor) / HOURS_IN_A_MONTH;
}
