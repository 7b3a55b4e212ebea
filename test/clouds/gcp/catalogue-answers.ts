import { labelFingerprint, link, stamp } from "./answers.ts";
import { type Accelerator, type Image, type MachineType, REGIONS, regionOf } from "./catalogue.ts";
import { regionQuotas } from "./quotas.ts";
import { type Firewall, fingerprint, fullName, PROJECT, PROJECT_NUMBER, type Site } from "./site.ts";

type Json = Readonly<Record<string, unknown>>;

const stableId = (text: string): string =>
  String([...text].reduce((sum, letter) => (sum * 31n + BigInt(letter.charCodeAt(0))) % 9_000_000_000_000_000_000n, 7n) + 1_000n);

export function machineTypeJson(site: Site, zone: string, type: MachineType): Json {
  const { accelerator } = type;
  const path = `zones/${zone}/machineTypes/${type.name}`;
  return {
    kind: "compute#machineType",
    id: stableId(path),
    creationTimestamp: "1969-12-31T16:00:00.000-08:00",
    name: type.name,
    description: `${type.vcpus} vCPUs, ${type.memoryMb / 1024} GB RAM`,
    guestCpus: type.vcpus,
    memoryMb: type.memoryMb,
    imageSpaceGb: 0,
    maximumPersistentDisks: 128,
    maximumPersistentDisksSizeGb: "263168",
    zone,
    isSharedCpu: false,
    architecture: "X86_64",
    ...(accelerator === null
      ? {}
      : { accelerators: [{ guestAcceleratorType: accelerator.type, guestAcceleratorCount: accelerator.count }] }),
    selfLink: link(site, path),
  };
}

export function acceleratorTypeJson(site: Site, zone: string, accelerator: Accelerator): Json {
  const path = `zones/${zone}/acceleratorTypes/${accelerator.name}`;
  return {
    kind: "compute#acceleratorType",
    id: stableId(path),
    creationTimestamp: "1969-12-31T16:00:00.000-08:00",
    name: accelerator.name,
    description: accelerator.description,
    maximumCardsPerInstance: accelerator.mostPerMachine,
    zone: link(site, `zones/${zone}`),
    selfLink: link(site, path),
  };
}

export function zoneJson(site: Site, zone: string): Json {
  return {
    kind: "compute#zone",
    id: stableId(zone),
    creationTimestamp: "1969-12-31T16:00:00.000-08:00",
    name: zone,
    description: zone,
    status: site.switches.unreachableZones.includes(zone) ? "DOWN" : "UP",
    region: link(site, `regions/${regionOf(zone)}`),
    selfLink: link(site, `zones/${zone}`),
  };
}

export function regionJson(site: Site, name: string): Json {
  const zones = REGIONS.find((region) => region.name === name)?.zones ?? [];
  return {
    kind: "compute#region",
    id: stableId(name),
    creationTimestamp: "1969-12-31T16:00:00.000-08:00",
    name,
    description: name,
    status: "UP",
    zones: zones.map((zone) => link(site, `zones/${name}-${zone}`)),
    quotas: regionQuotas(site, name),
    selfLink: link(site, `regions/${name}`),
  };
}

export function imageJson(site: Site, image: Image): Json {
  return {
    kind: "compute#image",
    id: stableId(image.name),
    creationTimestamp: stamp(site, site.time() - 30 * 24 * 3_600_000),
    name: image.name,
    family: image.family,
    status: "READY",
    sourceType: "RAW",
    architecture: "X86_64",
    diskSizeGb: String(image.diskGb),
    archiveSizeBytes: "12345678",
    labelFingerprint: labelFingerprint({}),
    selfLink: link(site, `global/images/${image.name}`, image.project),
  };
}

export function firewallJson(site: Site, firewall: Firewall): Json {
  return {
    direction: "INGRESS",
    priority: 1000,
    disabled: false,
    sourceRanges: ["0.0.0.0/0"],
    ...firewall.body,
    kind: "compute#firewall",
    id: firewall.id,
    creationTimestamp: stamp(site, firewall.createdAt),
    network: link(site, "global/networks/default"),
    logConfig: { enable: false },
    selfLink: link(site, `global/firewalls/${firewall.name}`),
  };
}

export function networkOfProjectJson(site: Site): Json {
  return {
    kind: "compute#network",
    id: stableId("default"),
    creationTimestamp: "2026-01-05T03:14:15.926-08:00",
    name: "default",
    description: "Default network for the project",
    autoCreateSubnetworks: true,
    routingConfig: { routingMode: "REGIONAL" },
    subnetworks: REGIONS.map(({ name }) => link(site, `regions/${name}/subnetworks/default`)),
    selfLink: link(site, "global/networks/default"),
  };
}

export function projectJson(site: Site, quotas: readonly unknown[]): Json {
  const items = site.switches.osLogin ? [{ key: "enable-oslogin", value: "TRUE" }] : [];
  return {
    kind: "compute#project",
    id: PROJECT_NUMBER,
    creationTimestamp: "2026-01-05T03:14:07.077-08:00",
    name: PROJECT,
    commonInstanceMetadata: {
      kind: "compute#metadata",
      fingerprint: fingerprint(items),
      ...(items.length === 0 ? {} : { items }),
    },
    quotas,
    defaultServiceAccount: `${PROJECT_NUMBER}-compute@developer.gserviceaccount.com`,
    xpnProjectStatus: "UNSPECIFIED_XPN_PROJECT_STATUS",
    defaultNetworkTier: "PREMIUM",
    selfLink: `${site.url()}/compute/v1/${fullName("")}`.replace(/\/$/, ""),
  };
}
