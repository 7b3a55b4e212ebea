import {
  type _InstanceType,
  type Instance,
  RunInstancesCommand,
  type RunInstancesCommandInput,
  type TagSpecification,
} from "@aws-sdk/client-ec2";
import { type Money, moneyText, moneyToDecimal } from "../../model/money.ts";
import { isFault, ProviderError } from "../errors.ts";
import type { CallContext, LaunchSpec } from "../provider.ts";
import type { Api } from "./api.ts";
import { userData } from "./boot.ts";
import { PROVIDER } from "./codes.ts";
import type { MachineTypes } from "./machine-types.ts";
import type { Machines } from "./machines.ts";
import { present } from "./pages.ts";
import { type LaunchImage, type Preparation, preparing } from "./preparation.ts";
import { partTags, TOKEN_TAG, tagsOf } from "./tags.ts";
import { freeVolume } from "./volumes.ts";

/** What a launch needs beside its order. */
export interface Yard {
  readonly api: Api;
  readonly machines: Machines;
  readonly types: MachineTypes;
  readonly preparation: Preparation;
}

/**
 * What EC2 is told of the price. AWS advises against a cap of one's own: it only brings more interruptions. Without one nobody
 * pays more than on demand, so a cap at or above that is no cap.
 */
export function maxPriceOf({ maxPrice, offer }: Pick<LaunchSpec, "maxPrice" | "offer">): string | undefined {
  if (maxPrice === null || offer.billing !== "spot") return undefined;
  const { onDemandPrice } = offer;
  if (onDemandPrice !== null && onDemandPrice.currency === maxPrice.currency && maxPrice.micros >= onDemandPrice.micros) return undefined;
  return moneyToDecimal(maxPrice);
}

function requireInBudget(cap: Money, { offer }: LaunchSpec): void {
  if (cap.currency === offer.price.currency && cap.micros >= offer.price.micros) return;
  throw new ProviderError(
    PROVIDER,
    { kind: "price-too-low" },
    `${offer.type} costs ${moneyText(offer.price)} an hour, the cap is ${moneyText(cap)}`,
  );
}

/**
 * One-time, and ended by a shutdown from inside: then nothing is paid any more. A persistent request is another matter. It
 * would make another machine for one that was terminated, so a shutdown only stops it; at a reclaim EC2 stops it too, and
 * starts it again when there is capacity.
 */
function marketOf(
  spec: LaunchSpec,
  now: number,
): Pick<RunInstancesCommandInput, "InstanceMarketOptions" | "InstanceInitiatedShutdownBehavior"> {
  if (spec.offer.billing !== "spot") return { InstanceInitiatedShutdownBehavior: "terminate" };
  const MaxPrice = maxPriceOf(spec);
  const price = MaxPrice === undefined ? {} : { MaxPrice };
  if (spec.waitsForCapacity !== true)
    return {
      InstanceInitiatedShutdownBehavior: "terminate",
      InstanceMarketOptions: { MarketType: "spot", SpotOptions: { SpotInstanceType: "one-time", ...price } },
    };
  const until = spec.ttlSeconds === null ? {} : { ValidUntil: new Date(now + spec.ttlSeconds * 1000) };
  return {
    InstanceInitiatedShutdownBehavior: "stop",
    InstanceMarketOptions: {
      MarketType: "spot",
      SpotOptions: { SpotInstanceType: "persistent", InstanceInterruptionBehavior: "stop", ...price, ...until },
    },
  };
}

function tagSpecifications(spec: LaunchSpec): TagSpecification[] {
  const Tags = tagsOf(spec, spec.waitsForCapacity === true && spec.offer.billing === "spot");
  return [
    { ResourceType: "instance", Tags },
    { ResourceType: "volume", Tags: partTags(spec) },
    { ResourceType: "network-interface", Tags: partTags(spec) },
    ...(spec.offer.billing === "spot" ? [{ ResourceType: "spot-instances-request" as const, Tags }] : []),
  ];
}

