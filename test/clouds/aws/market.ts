import type { FakeAnswer } from "../fake-server.ts";
import { imagesOf, REGIONS, TYPES } from "./catalogue.ts";
import { adminCall } from "./moto.ts";
import { isOffered, KEPT_MS, pointsBetween, typeNamed, zonesOf } from "./prices.ts";
import { countOf, filtered, listOf, pageOf, required, timeOf } from "./query.ts";
import { answer, orRefuse, Refusal } from "./refusal.ts";
import { type AwsState, type Call, stockOf, timeText } from "./state.ts";
import { type Content, type Element, itemsAt, parseXml, textAt } from "./xml.ts";

/** Rows numbered in their order, for pages. */
const numbered = <Row extends object>(rows: readonly Row[]): readonly (Row & { readonly seq: number })[] =>
  rows.map((row, seq) => ({ ...row, seq }));

export function describeRegions(call: Call): FakeAnswer {
  const { state, parameters, action } = call;
  const named = listOf(parameters, "RegionName");
  const unknown = named.find((name) => !state.switches.regions.includes(name));
  if (unknown !== undefined) throw new Refusal(400, "InvalidParameterValue", `Invalid region '${unknown}'`);
  const regions = state.switches.regions
    .filter((name) => named.length === 0 || named.includes(name))
    .map((name) => ({ name, optIn: "opt-in-not-required" }));
  // Those that the account has not opted in to are told only when all are asked for, and cannot be used.
  const all = parameters.get("AllRegions") === "true" ? [...regions, { name: "me-south-1", optIn: "not-opted-in" }] : regions;
  const rows = filtered(parameters, all, {
    "region-name": ({ name }) => [name],
    "opt-in-status": ({ optIn }) => [optIn],
    endpoint: ({ name }) => [`ec2.${name}.amazonaws.com`],
  });
  return answer(action, {
    regionInfo: rows.map(({ name, optIn }) => ({ regionName: name, regionEndpoint: `ec2.${name}.amazonaws.com`, optInStatus: optIn })),
  });
}

export function describeZones(call: Call): FakeAnswer {
  const { region, parameters, action } = call;
  const zones = Object.entries(REGIONS[region] ?? {}).map(([name, id]) => ({ name, id }));
  const rows = filtered(parameters, zones, {
    "zone-name": ({ name }) => [name],
    "zone-id": ({ id }) => [id],
    "region-name": () => [region],
    state: () => ["available"],
    "zone-type": () => ["availability-zone"],
    "opt-in-status": () => ["opt-in-not-required"],
  });
  return answer(action, {
    availabilityZoneInfo: rows.map(({ name, id }) => ({
      zoneName: name,
      zoneId: id,
      zoneState: "available",
      zoneType: "availability-zone",
      regionName: region,
      optInStatus: "opt-in-not-required",
    })),
  });
}

export function describeImages(call: Call): FakeAnswer {
  const { state, region, parameters, action } = call;
  const [ids, owners] = [listOf(parameters, "ImageId"), listOf(parameters, "Owner")];
  const images = imagesOf(region);
  for (const id of ids)
    if (!images.some((one) => one.id === id)) throw new Refusal(400, "InvalidAMIID.NotFound", `The image id '[${id}]' does not exist`);
  const asked = images.filter(
    ({ id, ownerId, ownerAlias }) =>
      (ids.length === 0 || ids.includes(id)) && (owners.length === 0 || owners.includes(ownerId) || owners.includes(ownerAlias)),
  );
  const rows = filtered(parameters, asked, {
    name: ({ name }) => [name],
    "image-id": ({ id }) => [id],
    architecture: ({ architecture }) => [architecture],
    state: (one) => [one.state],
    "owner-id": ({ ownerId }) => [ownerId],
    "owner-alias": ({ ownerAlias }) => [ownerAlias],
    "root-device-type": () => ["ebs"],
    "virtualization-type": () => ["hvm"],
    "image-type": () => ["machine"],
    "is-public": () => ["true"],
  });
  const page = pageOf(parameters, numbered(rows), state.switches, "ImageId");
  return answer(action, {
    imagesSet: page.rows.map((one) => ({
      imageId: one.id,
      imageLocation: `amazon/${one.name}`,
      imageState: one.state,
      imageOwnerId: one.ownerId,
      imageOwnerAlias: one.ownerAlias === "" ? undefined : one.ownerAlias,
      creationDate: one.createdAt,
      isPublic: true,
      architecture: one.architecture,
      imageType: "machine",
      name: one.name,
      rootDeviceType: "ebs",
      rootDeviceName: "/dev/sda1",
      virtualizationType: "hvm",
      hypervisor: "xen",
      blockDeviceMapping: [
        { deviceName: "/dev/sda1", ebs: { volumeSize: 40, deleteOnTermination: true, volumeType: "gp3", encrypted: false } },
      ],
    })),
    nextToken: page.nextToken,
  });
}

