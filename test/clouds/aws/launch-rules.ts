import { imagesOf } from "./catalogue.ts";
import { isOffered, pointAt, typeNamed, zonesOf } from "./prices.ts";
import { countOf, type Parameters, required } from "./query.ts";
import { Refusal } from "./refusal.ts";
import { type AwsState, stockOf } from "./state.ts";

const MOST_USER_DATA = 16_384;
const LEAST_PRICE = 0.001;

export interface LaunchPlan {
  readonly type: string;
  readonly zone: string;
  readonly isSpot: boolean;
  readonly count: number;
  /** The cap of a spot machine, as it was given or the on-demand price. */
  readonly maxPrice: string;
}

const invalid = (message: string, code = "InvalidParameterValue") => new Refusal(400, code, message);
const combination = (message: string) => invalid(message, "InvalidParameterCombination");

function checkUserData(parameters: Parameters): void {
  const text = parameters.get("UserData");
  if (text === null) return;
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0)
    throw invalid("Invalid BASE64 encoding of user data.", "InvalidUserData.Malformed");
  if (Buffer.from(text, "base64").length > MOST_USER_DATA) throw invalid(`User data is limited to ${MOST_USER_DATA} bytes`);
}

/** The rules of section 13.5 of the facts; moto takes everything. */
function checkSpotOptions(state: AwsState, parameters: Parameters): void {
  const option = (name: string) => parameters.get(`InstanceMarketOptions.SpotOptions.${name}`);
  const kind = option("SpotInstanceType") ?? "one-time";
  const behaviour = option("InstanceInterruptionBehavior") ?? "terminate";
  if (!["one-time", "persistent"].includes(kind)) throw invalid(`Invalid value '${kind}' for SpotInstanceType`);
  if (!["terminate", "stop", "hibernate"].includes(behaviour))
    throw invalid(`Invalid value '${behaviour}' for InstanceInterruptionBehavior`);
  if (kind === "one-time" && behaviour !== "terminate")
    throw combination(`One-time Spot Instance requests support only the terminate interruption behavior, not ${behaviour}.`);
  if (kind === "persistent" && behaviour === "terminate")
    throw combination("RunInstances supports persistent Spot Instance requests only with interruption behavior stop or hibernate.");
  const hibernates = behaviour === "hibernate" || parameters.get("HibernationOptions.Configured") === "true";
  // No type with a GPU can; of the others in the catalogue every one does.
  if (hibernates && parameters.get("InstanceType") !== "m5.large")
    throw invalid(
      `The instance type ${parameters.get("InstanceType")} does not support hibernation.`,
      "UnsupportedHibernationConfiguration",
    );
  const validUntil = option("ValidUntil");
  if (validUntil !== null && kind === "one-time") throw combination("ValidUntil is only supported for persistent Spot Instance requests.");
  if (validUntil !== null && !(Date.parse(validUntil) > state.clock.now())) throw invalid("ValidUntil must be in the future.");
  const maxPrice = option("MaxPrice");
  if (maxPrice !== null && !(Number(maxPrice) > LEAST_PRICE)) throw invalid(`The maximum price must exceed $${LEAST_PRICE}.`);
}

function chooseZone(state: AwsState, parameters: Parameters, region: string, type: string, subnetZone: string | null): string {
  const zones = zonesOf(region);
  const asked = subnetZone ?? parameters.get("Placement.AvailabilityZone");
  if (asked !== null && !zones.includes(asked))
    throw invalid(`Invalid availability zone: [${asked}]. You can specify one of the following: ${zones.join(", ")}`);
  const row = typeNamed(type);
  if (row === undefined) throw invalid(`The instance type '${type}' does not exist`, "InvalidInstanceType");
  const offered = zones.filter((zone) => isOffered(row, zone));
  const zone = asked ?? offered.find((one) => stockOf(state, type, one) > 0) ?? offered[0] ?? zones[0] ?? "";
  if (!isOffered(row, zone))
    throw invalid(
      `Your requested instance type (${type}) is not supported in your requested Availability Zone (${zone}). Please retry your request by not specifying an Availability Zone or choosing ${offered.join(", ")}.`,
      "Unsupported",
    );
  if (subnetZone === null && state.switches.zonesWithoutSubnet.includes(zone))
    throw invalid(`No default subnet for availability zone: '${zone}'.`, "MissingInput");
  return zone;
}

