import {
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  DescribeSecurityGroupsCommand,
  DescribeVpcsCommand,
  type SecurityGroup,
} from "@aws-sdk/client-ec2";
import { isFault, ProviderError } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import type { Api } from "./api.ts";
import { PROVIDER } from "./codes.ts";
import { present, rowsOf } from "./pages.ts";

const NAME = "spot-fleet";
const SSH_PORT = 22;
const EVERYWHERE = "0.0.0.0/0";

/**
 * `spot-fleet` lets SSH in; with more ports it is another group, `spot-fleet-8000-8080`, so that nobody's machine is opened
 * by what another one needs.
 */
export function groupName(ports: readonly number[]): string {
  const more = [...new Set(ports)].filter((port) => port !== SSH_PORT).sort((a, b) => a - b);
  return [NAME, ...more].join("-");
}

/** The ports beyond SSH that a group of ours opens, read from its name. */
export function portsOf(group: string): readonly number[] {
  const [, more] = /^spot-fleet((?:-\d{1,5})+)$/.exec(group) ?? [];
  return more === undefined ? [] : more.slice(1).split("-").map(Number);
}

async function defaultVpc(api: Api, region: string, context: CallContext): Promise<string> {
  const Filters = [{ Name: "is-default", Values: ["true"] }];
  const { Vpcs } = await api.ask(region, context, (ec2, options) => ec2.send(new DescribeVpcsCommand({ Filters }), options));
  const found = rowsOf("networks", Vpcs).find(({ IsDefault, VpcId }) => IsDefault === true && VpcId !== undefined)?.VpcId;
  if (found !== undefined) return found;
  throw new ProviderError(
    PROVIDER,
    { kind: "invalid-request" },
    `${region} has no default VPC, and machines are put into its default subnets: aws ec2 create-default-vpc --region ${region}`,
  );
}

function opens(group: SecurityGroup, port: number): boolean {
  return (group.IpPermissions ?? []).some(
    ({ IpProtocol, FromPort, ToPort, IpRanges }) =>
      (IpProtocol === "-1" || (IpProtocol === "tcp" && (FromPort ?? 0) <= port && (ToPort ?? 0) >= port)) &&
      (IpRanges ?? []).some(({ CidrIp }) => CidrIp === EVERYWHERE),
  );
}

/** The id of the group that opens SSH and these ports in the region's default network; found before it is made. */
export async function securityGroup(api: Api, region: string, ports: readonly number[], context: CallContext): Promise<string> {
  const vpc = await defaultVpc(api, region, context);
  const name = groupName(ports);
  const find = async () => {
    const Filters = [
      { Name: "group-name", Values: [name] },
      { Name: "vpc-id", Values: [vpc] },
    ];
    const { SecurityGroups } = await api.ask(region, context, (ec2, options) =>
      ec2.send(new DescribeSecurityGroupsCommand({ Filters }), options),
    );
    return rowsOf("security groups", SecurityGroups).find((group) => group.GroupName === name);
  };
  const make = async (): Promise<SecurityGroup> => {
    const command = new CreateSecurityGroupCommand({
      GroupName: name,
      Description: "Machines of spot-fleet: SSH and the ports in the name",
      VpcId: vpc,
      TagSpecifications: [{ ResourceType: "security-group", Tags: [{ Key: "Name", Value: name }] }],
    });
    try {
      const { GroupId } = await api.ask(region, context, (ec2, options) => ec2.send(command, options));
      return { GroupId: present("a group's id", GroupId), GroupName: name, IpPermissions: [] };
    } catch (error) {
      // Somebody else was faster.
      const theirs = isFault(error, "conflict") ? await find() : undefined;
      if (theirs === undefined) throw error;
      return theirs;
    }
  };
  const group = (await find()) ?? (await make());
  const GroupId = present("a group's id", group.GroupId);
  const closed = [SSH_PORT, ...portsOf(name)].filter((port) => !opens(group, port));
  if (closed.length === 0) return GroupId;
  const IpPermissions = closed.map((port) => ({
    IpProtocol: "tcp",
    FromPort: port,
    ToPort: port,
    IpRanges: [{ CidrIp: EVERYWHERE }],
  }));
  const open = new AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions });
  await api
    .ask(region, context, (ec2, options) => ec2.send(open, options))
    .catch((error: unknown) => {
      if (!isFault(error, "conflict")) throw error;
    });
  return GroupId;
}
