import {
  DeleteKeyPairCommand,
  DeleteSecurityGroupCommand,
  DeleteVolumeCommand,
  DescribeKeyPairsCommand,
  DescribeSecurityGroupsCommand,
  DescribeVolumesCommand,
  type SpotInstanceRequest,
} from "@aws-sdk/client-ec2";
import { isFault, ProviderError } from "../errors.ts";
import type { CallContext, Leftover, LeftoverOperations } from "../provider.ts";
import type { Api } from "./api.ts";
import { PROVIDER } from "./codes.ts";
import { type Placed, placed, placedId } from "./ids.ts";
import { everyPage, rowsOf } from "./pages.ts";
import type { Regions } from "./regions.ts";
import { isOpen, isPersistentRequest, type SpotRequests } from "./requests.ts";
import { machineTokenIn, nameIn, OWN_MACHINE_TAG, tokenIn } from "./tags.ts";

/** Names of what every launch of ours shares: `preparation.ts`, `groups.ts`. */
const KEY_PAIR = /^spot-fleet-[0-9a-f]{16}$/;
const GROUP = /^spot-fleet(?:-\d{1,5})*$/;

const AROUND = { zone: "", price: null, attachedTo: null } as const;

function requestLeftover(api: Api, region: string, request: SpotInstanceRequest): readonly Leftover[] {
  const { SpotInstanceRequestId: id = "", Tags, State, Status, InstanceId, CreateTime, LaunchedAvailabilityZone: zone = "" } = request;
  // A request that asks once is over with its machine. Of what others ordered nothing is ours to cancel.
  if (tokenIn(Tags) === null || !isPersistentRequest(request) || !isOpen(request)) return [];
  return [
    {
      ...AROUND,
      kind: "spot-request",
      class: "respawns",
      providerId: placedId({ region, id }),
      name: nameIn(Tags),
      token: tokenIn(Tags),
      region,
      zone,
      rawState: Status?.Code ?? State ?? "",
      createdAt: api.ours(CreateTime),
      attachedTo: InstanceId === undefined ? null : placedId({ region, id: InstanceId }),
    },
  ];
}

/** Root disks that outlived their machine: somebody detached them, or said that they shall stay. */
async function rootDisks(api: Api, region: string, context: CallContext): Promise<readonly Leftover[]> {
  const Filters = [
    { Name: "tag-key", Values: [OWN_MACHINE_TAG] },
    { Name: "status", Values: ["available"] },
  ];
  const found = await everyPage(
    "volumes",
    (token) => api.ask(region, context, (ec2, options) => ec2.send(new DescribeVolumesCommand({ Filters, ...token }), options)),
    (page) => page.Volumes,
  );
  return found.flatMap(({ VolumeId, Tags, State, AvailabilityZone, CreateTime, Attachments }): readonly Leftover[] => {
    if (VolumeId === undefined || machineTokenIn(Tags) === null || State !== "available" || (Attachments ?? []).length > 0) return [];
    const providerId = placedId({ region, id: VolumeId });
    const common = { ...AROUND, kind: "root-disk", class: "bills", providerId, region, rawState: State } as const;
    return [{ ...common, name: nameIn(Tags), token: machineTokenIn(Tags), zone: AvailabilityZone ?? "", createdAt: api.ours(CreateTime) }];
  });
}

async function sharedIn(api: Api, region: string, context: CallContext): Promise<readonly Leftover[]> {
  const [pairs, groups] = await Promise.all([
    api.ask(region, context, (ec2, options) =>
      ec2.send(new DescribeKeyPairsCommand({ Filters: [{ Name: "key-name", Values: ["spot-fleet-*"] }] }), options),
    ),
    api.ask(region, context, (ec2, options) =>
      ec2.send(new DescribeSecurityGroupsCommand({ Filters: [{ Name: "group-name", Values: ["spot-fleet*"] }] }), options),
    ),
  ]);
  const common = { ...AROUND, class: "harmless", token: null, region, rawState: "", createdAt: null } as const;
  return [
    ...rowsOf("key pairs", pairs.KeyPairs).flatMap(({ KeyName: name = "" }): readonly Leftover[] =>
      KEY_PAIR.test(name) ? [{ ...common, kind: "key-pair", providerId: `${region}/${name}`, name }] : [],
    ),
    ...rowsOf("security groups", groups.SecurityGroups).flatMap(({ GroupName: name = "", GroupId: id = "" }): readonly Leftover[] =>
      GROUP.test(name) && id !== "" ? [{ ...common, kind: "security-group", providerId: `${region}/${id}`, name }] : [],
    ),
  ];
}

/** A group that a machine still uses is refused by its name; it is worth another try once the machine is gone. */
function stillUsed(error: unknown): unknown {
  if (!(error instanceof ProviderError) || error.rawCode !== "DependencyViolation") return error;
  return new ProviderError(PROVIDER, { kind: "conflict" }, error.message, error.rawCode, error);
}

async function unlessMissing(work: Promise<unknown>): Promise<void> {
  await work.catch((error: unknown) => {
    if (!isFault(error, "not-found")) throw stillUsed(error);
  });
}

export function leftoversOf(
  api: Api,
  regions: Regions,
  requests: SpotRequests,
  endWaiting: (request: Placed, context: CallContext) => Promise<unknown>,
): LeftoverOperations {
  return {
    async list(context, { harmless }) {
      const found = await regions.each(context, async (region) => [
        ...(await requests.list(region, context)).flatMap((request) => requestLeftover(api, region, request)),
        ...(await rootDisks(api, region, context)),
        ...(harmless ? await sharedIn(api, region, context) : []),
      ]);
      return [...new Map(found.flat().map((one) => [`${one.kind} ${one.providerId}`, one])).values()];
    },
    async remove({ kind, providerId }, context) {
      const [region = "", id = ""] = providerId.split("/");
      switch (kind) {
        case "spot-request": {
          const request = placed(providerId, "sir");
          const now = request === undefined ? undefined : await requests.find(request.region, request.id, context);
          if (request === undefined || now === undefined || !isOpen(now)) return;
          // One that waits may be given a machine at this very moment; of one that has one, that is ended by itself.
          if (now.InstanceId === undefined) await endWaiting(request, context);
          else await requests.cancel(request.region, [request.id], context);
          return;
        }
        case "root-disk":
          return unlessMissing(api.ask(region, context, (ec2, options) => ec2.send(new DeleteVolumeCommand({ VolumeId: id }), options)));
        case "key-pair":
          return unlessMissing(api.ask(region, context, (ec2, options) => ec2.send(new DeleteKeyPairCommand({ KeyName: id }), options)));
        case "security-group":
          return unlessMissing(
            api.ask(region, context, (ec2, options) => ec2.send(new DeleteSecurityGroupCommand({ GroupId: id }), options)),
          );
        default:
          return;
      }
    },
  };
}
