import { pageOf } from "./paging.ts";
import { jsonList, oneOf, type Parameters } from "./parameters.ts";
import { regionNamed, zoneNamed } from "./places.ts";
import type { Instance, Site } from "./site.ts";
import { hasTags } from "./tags.ts";
import { historyJson, instanceJson } from "./views.ts";

const is = (asked: string | undefined, value: string) => asked === undefined || asked === value;
const STATES = ["Pending", "Running", "Starting", "Stopping", "Stopped"] as const;
/** As a request spells them; the answers have capitals. */
const LOCKS = ["financial", "security", "recycling", "dedicatedhostfinancial", "refunded"] as const;

function listed(site: Site, found: Parameters): readonly Instance[] {
  const region = regionNamed(found);
  const zone = zoneNamed(found, region);
  return [...site.instances.values()].filter((one) => !one.isGone && one.region === region && (zone ?? one.zone) === one.zone);
}

/** What the name begins with or ends with, where there is a star. */
function isNamed(pattern: string | undefined, name: string): boolean {
  if (pattern === undefined) return true;
  const [start = "", ...rest] = pattern.split("*");
  return rest.length === 0 ? name === pattern : name.startsWith(start) && name.endsWith(rest.at(-1) ?? "");
}

function addressesMatch(found: Parameters, parameter: string, addresses: readonly (string | null)[]): boolean {
  const asked = jsonList(found, parameter);
  return asked === undefined || asked.some((address) => addresses.includes(address));
}

export function instancesAnswer(site: Site, found: Parameters): unknown {
  const ids = jsonList(found, "InstanceIds");
  const status = oneOf(found, "Status", STATES);
  const lock = oneOf(found, "LockReason", LOCKS);
  const tags = found.structures("Tag");
  const all = listed(site, found).filter(
    (one) =>
      (ids === undefined || ids.includes(one.id)) &&
      is(status, one.status) &&
      is(lock, one.lock?.toLowerCase() ?? "") &&
      isNamed(found.text("InstanceName"), one.name) &&
      is(found.text("InstanceType"), one.type.id) &&
      is(found.text("InstanceTypeFamily"), one.type.family) &&
      is(found.text("InstanceChargeType"), "PostPaid") &&
      is(found.text("VpcId"), one.vSwitch.vpc.id) &&
      is(found.text("VSwitchId"), one.vSwitch.id) &&
      is(found.text("ImageId"), one.image.id) &&
      is(found.text("KeyPairName"), one.keyPair?.name ?? "") &&
      (found.text("SecurityGroupId") === undefined || one.securityGroups.some(({ id }) => id === found.text("SecurityGroupId"))) &&
      addressesMatch(found, "PublicIpAddresses", [one.publicIp]) &&
      addressesMatch(found, "PrivateIpAddresses", [one.privateIp]) &&
      hasTags(one.tags, tags),
  );
  const { rows, about } = pageOf(found, all, { most: 100, by: "both" });
  return { ...about, Instances: { Instance: rows.map((one) => instanceJson(site, one)) } };
}

export function statusAnswer(site: Site, found: Parameters): unknown {
  const ids = found.list("InstanceId");
  const all = listed(site, found).filter(({ id }) => ids.length === 0 || ids.includes(id));
  const { rows, about } = pageOf(found, all, { most: 50, by: "number" });
  const InstanceStatus = rows.map(({ id, status }) => ({ InstanceId: id, Status: site.switches.shownStatus ?? status }));
  return { ...about, InstanceStatuses: { InstanceStatus } };
}

/** What is shown when nobody asks for a state: only what is over. */
const OVER = ["Avoided", "Executed", "Canceled", "Failed"];

/** Also of machines that are gone. */
export function historyAnswer(site: Site, found: Parameters): unknown {
  const region = regionNamed(found);
  const single = found.text("InstanceId");
  const ids = single === undefined ? found.list("ResourceId") : [single];
  const types = [...found.list("InstanceEventType"), ...(found.text("EventType")?.split(",") ?? [])];
  const states = [...found.list("InstanceEventCycleStatus"), ...(found.text("EventCycleStatus")?.split(",") ?? [])];
  const within = (at: number, name: string) =>
    at >= Date.parse(found.text(`${name}.Start`) ?? "1970-01-01T00:00:00Z") &&
    at <= Date.parse(found.text(`${name}.End`) ?? "9999-01-01T00:00:00Z");
  const all = site.history.filter(
    (event) =>
      event.region === region &&
      (ids.length === 0 || ids.includes(event.instanceId)) &&
      (types.length === 0 || types.includes(event.type)) &&
      (states.length === 0 ? OVER : states).includes(event.status) &&
      within(event.publishedAt, "EventPublishTime") &&
      within(event.notBefore, "NotBefore"),
  );
  const { rows, about } = pageOf(found, all, { most: 100, by: "both" });
  return { ...about, InstanceSystemEventSet: { InstanceSystemEventType: rows.map((event) => historyJson(site, event)) } };
}
