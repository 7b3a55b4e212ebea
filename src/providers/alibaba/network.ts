import { isFault, ProviderError } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import type { Ecs } from "./client.ts";
import { PROVIDER } from "./codes.ts";
import { remembering } from "./preparing.ts";
import { doneSchema, groupList, madeGroup, vswitchList } from "./wire.ts";

/** Where in the account's network a machine goes. */
export interface Network {
  /** A vSwitch of the zone and a security group of its VPC in which these ports are open. */
  in(
    region: string,
    zone: string,
    ports: readonly number[],
    context: CallContext,
  ): Promise<{ readonly vSwitchId: string; readonly groupId: string }>;
  /** The cloud refused something that was built on what is known here. */
  forget(): void;
}

export const GROUP_NAME = "spot-fleet";
const SSH_PORT = 22;
const ANYWHERE = "0.0.0.0/0";

async function vSwitchIn(ecs: Ecs, region: string, zone: string, context: CallContext) {
  const parameters = { RegionId: region, ZoneId: zone, PageSize: 50 };
  const { VSwitches } = await ecs.read({ region, action: "DescribeVSwitches", parameters, answer: vswitchList }, context);
  const usable = VSwitches.VSwitch.filter(({ ZoneId, Status }) => (ZoneId === "" || ZoneId === zone) && Status !== "Pending").sort(
    (a, b) =>
      // One that is full would be refused, with a word about the whole zone.
      Number(b.AvailableIpAddressCount > 0) - Number(a.AvailableIpAddressCount > 0) ||
      Number(b.IsDefault === true) - Number(a.IsDefault === true) ||
      b.AvailableIpAddressCount - a.AvailableIpAddressCount,
  );
  const [best] = usable;
  if (best !== undefined) return { vSwitchId: best.VSwitchId, vpcId: best.VpcId };
  throw new ProviderError(
    PROVIDER,
    { kind: "no-capacity", scope: "zone" },
    `the account has no vSwitch in ${zone}: make one in the console (VPC, vSwitches), or take another zone`,
  );
}

async function groupIn(ecs: Ecs, region: string, vpcId: string, context: CallContext): Promise<string> {
  const find = async () => {
    const parameters = { RegionId: region, VpcId: vpcId, SecurityGroupName: GROUP_NAME };
    const { SecurityGroups } = await ecs.read({ region, action: "DescribeSecurityGroups", parameters, answer: groupList }, context);
    // The name is searched for, so others may come along.
    return SecurityGroups.SecurityGroup.find(({ SecurityGroupName }) => SecurityGroupName === GROUP_NAME)?.SecurityGroupId;
  };
  const found = await find();
  if (found !== undefined) return found;
  const parameters = {
    RegionId: region,
    VpcId: vpcId,
    SecurityGroupName: GROUP_NAME,
    Description: "SSH and the ports that machines of spot were asked to open",
    Tag: [{ Key: "spot-fleet-name", Value: GROUP_NAME }],
  };
  try {
    return (await ecs.change({ region, action: "CreateSecurityGroup", parameters, answer: madeGroup }, context)).SecurityGroupId;
  } catch (error) {
    // Its answer was lost, or somebody was faster.
    const after = isFault(error, "ambiguous", "protocol", "conflict") ? await find() : undefined;
    if (after === undefined) throw error;
    return after;
  }
}

/** Opening a port that is open changes nothing, so what is open needs no looking up. */
async function open(ecs: Ecs, region: string, groupId: string, ports: readonly number[], context: CallContext): Promise<void> {
  const Permissions = ports.map((port) => ({ IpProtocol: "TCP", PortRange: `${port}/${port}`, SourceCidrIp: ANYWHERE, Policy: "accept" }));
  const parameters = { RegionId: region, SecurityGroupId: groupId, Permissions };
  await ecs.change({ region, action: "AuthorizeSecurityGroup", parameters, answer: doneSchema }, context);
}

export function network(ecs: Ecs): Network {
  const switches = remembering<Awaited<ReturnType<typeof vSwitchIn>>>();
  const groups = remembering<string>();
  const opened = new Set<string>();
  return {
    async in(region, zone, ports, context) {
      const { vSwitchId, vpcId } = await switches.of(zone, () => vSwitchIn(ecs, region, zone, context));
      const groupId = await groups.of(vpcId, () => groupIn(ecs, region, vpcId, context));
      const closed = [...new Set([SSH_PORT, ...ports])].filter((port) => !opened.has(`${groupId} ${port}`));
      if (closed.length > 0) await open(ecs, region, groupId, closed, context);
      for (const port of closed) opened.add(`${groupId} ${port}`);
      return { vSwitchId, groupId };
    },
    forget() {
      switches.forget();
      groups.forget();
      opened.clear();
    },
  };
}
