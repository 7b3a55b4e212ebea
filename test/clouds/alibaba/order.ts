import { DOLLARS_PER_YUAN, IMAGES, type Image, type InstanceType, type Region, typeNamed } from "./catalogue.ts";
import { checkedDisk, type DiskOrder } from "./disks.ts";
import type { SpotDuration } from "./market.ts";
import { oneOf, type Parameters } from "./parameters.ts";
import { regionNamed } from "./places.ts";
import { hasRoomFor } from "./quota.ts";
import { bidTooLow, invalid, missing, noStock, notFound, Refusal } from "./refusal.ts";
import type { KeyPair, SecurityGroup, Site, SpotStrategy, VSwitch } from "./site.ts";
import { checkedTags } from "./tags.ts";

const LARGEST_USER_DATA = 32 * 1_024;
const HALF_AN_HOUR_MS = 30 * 60_000;
const THREE_YEARS_MS = 3 * 365 * 24 * 3_600_000;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
const SPOT = ["SpotWithPriceLimit", "SpotAsPriceGo"];

/** A RunInstances that was read and found good. */
export interface Order {
  readonly region: Region;
  readonly zone: string;
  readonly type: InstanceType;
  readonly image: Image;
  readonly vSwitch: VSwitch;
  readonly securityGroups: readonly SecurityGroup[];
  readonly spotStrategy: SpotStrategy;
  readonly spotPriceLimit: number | null;
  readonly spotDuration: SpotDuration;
  readonly interruption: "Terminate" | "Stop";
  readonly amount: number;
  readonly least: number;
  readonly autoReleaseAt: number | null;
  readonly userData: string;
  readonly keyPair: KeyPair | null;
  readonly bandwidthOut: number;
  readonly httpTokens: "optional" | "required";
  readonly httpEndpoint: "enabled" | "disabled";
  readonly deletionProtection: boolean;
  readonly name: string | null;
  readonly hostName: string | null;
  readonly tags: Map<string, string>;
  readonly systemDisk: DiskOrder;
  readonly dataDisks: readonly DiskOrder[];
}

/** The currency's price of so many yuan. */
export function inCurrency(site: Site, yuan: number): number {
  return site.switches.currency === "CNY" ? yuan : Math.round(yuan * DOLLARS_PER_YUAN * 1_000) / 1_000;
}

/** Epoch milliseconds of an automatic release. @throws Refusal for one that is too soon, too late, or no time. */
export function checkedRelease(site: Site, text: string | undefined): number | null {
  if (text === undefined) return null;
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/.test(text) || Number.isNaN(Date.parse(text)))
    throw new Refusal(400, "InvalidAutoReleaseTime.Malformed", "The specified parameter AutoReleaseTime is not valid.");
  const asked = Date.parse(text) - site.switches.clockAheadMs;
  const ahead = asked - site.schedule.time();
  if (ahead < HALF_AN_HOUR_MS || ahead > THREE_YEARS_MS)
    throw new Refusal(400, "InvalidAutoReleaseTime.Malformed", "AutoReleaseTime must be 30 minutes to 3 years ahead.");
  return Math.floor(asked / 60_000) * 60_000;
}

function placeOf(site: Site, found: Parameters, region: Region): VSwitch {
  const id = found.text("VSwitchId");
  if (id === undefined) throw missing("VSwitchId");
  const vSwitch = site.vSwitches.find((one) => one.id === id && one.vpc.region === region);
  if (vSwitch === undefined) throw notFound("VSwitchId", "VSwitchId");
  const zone = found.text("ZoneId");
  if (zone !== undefined && zone !== vSwitch.zone)
    throw new Refusal(400, "InvalidParameter.ZoneId", "The specified VSwitchId is not in the specified ZoneId.");
  return vSwitch;
}

function groupsOf(site: Site, found: Parameters, vSwitch: VSwitch): readonly SecurityGroup[] {
  const single = found.text("SecurityGroupId");
  const several = found.list("SecurityGroupIds");
  if (single !== undefined && several.length > 0)
    throw new Refusal(400, "InvalidParameter.Conflict", "SecurityGroupId and SecurityGroupIds cannot both be specified.");
  const ids = single === undefined ? several : [single];
  if (ids.length === 0) throw missing("SecurityGroupId");
  return ids.map((id) => {
    const group = site.securityGroups.get(id);
    if (group === undefined || group.region !== vSwitch.vpc.region) throw notFound("SecurityGroupId", "SecurityGroupId");
    if (group.vpc !== vSwitch.vpc)
      throw new Refusal(403, "InvalidParameter.VPCMismatch", "The security group and the vSwitch are not in the same VPC.");
    return group;
  });
}

