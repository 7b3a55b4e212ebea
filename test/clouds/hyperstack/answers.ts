import { FLAVORS, type Flavor, IMAGES, PRICEBOOK, REGIONS } from "./catalogue.ts";
import { attachmentsOf } from "./disks.ts";
import { powerOf } from "./machines.ts";
import type { Attachment, Disk, Environment, Keypair, Site, Snapshot, Vm } from "./site.ts";

const SPELLINGS = ["", "Z", "+00:00"] as const;

/** A time as this cloud tells it: without a zone, with a Z or with an offset of nothing, each now and then. */
export function toldTime(site: Site, at: number, id: number): string {
  return `${new Date(at + site.switches.clockAheadMs).toISOString().slice(0, 19)}${SPELLINGS[id % SPELLINGS.length]}`;
}

const labelled = (labels: readonly string[]) => labels.map((label, id) => ({ id, label }));

export function flavorJson(site: Site, flavor: Flavor): unknown {
  const { id, name, region, cpu, ram, disk, ephemeral, gpu, gpuCount, features, labels } = flavor;
  return {
    id,
    name,
    display_name: null,
    region_name: region,
    cpu,
    ram,
    disk,
    ephemeral,
    gpu,
    gpu_count: gpuCount,
    stock_available: site.stockOf(flavor) > 0,
    created_at: "2024-05-01T12:00:00",
    labels: labelled(labels),
    // The vendor's own examples have a string here.
    features: features ?? "{}",
  };
}

export function flavorsJson(site: Site, region: string | null): unknown {
  const found = FLAVORS.filter((flavor) => region === null || flavor.region === region);
  const groups = new Map<string, Flavor[]>();
  for (const flavor of found)
    groups.set(`${flavor.gpu}@${flavor.region}`, [...(groups.get(`${flavor.gpu}@${flavor.region}`) ?? []), flavor]);
  return {
    status: true,
    message: "Getting flavors successfully",
    data: [...groups.values()].map((flavors) => ({
      gpu: flavors[0]?.gpu,
      region_name: flavors[0]?.region,
      flavors: flavors.map((flavor) => flavorJson(site, flavor)),
    })),
  };
}

const atMostTen = (count: number) => (count >= 10 ? "10+" : String(count));

export function stocksJson(site: Site): unknown {
  const stocks = REGIONS.map((region) => {
    const here = FLAVORS.filter((flavor) => flavor.region === region && flavor.gpu !== "");
    const models = [...new Set(here.map(({ gpu }) => gpu))].map((model) => {
      const count = (gpus: number) =>
        here.filter((flavor) => flavor.gpu === model && flavor.gpuCount === gpus).reduce((sum, flavor) => sum + site.stockOf(flavor), 0);
      const total = here.filter(({ gpu }) => gpu === model).reduce((sum, flavor) => sum + site.stockOf(flavor) * flavor.gpuCount, 0);
      return {
        model,
        available: atMostTen(total),
        planned_7_days: "0",
        planned_30_days: "0",
        planned_100_days: "10+",
        configurations: Object.fromEntries([1, 2, 4, 8, 10].map((gpus) => [`${gpus}x`, count(gpus)])),
      };
    });
    return { region, "stock-type": "GPU", models };
  });
  return { stocks };
}

export function pricebookJson(): unknown {
  return PRICEBOOK.map(({ name, value, from, to }, id) => ({
    id,
    name,
    value,
    original_value: value,
    discount_applied: false,
    start_time: from,
    end_time: to,
  }));
}

export function imagesJson(query: URLSearchParams): unknown {
  const asked = (name: string) => query.get(name);
  const found = IMAGES.filter(
    ({ region, name, type }) =>
      (asked("region") ?? region) === region && (asked("type") ?? type) === type && name.includes(asked("search") ?? ""),
  );
  const perPage = Math.min(50, Number(query.get("per_page") ?? 10));
  const start = (Number(query.get("page") ?? 1) - 1) * perPage;
  const groups = new Map<string, unknown[]>();
  for (const { id, name, type, version, region, isPublic } of found.slice(start, start + perPage)) {
    const image = {
      id,
      name,
      region_name: region,
      type,
      version,
      size: 26_843_545_600,
      display_size: "25.0 GB",
      description: null,
      is_public: isPublic,
      labels: [],
    };
    groups.set(`${type}@${region}`, [...(groups.get(`${type}@${region}`) ?? []), image]);
  }
  return {
    status: true,
    message: "Getting images successfully",
    images: [...groups].map(([key, images]) => ({ type: key.split("@")[0], region_name: key.split("@")[1], logo: "", images })),
  };
}