/** What an image says of its own disks counts for less: a disk that stayed would be paid for, and nobody would see it. */
function ownDisks({ root, staying }: LaunchImage): Pick<RunInstancesCommandInput, "BlockDeviceMappings"> {
  const rootDisk =
    root === null
      ? []
      : [{ DeviceName: root.device, Ebs: { DeleteOnTermination: true, VolumeType: "gp3" as const, VolumeSize: root.sizeGb } }];
  const others = staying.map(({ device: DeviceName, sizeGb, snapshot }) => ({
    DeviceName,
    Ebs: {
      DeleteOnTermination: true,
      ...(sizeGb === null ? {} : { VolumeSize: sizeGb }),
      ...(snapshot === null ? {} : { SnapshotId: snapshot }),
    },
  }));
  const all = [...rootDisk, ...others];
  return all.length === 0 ? {} : { BlockDeviceMappings: all };
}

async function orderOf({ api, types, preparation }: Yard, spec: LaunchSpec, context: CallContext): Promise<RunInstancesCommandInput> {
  const { region, zone, type } = spec.offer;
  const UserData = userData(spec.bootScript, spec.env);
  const ports = spec.ports.map(({ port }) => port);
  const all = await preparing(() => types.of(region, context));
  const arm = all.find((one) => one.type === type)?.arm ?? false;
  const image = await preparation.image(region, spec.image, arm, context);
  const group = await preparation.group(region, ports, context);
  const key = await preparation.keyPair(region, spec.sshKey, context);
  return {
    ImageId: image.id,
    InstanceType: type as _InstanceType,
    MinCount: 1,
    MaxCount: 1,
    ClientToken: spec.token,
    Placement: { AvailabilityZone: zone },
    SecurityGroupIds: [group],
    ...(key === undefined ? {} : { KeyName: key }),
    UserData,
    // The hop beyond the machine is for a container's own look at the notice.
    MetadataOptions: { HttpTokens: "required", HttpEndpoint: "enabled", HttpPutResponseHopLimit: 2 },
    ...ownDisks(image),
    ...marketOf(spec, api.now() + api.wire.clockOffsetMs()),
    TagSpecifications: tagSpecifications(spec),
  };
}

/** What was prepared is not there any more: it is made anew at the next try. */
const STALE = ["InvalidGroup.NotFound", "InvalidSecurityGroupID.NotFound", "InvalidKeyPair.NotFound"];

function refused(error: unknown, { preparation }: Yard): unknown {
  if (!(error instanceof ProviderError)) return error;
  const { rawCode, message } = error;
  if (isFault(error, "not-found", "invalid-request")) preparation.forget();
  if (rawCode !== null && STALE.includes(rawCode)) return new ProviderError(PROVIDER, { kind: "unavailable" }, message, rawCode, error);
  // The zone has no default subnet in this account; another one may.
  if (rawCode === "MissingInput" && /subnet/i.test(message))
    return new ProviderError(PROVIDER, { kind: "no-capacity", scope: "zone" }, message, rawCode, error);
  return error;
}

/** Rents one machine. Its volumes are attached later; one that cannot have them costs money for nothing, so they come first. */
export async function launchMachine(yard: Yard, spec: LaunchSpec, context: CallContext): Promise<Instance> {
  const { api, machines } = yard;
  const { region, zone } = spec.offer;
  requireInBudget(spec.maxPrice ?? spec.offer.price, spec);
  for (const { providerVolumeId } of spec.volumes) await preparing(() => freeVolume(api, providerVolumeId, { region, zone }, context));
  const command = new RunInstancesCommand(await orderOf(yard, spec, context));
  try {
    const { Instances } = await api.ask(region, context, (ec2, options) => ec2.send(command, options));
    const instance = present("the machine that was launched", Instances?.[0]);
    present("the id of the machine that was launched", instance.InstanceId);
    machines.remember(region, instance);
    return instance;
  } catch (error) {
    if (!(error instanceof ProviderError) || error.rawCode !== "IdempotentParameterMismatch") throw refused(error, yard);
    // The token was used before, with other parameters: perhaps a newer image came out since. Its machine is this one.
    const ours = await machines.withToken(region, TOKEN_TAG, spec.token, context).catch(() => undefined);
    if (ours !== undefined) return ours;
    const why = `${error.message}; its machine is not to be seen, or not yet`;
    throw new ProviderError(PROVIDER, { kind: "ambiguous" }, why, error.rawCode, error);
  }
}
