import { createHash } from "node:crypto";
import { REGIONS, type Region, ZONES_WITHOUT_SWITCH } from "./catalogue.ts";
import type { Parameters } from "./parameters.ts";
import { regionNamed } from "./places.ts";
import { invalid, missing, notFound, Refusal } from "./refusal.ts";
import { type KeyPair, type SecurityGroup, type Site, toldMinute, toldTime, type Vpc, type VSwitch } from "./site.ts";
import { checkedTags, tagsJson } from "./tags.ts";

type Network = Pick<Site, "vpcs" | "vSwitches" | "nextId">;

/** In every region a VPC with a vSwitch in (nearly) every zone, and one of somebody else's. */
export function furnish(site: Network): void {
  for (const region of REGIONS) {
    const others: Vpc = { id: site.nextId("vpc", region).id, region, isDefault: false };
    const usual: Vpc = { id: site.nextId("vpc", region).id, region, isDefault: true };
    site.vpcs.push(others, usual);
    for (const zone of region.zones) {
      if (zone === region.zones[0]) addSwitch(site, others, zone);
      if (!ZONES_WITHOUT_SWITCH.has(zone)) addSwitch(site, usual, zone);
    }
  }
}

function addSwitch(site: Network, vpc: Vpc, zone: string): void {
  site.vSwitches.push({ id: site.nextId("vsw", vpc.region).id, vpc, zone, isDefault: vpc.isDefault });
}

export function vpcJson(site: Site, vpc: Vpc): unknown {
  return {
    VpcId: vpc.id,
    VpcName: vpc.isDefault ? "" : "somebody-else",
    RegionId: vpc.region.id,
    IsDefault: vpc.isDefault,
    CidrBlock: "172.16.0.0/12",
    Status: "Available",
    CreationTime: toldTime(site, 0),
    VSwitchIds: { VSwitchId: site.vSwitches.filter((one) => one.vpc === vpc).map(({ id }) => id) },
  };
}

export function vSwitchJson(site: Site, vSwitch: VSwitch): unknown {
  return {
    VSwitchId: vSwitch.id,
    VSwitchName: "",
    VpcId: vSwitch.vpc.id,
    ZoneId: vSwitch.zone,
    IsDefault: vSwitch.isDefault,
    CidrBlock: "172.16.0.0/20",
    AvailableIpAddressCount: 4_000,
    Status: "Available",
    CreationTime: toldTime(site, 0),
  };
}

export function createSecurityGroup(site: Site, found: Parameters): unknown {
  const region = regionNamed(found);
  const vpc = site.vpcs.find(({ id, region: place }) => id === found.text("VpcId") && place === region);
  if (found.text("VpcId") === undefined) throw missing("VpcId");
  if (vpc === undefined) throw notFound("VpcId", "VpcId");
  const name = found.text("SecurityGroupName") ?? "";
  if (name !== "" && !/^[A-Za-z\u4e00-\u9fff][\w.:-]{1,127}$/.test(name))
    throw new Refusal(400, "InvalidSecurityGroupName.Malformed", "The specified SecurityGroupName is not valid.");
  const { id, number } = site.nextId("sg", region);
  const tags = checkedTags(found.structures("Tag"));
  const description = found.text("Description") ?? "";
  const group: SecurityGroup = { id, number, name, description, region, vpc, createdAt: site.schedule.time(), tags, rules: [] };
  site.securityGroups.set(id, group);
  return { SecurityGroupId: id };
}

export function groupNamed(site: Site, found: Parameters): SecurityGroup {
  const group = site.securityGroups.get(found.text("SecurityGroupId") ?? "");
  if (group === undefined || group.region !== regionNamed(found)) throw notFound("SecurityGroupId", "SecurityGroupId");
  return group;
}

const RULE_FIELDS = ["IpProtocol", "PortRange", "SourceCidrIp", "SourceGroupId", "Policy", "Priority", "NicType", "Description"];

function checkedRule(given: Parameters): Readonly<Record<string, string>> {
  const protocol = given.text("IpProtocol");
  if (protocol === undefined) throw missing("IpProtocol");
  if (!["tcp", "udp", "icmp", "gre", "all"].includes(protocol.toLowerCase())) throw invalid("IpProtocol");
  const range = given.text("PortRange");
  if (range === undefined) throw missing("PortRange");
  const [, first, last] = /^(\d+)\/(\d+)$/.exec(range) ?? [];
  const isPorts = first !== undefined && Number(first) >= 1 && Number(first) <= Number(last) && Number(last) <= 65_535;
  if (!isPorts && range !== "-1/-1") throw invalid("PortRange");
  if ((range === "-1/-1") === ["tcp", "udp"].includes(protocol.toLowerCase())) throw invalid("PortRange");
  if (given.text("SourceCidrIp") === undefined && given.text("SourceGroupId") === undefined) throw missing("SourceCidrIp");
  return Object.fromEntries(RULE_FIELDS.flatMap((name) => (given.text(name) === undefined ? [] : [[name, given.text(name) ?? ""]])));
}

