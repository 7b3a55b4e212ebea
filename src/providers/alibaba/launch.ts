import { moneyText } from "../../model/money.ts";
import { isFault, ProviderError } from "../errors.ts";
import type { CallContext, LaunchSpec, ProviderInstance } from "../provider.ts";
import { startupScript } from "../startup-script.ts";
import { type Ecs, isoTime } from "./client.ts";
import { PROVIDER } from "./codes.ts";
import type { Disks } from "./disks.ts";
import { usualImage } from "./images.ts";
import type { Network } from "./network.ts";
import { placedId } from "./place.ts";
import { preparing } from "./preparing.ts";
import { releaseTime } from "./release-time.ts";
import { authorizingLines, type SshKeys } from "./ssh-key.ts";
import { launchTags, visibleName } from "./tags.ts";
import { madeInstances } from "./wire.ts";

/** What a launch stands on. */
export interface Ground {
  readonly ecs: Ecs;
  readonly network: Network;
  readonly keys: SshKeys;
  readonly disks: Disks;
  readonly spotDuration: 0 | 1;
  readonly user: string;
}

/** GiB, where the image is the usual one; another image brings a size of its own. */
const ROOT_GB = 60;
/** Mbit/s. More than 0 gives the machine a public address; traffic is paid, not bandwidth. */
const BANDWIDTH = 100;
const LONGEST_USER_DATA = 32 * 1024;
/** A price limit has three places behind the point. */
const SMALLEST_LIMIT_MICROS = 1000n;

/**
 * How it is bought. Without a cap of somebody's own it follows the market, whose price the cloud keeps below that of an
 * ordinary machine, and is only taken back for want of room; with a cap it is also taken back when the market passes it.
 * @throws ProviderError `price-too-low`
 */
function chargeOf({ offer, maxPrice }: LaunchSpec, spotDuration: 0 | 1) {
  const tooLow = (why: string) => new ProviderError(PROVIDER, { kind: "price-too-low" }, why);
  if (maxPrice !== null && (maxPrice.currency !== offer.price.currency || maxPrice.micros < offer.price.micros))
    throw tooLow(`${offer.type} costs ${moneyText(offer.price)} an hour, the cap is ${moneyText(maxPrice)}`);
  if (offer.billing === "monthly") throw new ProviderError(PROVIDER, { kind: "unsupported" }, "subscriptions are not made by spot");
  if (offer.billing === "on-demand") return { SpotStrategy: "NoSpot" };
  const common = { SpotDuration: spotDuration, SpotInterruptionBehavior: "Terminate" };
  if (maxPrice === null) return { SpotStrategy: "SpotAsPriceGo", ...common };
  const limit = maxPrice.micros / SMALLEST_LIMIT_MICROS;
  if (limit * SMALLEST_LIMIT_MICROS < offer.price.micros)
    throw tooLow(`a cap counts in thousandths here: ${moneyText(maxPrice)} is less than ${offer.type} costs (${moneyText(offer.price)})`);
  const text = `${limit / 1000n}.${String(limit % 1000n).padStart(3, "0")}`;
  return { SpotStrategy: "SpotWithPriceLimit", SpotPriceLimit: text, ...common };
}

/** @throws ProviderError `invalid-request` when it is longer than the cloud takes. */
function userData(script: string): string {
  const bytes = Buffer.byteLength(script);
  if (bytes <= LONGEST_USER_DATA) return Buffer.from(script).toString("base64");
  throw new ProviderError(
    PROVIDER,
    { kind: "invalid-request" },
    `the boot script has ${bytes} bytes even when compressed, and Alibaba Cloud takes ${LONGEST_USER_DATA}: make the environment or the command shorter`,
  );
}

async function parametersOf(ground: Ground, spec: LaunchSpec, context: CallContext) {
  const { ecs, network, keys, disks, spotDuration, user } = ground;
  const { offer } = spec;
  const charge = chargeOf(spec, spotDuration);
  if (spec.registryAuth !== null)
    throw new ProviderError(PROVIDER, { kind: "unsupported" }, "Alibaba Cloud boots images of its own; it has no registry credentials");
  const { region, zone } = offer;
  await disks.requireFree(
    spec.volumes.map(({ providerVolumeId }) => providerVolumeId),
    { region, zone },
    context,
  );
  const ports = spec.ports.map(({ port }) => port);
  const { vSwitchId, groupId } = await network.in(region, zone, ports, context);
  const keyPair = spec.sshKey === null ? null : await keys.pair(region, spec.sshKey, context);
  const image = spec.image ?? (await usualImage(ecs, region, offer.type, context));
  const lines = spec.sshKey === null || keyPair !== null ? "" : authorizingLines(spec.sshKey, user);
  // By now the cloud has answered, so its time is known.
  const ends = spec.ttlSeconds === null ? undefined : releaseTime(ecs.theirNow(), spec.ttlSeconds);
  return {
    RegionId: region,
    ZoneId: zone,
    VSwitchId: vSwitchId,
    SecurityGroupId: groupId,
    InstanceType: offer.type,
    ImageId: image,
    InstanceName: visibleName(spec.name),
    InstanceChargeType: "PostPaid",
    ...charge,
    Amount: 1,
    InternetChargeType: "PayByTraffic",
    InternetMaxBandwidthOut: BANDWIDTH,
    KeyPairName: keyPair ?? undefined,
    // The default category is one that newer types do not take.
    "SystemDisk.Category": "cloud_essd",
    "SystemDisk.Size": spec.image === null ? ROOT_GB : undefined,
    UserData: userData(startupScript(`${lines}${spec.bootScript}`, spec.env)),
    AutoReleaseTime: ends === undefined ? undefined : isoTime(ends),
    Tag: launchTags(spec),
    ClientToken: spec.token,
  };
}

/** The machine as it is when its order was accepted: that it can still come to nothing is told by the next look. */
function accepted(spec: LaunchSpec, id: string, { ecs, spotDuration }: Ground): ProviderInstance {
  const { offer } = spec;
  const now = ecs.now();
  return {
    providerId: placedId(offer.region, id),
    name: spec.name,
    token: spec.token,
    state: "provisioning",
    rawState: "Pending",
    region: offer.region,
    zone: offer.zone,
    type: offer.type,
    gpu: offer.gpu,
    billing: offer.billing,
    price: offer.price,
    createdAt: now,
    protectedUntil: offer.billing === "spot" && spotDuration > 0 ? now + spotDuration * 3_600_000 : null,
    notice: null,
    reach: null,
    volumeIds: [],
    reason: null,
    endedBy: null,
    canHibernate: false,
    dataKeptUntil: null,
    endpoints: [],
    rootVolumeId: null,
  };
}

/** Prepares what a machine needs, and orders it once. */
export async function launchInstance(ground: Ground, spec: LaunchSpec, context: CallContext): Promise<ProviderInstance> {
  const parameters = await preparing(() => parametersOf(ground, spec, context));
  const { region } = spec.offer;
  try {
    const { InstanceIdSets } = await ground.ecs.change({ region, action: "RunInstances", parameters, answer: madeInstances }, context);
    return accepted(spec, InstanceIdSets.InstanceIdSet[0] ?? "", ground);
  } catch (error) {
    // A vSwitch that is full or gone, a key pair that somebody deleted: the next launch looks again.
    if (isFault(error, "not-found", "invalid-request", "no-capacity")) {
      ground.network.forget();
      ground.keys.forget();
    }
    throw error;
  }
}