/** What a launch asks for, once everything that it says is legal. @throws Refusal */
export function planOf(state: AwsState, region: string, parameters: Parameters, subnetZone: string | null): LaunchPlan {
  const image = required(parameters, "ImageId");
  if (!/^ami-[0-9a-f]{8,17}$/.test(image)) throw invalid(`Invalid id: "${image}"`, "InvalidAMIID.Malformed");
  const found = imagesOf(region).find(({ id }) => id === image);
  if (found === undefined) throw invalid(`The image id '[${image}]' does not exist`, "InvalidAMIID.NotFound");
  if (found.state !== "available") throw invalid(`The image id '[${image}]' is not available`, "InvalidAMIID.Unavailable");
  const type = required(parameters, "InstanceType");
  required(parameters, "MinCount");
  required(parameters, "MaxCount");
  const [least = 0, most = 0] = [countOf(parameters, "MinCount"), countOf(parameters, "MaxCount")];
  if (least < 1 || most < least) throw invalid("MinCount and MaxCount must be positive, and MaxCount the greater");
  const token = parameters.get("ClientToken");
  if (token !== null && !/^[\x21-\x7e]{1,64}$/.test(token)) throw invalid("ClientToken has at most 64 ASCII characters");
  checkUserData(parameters);
  const market = parameters.get("InstanceMarketOptions.MarketType");
  if (market !== null && market !== "spot") throw invalid(`Invalid value '${market}' for MarketType`);
  const isSpot = market === "spot";
  if (isSpot) checkSpotOptions(state, parameters);
  const zone = chooseZone(state, parameters, region, type, subnetZone);
  const arm = type.startsWith("g5g");
  if (arm !== (found.architecture === "arm64"))
    throw invalid(
      `The architecture '${arm ? "arm64" : "x86_64"}' of the specified instance type does not match the architecture '${found.architecture}' of the specified AMI.`,
    );
  const row = typeNamed(type);
  const maxPrice = parameters.get("InstanceMarketOptions.SpotOptions.MaxPrice") ?? row?.onDemand ?? "";
  return { type, zone, isSpot, count: most, maxPrice };
}

/** Why EC2 would not launch that now. @throws Refusal */
export function requireRoom(state: AwsState, region: string, { type, zone, isSpot, count, maxPrice }: LaunchPlan): void {
  const { refuseLaunch } = state.switches;
  if (refuseLaunch !== null) throw new Refusal(refuseLaunch.status, refuseLaunch.code, refuseLaunch.message);
  const row = typeNamed(type);
  if (row === undefined) throw new Error(`no ${type}`);
  if (isSpot) {
    if (row.spot === "") throw invalid("There is no Spot capacity available that matches your request.", "Unsupported");
    const living = [...state.instances.values()].filter(
      (one) => one.isSpot && one.region === region && !["terminated", "shutting-down"].includes(one.state),
    );
    const vcpus = living.reduce((sum, one) => sum + (typeNamed(one.type)?.vcpus ?? 0), 0);
    if (vcpus + count * row.vcpus > state.switches.spotVcpuQuota)
      throw invalid("Max spot instance count exceeded", "MaxSpotInstanceCountExceeded");
    const { price } = pointAt(row, zone, state.clock.now());
    if (Number(maxPrice) < Number(price))
      throw invalid(
        `Your Spot request price of ${maxPrice} is lower than the minimum required Spot request fulfillment price of ${price}.`,
        "SpotMaxPriceTooLow",
      );
  }
  if (stockOf(state, type, zone) >= count) return;
  // A server error by its status: whoever repeats 5xx by itself repeats this.
  throw new Refusal(
    500,
    "InsufficientInstanceCapacity",
    isSpot
      ? "There is no Spot capacity available that matches your request."
      : `We currently do not have sufficient ${type} capacity in the Availability Zone you requested (${zone}). Our system will be working on provisioning additional capacity. You can currently get ${type} capacity by not specifying an Availability Zone in your request or choosing ${zonesOf(
          region,
        )
          .filter((one) => one !== zone)
          .join(", ")}.`,
  );
}