/** What moto knows of the types of the catalogue: the real answers. Once a process; moto takes its time over it. */
const typeItems: { asked: Promise<readonly Element[]> | undefined } = { asked: undefined };

function allTypes(state: AwsState): Promise<readonly Element[]> {
  typeItems.asked ??= (async () => {
    const names = Object.fromEntries(TYPES.map(({ name }, index) => [`InstanceType.${index + 1}`, name]));
    const call = { Action: "DescribeInstanceTypes", Version: "2016-11-15", ...names };
    return itemsAt(parseXml(orRefuse(await adminCall(state.account, state.host, { region: "us-east-1" }, call)).text), "instanceTypeSet");
  })();
  return typeItems.asked;
}

export async function describeTypes(call: Call): Promise<FakeAnswer> {
  const { state, region, parameters, action } = call;
  const named = listOf(parameters, "InstanceType");
  for (const name of named)
    if (typeNamed(name) === undefined)
      throw new Refusal(400, "InvalidInstanceType", `The following supplied instance types do not exist: [${name}]`);
  const offeredHere = TYPES.filter((type) => zonesOf(region).some((zone) => isOffered(type, zone))).map(({ name }) => name);
  const items = (await allTypes(state)).filter((item) => {
    const name = textAt(item, "instanceType");
    return offeredHere.includes(name) && (named.length === 0 || named.includes(name));
  });
  const listed = (item: Element, ...path: readonly string[]) => itemsAt(item, ...path).map(({ text }) => text);
  const rows = filtered(
    parameters,
    items.map((item) => ({ item })),
    {
      "instance-type": ({ item }) => [textAt(item, "instanceType")],
      "supported-usage-class": ({ item }) => listed(item, "supportedUsageClasses"),
      "hibernation-supported": ({ item }) => [textAt(item, "hibernationSupported")],
      "processor-info.supported-architecture": ({ item }) => listed(item, "processorInfo", "supportedArchitectures"),
      "bare-metal": ({ item }) => [textAt(item, "bareMetal")],
      "current-generation": ({ item }) => [textAt(item, "currentGeneration")],
    },
  );
  const page = pageOf(parameters, numbered(rows), state.switches, "InstanceType");
  return answer(action, { instanceTypeSet: page.rows.map(({ item }) => item), nextToken: page.nextToken });
}

export function describeOfferings(call: Call): FakeAnswer {
  const { state, region, parameters, action } = call;
  const kind = parameters.get("LocationType") ?? "region";
  if (!["region", "availability-zone", "availability-zone-id"].includes(kind))
    throw new Refusal(400, "InvalidParameterValue", `Invalid value '${kind}' for LocationType`);
  const all = TYPES.flatMap((type) => {
    const zones = zonesOf(region).filter((zone) => isOffered(type, zone));
    if (kind === "region") return zones.length === 0 ? [] : [{ type: type.name, location: region }];
    return zones.map((zone) => ({ type: type.name, location: kind === "availability-zone" ? zone : (REGIONS[region]?.[zone] ?? "") }));
  });
  const rows = filtered(parameters, all, { "instance-type": ({ type }) => [type], location: ({ location }) => [location] });
  const page = pageOf(parameters, numbered(rows), state.switches, null);
  return answer(action, {
    instanceTypeOfferingSet: page.rows.map(({ type, location }) => ({ instanceType: type, locationType: kind, location })),
    nextToken: page.nextToken,
  });
}

const PRODUCTS = ["Linux/UNIX", "Windows"];
const WINDOWS_EXTRA = 0.18;