/** The same rule again is no error. */
export function authorizeSecurityGroup(site: Site, found: Parameters): unknown {
  const group = groupNamed(site, found);
  const several = found.structures("Permissions");
  for (const rule of (several.length > 0 ? several : [found]).map(checkedRule))
    if (!group.rules.some((one) => JSON.stringify(one) === JSON.stringify(rule))) group.rules.push(rule);
  return {};
}

export function deleteSecurityGroup(site: Site, found: Parameters): unknown {
  const group = groupNamed(site, found);
  for (const one of site.instances.values())
    if (!one.isGone && one.securityGroups.includes(group))
      throw new Refusal(403, "DependencyViolation", "There is still instance(s) in the specified security group.");
  site.securityGroups.delete(group.id);
  return {};
}

export function securityGroupJson(site: Site, group: SecurityGroup): unknown {
  return {
    SecurityGroupId: group.id,
    SecurityGroupName: group.name,
    SecurityGroupType: "normal",
    Description: group.description,
    VpcId: group.vpc.id,
    CreationTime: toldTime(site, group.createdAt),
    RuleCount: group.rules.length,
    ServiceManaged: false,
    ResourceGroupId: "",
    Tags: tagsJson(group.tags),
  };
}

function fingerprintOf(publicKey: string): string {
  return createHash("md5")
    .update(Buffer.from(publicKey.split(" ")[1] ?? "", "base64"))
    .digest("hex");
}

function refuseTaken(site: Site, name: string, region: Region): void {
  if (site.keyPairs.some((one) => one.name === name && one.region === region))
    throw new Refusal(400, "KeyPair.AlreadyExist", "The specified KeyPairName already exists.");
}

export function importKeyPair(site: Site, found: Parameters): unknown {
  const region = regionNamed(found);
  const name = found.text("KeyPairName") ?? "";
  if (!/^[A-Za-z\u4e00-\u9fff][\w.:-]{1,127}$/.test(name))
    throw new Refusal(400, "InvalidKeyPairName.Malformed", "The specified KeyPairName is not valid.");
  const publicKey = found.text("PublicKeyBody") ?? "";
  if (!/^(ssh-(rsa|ed25519|dss)|ecdsa-[a-z0-9-]+) [A-Za-z0-9+/]{16,}={0,2}( |$)/.test(publicKey))
    throw new Refusal(400, "InvalidPublicKeyBody.Malformed", "The specified PublicKeyBody is not valid.");
  if (site.switches.refusesEd25519 && publicKey.startsWith("ssh-ed25519"))
    throw new Refusal(400, "InvalidPublicKeyBody.Malformed", "The type of the specified PublicKeyBody is not supported.");
  refuseTaken(site, name, region);
  const tags = checkedTags(found.structures("Tag"));
  const fingerprint = fingerprintOf(publicKey);
  site.keyPairs.push({ name, number: site.nextNumber(), region, publicKey, fingerprint, createdAt: site.schedule.time(), tags });
  return { KeyPairName: name, KeyPairFingerPrint: fingerprint };
}

/** Names as JSON in one text; one that is not there is no error. */
export function deleteKeyPairs(site: Site, found: Parameters): unknown {
  const region = regionNamed(found);
  let names: unknown;
  try {
    names = JSON.parse(found.text("KeyPairNames") ?? "");
  } catch {
    throw invalid("KeyPairNames");
  }
  if (!Array.isArray(names)) throw invalid("KeyPairNames");
  for (const one of site.instances.values())
    if (!one.isGone && one.keyPair?.region === region && names.includes(one.keyPair.name))
      throw new Refusal(
        400,
        "InvalidParameter.KeypairAlreadyAttachedInstance",
        "The specified keyPair attached to instances can not be deleted.",
      );
  const kept = site.keyPairs.filter((one) => one.region !== region || !names.includes(one.name));
  site.keyPairs.splice(0, site.keyPairs.length, ...kept);
  return {};
}

export function keyPairJson(site: Site, key: KeyPair, includesKey: boolean): unknown {
  return {
    KeyPairName: key.name,
    KeyPairFingerPrint: key.fingerprint,
    CreationTime: toldMinute(site, key.createdAt),
    ResourceGroupId: "",
    Tags: tagsJson(key.tags),
    ...(includesKey ? { PublicKey: key.publicKey } : {}),
  };
}