export function environmentJson(site: Site, { id, name, region, createdAt }: Environment): unknown {
  return { id, name, region, created_at: toldTime(site, createdAt, id), features: { green_status: "GREEN" } };
}

export function keypairJson(site: Site, { id, name, environment, publicKey, createdAt }: Keypair): unknown {
  return {
    id,
    name,
    public_key: publicKey,
    fingerprint: "d6:0f:11",
    environment: environmentJson(site, environment),
    created_at: toldTime(site, createdAt, id),
  };
}

function shownDevice({ status, device }: Attachment): string | null {
  return status === "ATTACHING" ? null : device;
}

export function vmJson(site: Site, vm: Vm): unknown {
  const [power, state] = powerOf(vm);
  const { id, flavor } = vm;
  return {
    id,
    name: vm.name,
    status: site.switches.shownStatus ?? vm.status,
    power_state: power,
    vm_state: state,
    environment: { id: vm.environment.id, name: vm.environment.name, org_id: 7, region: vm.environment.region, features: {} },
    image: { name: vm.image },
    os: vm.image.split(" ")[0],
    flavor: {
      id: flavor.id,
      name: flavor.name,
      cpu: flavor.cpu,
      ram: flavor.ram,
      disk: flavor.disk,
      ephemeral: flavor.ephemeral,
      gpu: flavor.gpu,
      gpu_count: flavor.gpuCount,
      features: flavor.features ?? "{}",
      labels: labelled(flavor.labels),
    },
    keypair: { name: vm.keypair.name },
    volume_attachments: attachmentsOf(site, vm).map(({ disk, attachment }) => ({
      id: attachment.id,
      status: attachment.status,
      device: shownDevice(attachment),
      protected: attachment.protected,
      created_at: toldTime(site, attachment.createdAt, attachment.id),
      volume: { id: disk.id, name: disk.name, description: null, volume_type: disk.type, size: disk.size, bootable: disk.bootable },
    })),
    security_rules: vm.rules.map((rule, number) => ({
      id: number,
      status: "SUCCESS",
      created_at: toldTime(site, vm.createdAt, number),
      ...rule,
    })),
    fixed_ip: vm.fixedIp,
    floating_ip: vm.floatingIp,
    floating_ip_status: vm.floatingIpStatus,
    port_randomization: vm.portRandomization,
    port_randomization_status: vm.portRandomization ? "SUCCESS" : null,
    requires_public_ip: vm.wantsAddress,
    locked: false,
    labels: vm.labels,
    contract_id: null,
    callback_url: null,
    created_at: toldTime(site, vm.createdAt, id),
    features: {},
  };
}

export function diskJson(site: Site, disk: Disk): unknown {
  const { attachment } = disk;
  return {
    id: disk.id,
    name: disk.name,
    description: null,
    status: disk.status,
    size: disk.size,
    volume_type: disk.type,
    bootable: disk.bootable,
    image_id: null,
    callback_url: null,
    environment: { name: disk.environment.name, region: disk.environment.region, features: {} },
    attachments:
      attachment === null
        ? []
        : [
            {
              id: attachment.id,
              instance_id: attachment.vmId,
              device: site.switches.volumesTellDevice ? shownDevice(attachment) : null,
              protected: attachment.protected,
              status: attachment.status,
            },
          ],
    created_at: toldTime(site, disk.createdAt, disk.id),
    updated_at: null,
  };
}

export function attachmentJson(site: Site, attachment: Attachment): unknown {
  return {
    id: attachment.id,
    instance_id: attachment.vmId,
    volume_id: attachment.volumeId,
    device: shownDevice(attachment),
    protected: attachment.protected,
    status: attachment.status,
    created_at: toldTime(site, attachment.createdAt, attachment.id),
  };
}

export function snapshotJson(site: Site, { id, name, vmId, status, createdAt }: Snapshot): unknown {
  return {
    id,
    name,
    vm_id: vmId,
    status,
    size: 100,
    is_image: false,
    labels: [],
    created_at: toldTime(site, createdAt, id),
    updated_at: null,
  };
}