/** moto knows one price, of 2006. This one moves, differs by zone, and shows the price that was in force at the start. */
export function describePrices(call: Call): FakeAnswer {
  const { state, region, parameters, action } = call;
  const [types, products] = [listOf(parameters, "InstanceType"), listOf(parameters, "ProductDescription")];
  const [zone, zoneId] = [parameters.get("AvailabilityZone"), parameters.get("AvailabilityZoneId")];
  if (zone !== null && zoneId !== null)
    throw new Refusal(400, "InvalidParameterCombination", "Only one of AvailabilityZone and AvailabilityZoneId can be given");
  const now = state.clock.now();
  const skew = state.switches.skewMs;
  const to = Math.min(now, (timeOf(parameters, "EndTime") ?? now + skew) - skew);
  const from = Math.max(now - KEPT_MS, Math.min(to, (timeOf(parameters, "StartTime") ?? now + skew - KEPT_MS) - skew));
  const rows = TYPES.filter(({ name, spot }) => spot !== "" && (types.length === 0 || types.includes(name))).flatMap((type) =>
    zonesOf(region)
      .filter((one) => isOffered(type, one) && (zone === null || zone === one) && (zoneId === null || zoneId === REGIONS[region]?.[one]))
      .filter((one) => !state.switches.soldOutHasNoPrice || stockOf(state, type.name, one) > 0)
      .flatMap((one) =>
        PRODUCTS.filter((product) => products.length === 0 || products.includes(product)).flatMap((product) =>
          pointsBetween(type, one, from, to).map(({ at, price }) => ({
            at,
            zone: one,
            type: type.name,
            product,
            price: product === "Windows" ? (Number(price) + WINDOWS_EXTRA).toFixed(6) : price,
          })),
        ),
      ),
  );
  const sorted = filtered(parameters, rows, {
    "availability-zone": (row) => [row.zone],
    "availability-zone-id": (row) => [REGIONS[region]?.[row.zone] ?? ""],
    "instance-type": ({ type }) => [type],
    "product-description": ({ product }) => [product],
    "spot-price": ({ price }) => [price],
  }).toSorted((a, b) => b.at - a.at);
  const limits = { ...state.switches, pageSize: state.switches.historyPageSize };
  const page = pageOf(parameters, numbered(sorted), limits, null);
  return answer(action, {
    spotPriceHistorySet: page.rows.map((row) => ({
      instanceType: row.type,
      productDescription: row.product,
      spotPrice: row.price,
      timestamp: timeText(state, row.at),
      availabilityZone: row.zone,
      availabilityZoneId: REGIONS[region]?.[row.zone] ?? "",
    })),
    nextToken: page.nextToken ?? "",
  });
}

const FEW_TYPES = 3;

/** moto breaks down at this one. With fewer than three types the score is always low; a pool that is sold out has 1. */
export function placementScores(call: Call): FakeAnswer {
  const { state, parameters, action } = call;
  const types = listOf(parameters, "InstanceType");
  required(parameters, "TargetCapacity");
  if ((countOf(parameters, "TargetCapacity") ?? 0) < 1)
    throw new Refusal(400, "InvalidParameterValue", "TargetCapacity must be at least 1");
  const unit = parameters.get("TargetCapacityUnitType") ?? "units";
  if (!["vcpu", "memory-mib", "units"].includes(unit))
    throw new Refusal(400, "InvalidParameterValue", `Invalid value '${unit}' for TargetCapacityUnitType`);
  const named = listOf(parameters, "RegionName");
  const regions = named.length === 0 ? state.switches.regions : named;
  const single = parameters.get("SingleAvailabilityZone") === "true";
  const scoreOf = (zones: readonly string[]) => {
    const stock = Math.max(
      0,
      ...types.flatMap((name) =>
        zones.filter((zone) => typeNamed(name)?.zones.includes(zone.at(-1) ?? "")).map((zone) => stockOf(state, name, zone)),
      ),
    );
    if (stock === 0) return 1;
    return types.length < FEW_TYPES ? 3 : Math.min(9, 3 + stock);
  };
  const rows: readonly { readonly region: string; readonly zoneId?: string; readonly score: number }[] = regions.flatMap((region) =>
    single
      ? zonesOf(region).map((zone) => ({ region, zoneId: REGIONS[region]?.[zone] ?? "", score: scoreOf([zone]) }))
      : [{ region, score: scoreOf(zonesOf(region)) }],
  );
  const limits = { ...state.switches, pageSize: Math.max(10, state.switches.pageSize) };
  const page = pageOf(withoutMost(parameters), numbered(rows), limits, null);
  const set: readonly Content[] = page.rows.map(({ region, zoneId, score }) => ({ region, availabilityZoneId: zoneId, score }));
  return answer(action, { spotPlacementScoreSet: set, nextToken: page.nextToken });
}

/** Here `MaxResults` is 10 at least. */
function withoutMost(parameters: URLSearchParams): URLSearchParams {
  const most = countOf(parameters, "MaxResults");
  if (most !== undefined && (most < 10 || most > 1000))
    throw new Refusal(400, "InvalidParameterValue", "MaxResults must be between 10 and 1000");
  return parameters;
}