function imageOf(found: Parameters, type: InstanceType): Image {
  const id = found.text("ImageId");
  const family = found.text("ImageFamily");
  if (id === undefined && family === undefined) throw missing("ImageId");
  const image = IMAGES.filter((one) => (id ?? one.id) === one.id && (family ?? one.family) === one.family).sort((a, b) =>
    a.created < b.created ? 1 : -1,
  )[0];
  if (image === undefined) throw notFound("ImageId", "ImageId");
  if ((image.architecture === "arm64") !== (type.architecture === "ARM"))
    throw new Refusal(403, "ImageNotSupportInstanceType", "The specified image does not support the specified instance type.");
  return image;
}

function checkedUserData(text: string | undefined): string {
  if (text === undefined) return "";
  if (!BASE64.test(text) || text.length % 4 !== 0)
    throw new Refusal(400, "InvalidUserData.Base64FormatInvalid", "The specified UserData is not valid base64.");
  const raw = Buffer.from(text, "base64");
  if (raw.length > LARGEST_USER_DATA)
    throw new Refusal(400, "InvalidUserData.SizeExceeded", "The specified UserData exceeds the size limit of 32 KB.");
  return raw.toString("utf8");
}

type Bid = Pick<Order, "spotStrategy" | "spotPriceLimit" | "spotDuration" | "interruption">;

function bidOf(found: Parameters): Bid {
  const spotStrategy = oneOf(found, "SpotStrategy", ["NoSpot", "SpotWithPriceLimit", "SpotAsPriceGo"]) ?? "NoSpot";
  const isSpot = SPOT.includes(spotStrategy);
  if ((oneOf(found, "InstanceChargeType", ["PostPaid", "PrePaid"]) ?? "PostPaid") === "PrePaid")
    throw new Refusal(403, "InvalidPayMethod", "The specified pay method is not valid for this request.");
  const limit = found.number("SpotPriceLimit");
  if ((limit !== undefined) !== (spotStrategy === "SpotWithPriceLimit")) throw invalid("SpotPriceLimit");
  if (limit !== undefined && (limit <= 0 || !/^\d+(\.\d{1,3})?$/.test(found.text("SpotPriceLimit") ?? "")))
    throw new Refusal(400, "InvalidSpotPriceLimit.LowerThanPublicPrice", "The specified SpotPriceLimit is not valid.");
  const duration = found.number("SpotDuration") ?? 1;
  if (duration !== 0 && duration !== 1) throw invalid("SpotDuration");
  const interruption = oneOf(found, "SpotInterruptionBehavior", ["Terminate", "Stop"]) ?? "Terminate";
  if (isSpot && !["", "None"].includes(found.text("PrivatePoolOptions.MatchCriteria") ?? ""))
    throw invalid("PrivatePoolOptions.MatchCriteria");
  return { spotStrategy, spotPriceLimit: limit ?? null, spotDuration: duration, interruption };
}

function amountOf(found: Parameters): { readonly amount: number; readonly least: number } {
  const amount = found.number("Amount") ?? 1;
  if (amount < 1 || amount > 100) throw invalid("Amount");
  const least = found.number("MinAmount") ?? amount;
  if (least < 1 || least > amount) throw invalid("MinAmount");
  return { amount, least };
}

function checkedName(found: Parameters): string | null {
  const name = found.text("InstanceName");
  if (name === undefined) return null;
  if (!/^[A-Za-z\u4e00-\u9fff][\w.:\u4e00-\u9fff[\]-]{1,127}$/.test(name))
    throw new Refusal(400, "InvalidInstanceName.Malformed", "The specified InstanceName is not valid.");
  return name;
}

