import { labelFingerprint, metadataFingerprint, tagFingerprint } from "./answers.ts";
import { checkedLabels, checkedMetadata, checkedName, referenceTo } from "./checks.ts";
import { about } from "./lifecycle.ts";
import { begin, finish, type OperationOrder } from "./operations.ts";
import { alreadyExists, invalid, notFound, Refusal } from "./refusal.ts";
import { checkedScheduling } from "./scheduling.ts";
import { checkedBody, FIREWALL, type Fields, SET_METADATA, SET_SCHEDULING, SET_TAGS } from "./shapes.ts";
import { fullName, type Operation, type Site, type Vm } from "./site.ts";

/** Small changes: labels, metadata, tags, scheduling, firewalls. */

function later(site: Site, order: OperationOrder, change: () => void): Operation {
  const operation = begin(site, order);
  site.later(operation, site.delays.pendingMs + site.delays.changeMs, () => {
    change();
    finish(site, operation);
  });
  return operation;
}

const stale = (what: string): Refusal =>
  new Refusal(412, "conditionNotMet", `${what} fingerprint either invalid or resource ${what.toLowerCase()} have changed`);

/** Google's own client sends them back in the other alphabet of base64. */
function isNewest(given: unknown, newest: string): boolean {
  return typeof given === "string" && Buffer.from(given, "base64").equals(Buffer.from(newest, "base64"));
}

interface Labelled {
  labels: Readonly<Record<string, string>>;
}

/** Of a machine, a disk or a snapshot; a fingerprint that is not the newest one is refused with 412. */
export function setLabels(
  site: Site,
  labelled: Labelled,
  order: Omit<OperationOrder, "operationType">,
  shape: Fields,
  input: unknown,
): Operation {
  const body = checkedBody(input, shape);
  if (!isNewest(body["labelFingerprint"], labelFingerprint(labelled.labels))) throw stale("Labels");
  const labels = checkedLabels(body["labels"]);
  return later(site, { ...order, operationType: "setLabels" }, () => {
    labelled.labels = labels;
  });
}

export function setMetadata(site: Site, vm: Vm, input: unknown): Operation {
  const body = checkedBody(input, SET_METADATA);
  if (!isNewest(body["fingerprint"], metadataFingerprint(vm))) throw stale("Metadata");
  const metadata = checkedMetadata(body);
  return later(site, { ...about(vm), operationType: "setMetadata" }, () => {
    vm.metadata = metadata;
  });
}

export function setTags(site: Site, vm: Vm, input: unknown): Operation {
  const body = checkedBody(input, SET_TAGS);
  if (!isNewest(body["fingerprint"], tagFingerprint(vm.tags))) throw stale("Tags");
  const tags = ((body["items"] ?? []) as readonly string[]).map((tag) => checkedName(tag, "resource.items[0]"));
  return later(site, { ...about(vm), operationType: "setTags" }, () => {
    vm.tags = tags;
  });
}

/** Only while it is TERMINATED. */
export function setScheduling(site: Site, vm: Vm, input: unknown): Operation {
  const body = checkedBody(input, SET_SCHEDULING);
  const scheduling = checkedScheduling(body, vm.accelerator !== null, site.time());
  if (vm.status !== "TERMINATED")
    throw new Refusal(400, "invalidUsage", "Instance must be in TERMINATED status in order to change its scheduling.");
  return later(site, { ...about(vm), operationType: "setScheduling" }, () => {
    vm.scheduling = scheduling;
  });
}

export function insertFirewall(site: Site, input: unknown): Operation {
  const body = checkedBody(input, FIREWALL);
  const name = checkedName(body["name"]);
  if (body["network"] !== undefined && referenceTo("networks", body["network"], "resource.network").name !== "default")
    throw notFound(fullName("global/networks/default"));
  const rules = (body["allowed"] ?? body["denied"]) as
    | readonly { readonly IPProtocol?: string; readonly ports?: readonly string[] }[]
    | undefined;
  if (rules === undefined || rules.length === 0)
    throw invalid("Invalid value for field 'resource.allowed': ''. At least one rule must be specified.");
  for (const { IPProtocol, ports = [] } of rules) {
    if (IPProtocol === undefined)
      throw invalid("Invalid value for field 'resource.allowed[0].IPProtocol': ''. A protocol must be specified.");
    for (const port of ports)
      if (!/^\d{1,5}(?:-\d{1,5})?$/.test(port)) throw invalid(`Invalid value for field 'resource.allowed[0].ports[0]': '${port}'.`);
  }
  if (site.firewalls.has(name)) throw alreadyExists(fullName(`global/firewalls/${name}`));
  const firewall = { id: site.nextId(), name, createdAt: site.time(), body };
  site.firewalls.set(name, firewall);
  return later(
    site,
    { scope: "global", target: `global/firewalls/${name}`, targetId: firewall.id, operationType: "insert" },
    () => undefined,
  );
}

export function deleteFirewall(site: Site, name: string): Operation {
  const firewall = site.firewalls.get(name);
  if (firewall === undefined) throw notFound(fullName(`global/firewalls/${name}`));
  site.firewalls.delete(name);
  return later(
    site,
    { scope: "global", target: `global/firewalls/${name}`, targetId: firewall.id, operationType: "delete" },
    () => undefined,
  );
}
