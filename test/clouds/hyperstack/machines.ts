import { ADDRESS_PER_HOUR, FLAVORS, IMAGES, priceOf, SSD_PER_GB_HOUR } from "./catalogue.ts";
import { free, reserve } from "./disks.ts";
import { alreadyExists, badRequest, checkedBody, checkedName, notFound } from "./refusal.ts";
import type { Environment, Keypair, Site, Vm } from "./site.ts";

const LARGEST_USER_DATA = 65_535;
const RULE_FIELDS = ["direction", "protocol", "ethertype", "remote_ip_prefix"];

/** States in which the machine is billed in full, and those in which only its disk is. */
const BILLED = new Set(["ACTIVE", "SHUTOFF"]);
const POWER: Readonly<Record<string, readonly [string, string]>> = {
  ACTIVE: ["RUNNING", "active"],
  SHUTOFF: ["SHUTDOWN", "stopped"],
  HIBERNATED: ["SHUTDOWN", "shelved_offloaded"],
};

export function powerOf(vm: Vm): readonly [string | null, string | null] {
  return POWER[vm.status] ?? [null, null];
}

/** Moves a machine to a state, and its bill with it. */
function become(site: Site, vm: Vm, status: string): void {
  vm.status = status;
  const at = site.time();
  const id = String(vm.id);
  site.ledger.set(id, "machine", BILLED.has(status) ? priceOf(vm.flavor.gpu) * vm.flavor.gpuCount : 0, at);
  site.ledger.set(id, "root-disk", status === "HIBERNATED" ? vm.flavor.disk * SSD_PER_GB_HOUR : 0, at);
  const hasAddress = vm.floatingIp !== null && (BILLED.has(status) || status === "HIBERNATED");
  site.ledger.set(id, "address", hasAddress ? ADDRESS_PER_HOUR : 0, at);
}

function giveAddress(site: Site, vm: Vm): void {
  if (!vm.wantsAddress || vm.floatingIp !== null) return;
  // Shown before it works.
  const number = site.nextId();
  vm.floatingIp = `185.216.${(number >> 8) % 256}.${number % 256}`;
  vm.floatingIpStatus = "ATTACHING";
  become(site, vm, vm.status);
  site.later(vm, site.delays.addressMs, () => {
    vm.floatingIpStatus = "ATTACHED";
  });
}

function dropAddress(vm: Vm): void {
  vm.floatingIp = null;
  vm.floatingIpStatus = "NO FLOATING IP";
}

function activate(site: Site, vm: Vm): void {
  vm.fixedIp ??= `10.0.${(vm.id >> 8) % 256}.${vm.id % 256}`;
  vm.ephemeral ??= `scratch of ${vm.id} since ${site.time()}`;
  become(site, vm, "ACTIVE");
  giveAddress(site, vm);
}

function checkRules(rules: unknown): readonly Readonly<Record<string, unknown>>[] {
  const given = (rules ?? []) as readonly Readonly<Record<string, unknown>>[];
  for (const rule of given) {
    for (const field of RULE_FIELDS)
      if (typeof rule[field] !== "string") throw badRequest(`security_rules: ${field}: Missing data for required field.`);
    if (!["ingress", "egress"].includes(String(rule["direction"])))
      throw badRequest("security_rules: direction: Must be one of: ingress, egress.");
    if (!["IPv4", "IPv6"].includes(String(rule["ethertype"]))) throw badRequest("security_rules: ethertype: Must be one of: IPv4, IPv6.");
    for (const end of ["port_range_min", "port_range_max"]) {
      const port = rule[end];
      if (port !== undefined && !(typeof port === "number" && port >= 1 && port <= 65_535))
        throw badRequest(`security_rules: ${end}: Not a port.`);
    }
  }
  return given;
}