/** @throws Refusal for what this cloud would not take, whatever is in stock. */
export function orderOf(site: Site, found: Parameters): Order {
  const region = regionNamed(found);
  const typeId = found.text("InstanceType");
  if (typeId === undefined) throw missing("InstanceType");
  const type = typeNamed(typeId);
  if (type === undefined) throw notFound("InstanceType", "InstanceType");
  const vSwitch = placeOf(site, found, region);
  const image = imageOf(found, type);
  const keyName = found.text("KeyPairName");
  const keyPair = site.keyPairs.find(({ name, region: place }) => name === keyName && place === region) ?? null;
  if (keyName !== undefined && keyPair === null) throw notFound("KeyPairName", "KeyPairName");
  const bandwidthOut = found.number("InternetMaxBandwidthOut") ?? 0;
  if (bandwidthOut < 0 || bandwidthOut > 100) throw invalid("InternetMaxBandwidthOut");
  if (found.flag("HibernationOptions.Configured") === true)
    throw new Refusal(403, "InvalidParameter.HibernationOptions", "Hibernation is by invitation only.");
  const dataDisks = found.structures("DataDisk");
  if (dataDisks.length > 16) throw invalid("DataDisk");
  return {
    region,
    zone: vSwitch.zone,
    type,
    image,
    vSwitch,
    securityGroups: groupsOf(site, found, vSwitch),
    ...bidOf(found),
    ...amountOf(found),
    autoReleaseAt: checkedRelease(site, found.text("AutoReleaseTime")),
    userData: checkedUserData(found.text("UserData")),
    keyPair,
    bandwidthOut,
    httpTokens: oneOf(found, "HttpTokens", ["optional", "required"]) ?? "optional",
    httpEndpoint: oneOf(found, "HttpEndpoint", ["enabled", "disabled"]) ?? "enabled",
    deletionProtection: found.flag("DeletionProtection") ?? false,
    name: checkedName(found),
    hostName: found.text("HostName") ?? null,
    tags: checkedTags(found.structures("Tag")),
    systemDisk: systemDiskOf(site, found, region, image),
    dataDisks: dataDisks.map((one) =>
      checkedDisk(site, region, {
        category: one.text("Category") ?? "cloud_efficiency",
        performanceLevel: one.text("PerformanceLevel"),
        size: one.number("Size"),
        snapshotId: one.text("SnapshotId"),
        name: one.text("DiskName") ?? "",
        isEncrypted: one.text("Encrypted") === "true",
        deleteWithInstance: one.flag("DeleteWithInstance") ?? true,
      }),
    ),
  };
}

function systemDiskOf(site: Site, found: Parameters, region: Region, image: Image): DiskOrder {
  const asked = found.text("SystemDisk.Size");
  const size = asked === undefined ? Math.max(40, image.size) : Number(asked);
  if (!Number.isInteger(size) || size < image.size || size > 2_048)
    throw new Refusal(400, "InvalidSystemDiskSize.LessThanImageSize", "The specified SystemDisk.Size is not valid.");
  return checkedDisk(site, region, {
    category: found.text("SystemDisk.Category") ?? "cloud_efficiency",
    performanceLevel: found.text("SystemDisk.PerformanceLevel"),
    size,
    snapshotId: undefined,
    name: found.text("SystemDisk.DiskName") ?? "",
    isEncrypted: false,
    deleteWithInstance: true,
  });
}

/**
 * How many of them there can be now.
 * @throws Refusal when the account, the market, the quota or the stock says no.
 */
export function grant(site: Site, order: Order): number {
  const { type, zone, region } = order;
  if (site.switches.account === "low-balance") throw new Refusal(403, "InsufficientBalance", "Your account does not have enough balance.");
  if (!region.sells(type, zone))
    throw new Refusal(403, "InvalidResourceType.NotSupported", `The instance type ${type.id} is not sold in ${zone}.`);
  if (order.spotStrategy === "NoSpot") {
    if (site.market.isClosed(type.id, zone)) throw noStock();
    return order.amount;
  }
  const price = inCurrency(site, site.market.spotPrice(type, zone, order.spotDuration, site.schedule.time()));
  if (order.spotPriceLimit !== null && order.spotPriceLimit < price) throw bidTooLow();
  const wanted = Math.min(order.amount, site.market.stock(type.id, zone, order.spotDuration));
  if (wanted < order.least) throw noStock();
  if (!hasRoomFor(site, type, wanted))
    throw new Refusal(403, "QuotaExceed.ElasticQuota", "The number of vCPUs assigned to the ECS instances has exceeded the quota.");
  return wanted;
}