function checkUserData(text: string): string {
  if (Buffer.from(text).toString("base64").length > LARGEST_USER_DATA) throw badRequest("user_data: Longer than the limit.");
  if (text !== "" && !/^#(!|cloud-config)/.test(text)) throw badRequest("user_data: Not a script and not a cloud-config.");
  return text;
}

function placeOf(site: Site, body: Readonly<Record<string, unknown>>): { readonly environment: Environment; readonly keypair: Keypair } {
  const environment = site.environments.find(({ name }) => name === body["environment_name"]);
  if (environment === undefined) throw notFound(`Environment ${body["environment_name"]} does not exist.`);
  const keypair = site.keypairs.find((one) => one.name === body["key_name"] && one.environment === environment);
  if (keypair === undefined) throw notFound(`Keypair ${body["key_name"]} does not exist in environment ${environment.name}.`);
  return { environment, keypair };
}

const CREATE_FIELDS = {
  name: "string",
  environment_name: "string",
  flavor_name: "string",
  key_name: "string",
  count: "number",
  image_name: "string",
  volume_name: "string",
  create_bootable_volume: "boolean",
  user_data: "string",
  callback_url: "string",
  assign_floating_ip: "boolean",
  enable_port_randomization: "boolean",
  security_rules: "object[]",
  labels: "string[]",
} as const;

export function createVms(site: Site, input: unknown): readonly Vm[] {
  const body = checkedBody(input, CREATE_FIELDS, ["name", "environment_name", "flavor_name", "key_name", "count", "image_name"]);
  const name = checkedName(body["name"]);
  const { environment, keypair } = placeOf(site, body);
  const flavor = FLAVORS.find((one) => one.name === body["flavor_name"] && one.region === environment.region);
  if (flavor === undefined) throw notFound(`Flavor ${body["flavor_name"]} does not exist in region ${environment.region}.`);
  const image = IMAGES.find((one) => one.name === body["image_name"] && one.region === environment.region);
  if (image === undefined) throw notFound(`Image ${body["image_name"]} does not exist in region ${environment.region}.`);
  const count = Number(body["count"]);
  if (count < 1 || count > 20) throw badRequest("count: Must be greater than or equal to 1 and less than or equal to 20.");
  const rules = checkRules(body["security_rules"]);
  const userData = checkUserData(String(body["user_data"] ?? ""));
  if ([...site.vms.values()].some((vm) => !vm.gone && vm.name === name))
    throw alreadyExists(`Virtual machine with name ${name} already exists.`);
  if (site.switches.lowBalance)
    throw badRequest("Your account balance is not sufficient to deploy this resource. Please top up your credit.");
  if (site.stockOf(flavor) < count) throw badRequest(site.switches.noStockText);
  site.takeStock(flavor, -count);
  return Array.from({ length: count }, () => {
    const id = site.nextId();
    const vm: Vm = {
      id,
      name,
      environment,
      flavor,
      keypair,
      rules,
      userData,
      image: image.name,
      wantsAddress: body["assign_floating_ip"] === true,
      portRandomization: body["assign_floating_ip"] === true && body["enable_port_randomization"] !== false,
      labels: (body["labels"] ?? []) as readonly string[],
      createdAt: site.time(),
      status: "CREATING",
      fixedIp: null,
      floatingIp: null,
      floatingIpStatus: "NO FLOATING IP",
      retainsIp: false,
      ephemeral: null,
      root: `root of ${id}`,
      falseNotFound: 0,
      gone: false,
      machine: null,
    };
    site.vms.set(id, vm);
    const held = site.switches.holdProvisioning;
    site.later(vm, site.delays.createMs, () => {
      become(site, vm, "BUILD");
      if (!held) site.later(vm, site.delays.buildMs, () => activate(site, vm));
    });
    return vm;
  });
}

function need(vm: Vm, states: readonly string[], verb: string): void {
  if (states.includes(vm.status)) return;
  if (vm.status === "HIBERNATING") throw badRequest("The VM hibernation process is still going on. Please try later.");
  throw badRequest(`VM ${vm.id} is in ${vm.status} state and cannot be ${verb}.`);
}

export function cannotHibernate({ flavor }: Vm): boolean {
  return flavor.features?.["no_hibernation"] === true || flavor.labels.includes("no-hibernation");
}

function hibernate(site: Site, vm: Vm, query: URLSearchParams): string {
  need(vm, ["ACTIVE"], "hibernated");
  const retain = query.get("retain_ip") ?? "false";
  if (!["true", "false"].includes(retain)) throw badRequest("retain_ip: Not a valid boolean.");
  if (cannotHibernate(vm)) throw badRequest(`Hibernation is not supported for flavor ${vm.flavor.name}.`);
  if (site.switches.refuseHibernate !== null) throw badRequest(site.switches.refuseHibernate);
  vm.retainsIp = retain === "true";
  become(site, vm, "HIBERNATING");
  site.later(vm, site.delays.hibernateMs, () => {
    vm.ephemeral = null;
    if (!vm.retainsIp) dropAddress(vm);
    reserve(site, vm);
    site.takeStock(vm.flavor, 1);
    become(site, vm, "HIBERNATED");
  });
  return `${vm.name} is scheduled to hibernate.`;
}

function restore(site: Site, vm: Vm): string {
  need(vm, ["HIBERNATED"], "restored from hibernation");
  const isEmpty = site.stockOf(vm.flavor) < 1;
  if (isEmpty && site.switches.restoreWithoutStock === "refuse") throw badRequest(site.switches.noStockText);
  if (!isEmpty) site.takeStock(vm.flavor, -1);
  become(site, vm, "RESTORING");
  site.later(vm, site.delays.restoreMs, () => {
    if (isEmpty) return become(site, vm, site.switches.restoreWithoutStock === "fall-to-error" ? "ERROR" : "HIBERNATED");
    free(site, vm, "ATTACHED");
    activate(site, vm);
  });
  return `${vm.name} is scheduled to restore.`;
}

/** What GET below a machine does, by the last word of its path. */
export const ACTIONS: Readonly<Record<string, (site: Site, vm: Vm, query: URLSearchParams) => string>> = {
  start(site, vm) {
    need(vm, ["SHUTOFF"], "started");
    become(site, vm, "STARTING");
    site.later(vm, site.delays.startMs, () => activate(site, vm));
    return `VM ${vm.name} is scheduled to start.`;
  },
  stop(site, vm) {
    need(vm, ["ACTIVE", "ERROR"], "stopped");
    become(site, vm, "STOPPING");
    site.later(vm, site.delays.stopMs, () => become(site, vm, "SHUTOFF"));
    return `VM ${vm.name} is scheduled to stop.`;
  },
  "hard-reboot"(site, vm) {
    need(vm, ["ACTIVE", "ERROR"], "rebooted");
    become(site, vm, "REBOOTING");
    site.later(vm, site.delays.rebootMs, () => activate(site, vm));
    return `VM ${vm.name} is scheduled to reboot.`;
  },
  hibernate,
  "hibernate-restore": restore,
};

/** The end of a machine: at once for `B`, by way of DELETING (and DELETED) otherwise. */
export function deleteVm(site: Site, vm: Vm, variant: "A" | "B" = "A"): void {
  if (vm.gone || vm.status === "DELETED" || vm.status === "DELETING") return;
  site.cancel(vm);
  if (vm.status !== "HIBERNATED") site.takeStock(vm.flavor, 1);
  const end = () => {
    vm.gone = true;
    become(site, vm, "DELETED");
  };
  const leave = () => {
    dropAddress(vm);
    reserve(site, vm);
    site.later({}, site.delays.reservedMs, () => free(site, vm, null));
    become(site, vm, "DELETED");
    if (variant === "B" || site.delays.deletedMs === 0) end();
    else site.later(vm, site.delays.deletedMs, end);
  };
  if (variant === "B") leave();
  else {
    become(site, vm, "DELETING");
    site.later(vm, site.delays.deleteMs, leave);
  }
}
