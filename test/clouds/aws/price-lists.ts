import type { FakeAnswer, FakeRequest } from "../fake-server.ts";
import { TYPES } from "./catalogue.ts";
import { isOffered, zonesOf } from "./prices.ts";
import type { AwsState } from "./state.ts";

const JSON_1_1 = { "content-type": "application/x-amz-json-1.1" };
const MOST = 100;

function problem(status: number, type: string, message: string): FakeAnswer {
  return { status, headers: JSON_1_1, body: JSON.stringify({ __type: type, Message: message }) };
}

interface Filter {
  readonly Type?: unknown;
  readonly Field?: unknown;
  readonly Value?: unknown;
}

/** One item of a price list, which is JSON in a string. */
function listItem(region: string, { name, vcpus, onDemand }: (typeof TYPES)[number], system: "Linux" | "Windows"): object {
  const sku = Buffer.from(`${region}${name}${system}`).toString("hex").toUpperCase().slice(-16);
  const rate = `${sku}.JRTCKXETXF.6YS6EN2CT7`;
  const price = system === "Linux" ? onDemand : String(Number(onDemand) * 1.5);
  return {
    product: {
      productFamily: "Compute Instance",
      attributes: {
        servicecode: "AmazonEC2",
        instanceType: name,
        instanceFamily: name.startsWith("m") ? "General purpose" : "GPU instance",
        regionCode: region,
        locationType: "AWS Region",
        operatingSystem: system,
        tenancy: "Shared",
        preInstalledSw: "NA",
        capacitystatus: "Used",
        licenseModel: "No License required",
        marketoption: "OnDemand",
        vcpu: String(vcpus),
        usagetype: `BoxUsage:${name}`,
      },
      sku,
    },
    serviceCode: "AmazonEC2",
    terms: {
      OnDemand: {
        [`${sku}.JRTCKXETXF`]: {
          priceDimensions: {
            [rate]: {
              unit: "Hrs",
              endRange: "Inf",
              beginRange: "0",
              description: `$${price} per On Demand ${system} ${name} Instance Hour`,
              appliesTo: [],
              rateCode: rate,
              pricePerUnit: { USD: Number(price).toFixed(10) },
            },
          },
          sku,
          effectiveDate: "2026-11-01T00:00:00Z",
          offerTermCode: "JRTCKXETXF",
          termAttributes: {},
        },
      },
    },
    version: "20261101000000",
    publicationDate: "2026-11-01T00:00:00Z",
  };
}

/** GetProducts of the Pricing API, which moto does not know. Prices are those of the catalogue in every region. */
export function getProducts(state: AwsState, request: FakeRequest): FakeAnswer {
  if (request.headers["x-amz-target"] !== "AWSPriceListService.GetProducts") return problem(400, "UnknownOperationException", "");
  const body = request.json() as
    | { ServiceCode?: unknown; Filters?: readonly Filter[]; NextToken?: unknown; MaxResults?: unknown }
    | undefined;
  if (body?.ServiceCode !== "AmazonEC2") return problem(400, "NotFoundException", "no such service");
  const filters = body.Filters ?? [];
  for (const { Type, Field, Value } of filters)
    if (Type !== "TERM_MATCH" || typeof Field !== "string" || typeof Value !== "string")
      return problem(400, "InvalidParameterException", "Filters are TERM_MATCH with a field and a value");
  const most = body.MaxResults ?? MOST;
  if (typeof most !== "number" || most < 1 || most > MOST) return problem(400, "InvalidParameterException", "MaxResults is 1 to 100");
  const all = state.switches.regions.flatMap((region) =>
    TYPES.filter((type) => zonesOf(region).some((zone) => isOffered(type, zone))).flatMap((type) => [
      listItem(region, type, "Linux"),
      listItem(region, type, "Windows"),
    ]),
  ) as readonly { readonly product: { readonly attributes: Readonly<Record<string, string>> } }[];
  const rows = all.filter(({ product }) =>
    filters.every(({ Field, Value }) => product.attributes[String(Field)]?.toLowerCase() === String(Value).toLowerCase()),
  );
  const from = body.NextToken === undefined ? 0 : Number(body.NextToken);
  if (!Number.isInteger(from) || from < 0) return problem(400, "InvalidNextTokenException", "no such token");
  const page = rows.slice(from, from + Math.min(most, Math.max(state.switches.pageSize, 5)));
  const next = from + page.length < rows.length ? { NextToken: String(from + page.length) } : {};
  return {
    status: 200,
    headers: JSON_1_1,
    body: JSON.stringify({ FormatVersion: "aws_v1", PriceList: page.map((item) => JSON.stringify(item)), ...next }),
  };
}

const RANGES = [
  { index: 0, label: "<5%", dots: 0, max: 5 },
  { index: 1, label: "5-10%", dots: 1, max: 11 },
  { index: 2, label: "10-15%", dots: 2, max: 16 },
  { index: 3, label: "15-20%", dots: 3, max: 22 },
  { index: 4, label: ">20%", dots: 4, max: 100 },
];

/** The spot advisor's file, in the form of the real one. */
export function spotAdvisor(state: AwsState): object {
  const rowsOf = (region: string) =>
    Object.fromEntries(
      TYPES.filter((type) => type.spot !== "" && zonesOf(region).some((zone) => isOffered(type, zone))).map((type, index) => [
        type.name,
        { s: Math.round(100 * (1 - Number(type.spot) / Number(type.onDemand))), r: index % RANGES.length },
      ]),
    );
  return {
    global_rate: "<10%",
    ranges: RANGES,
    instance_types: Object.fromEntries(TYPES.map(({ name, vcpus }) => [name, { emr: false, cores: vcpus, ram_gb: vcpus * 4 }])),
    spot_advisor: Object.fromEntries(state.switches.regions.map((region) => [region, { Linux: rowsOf(region), Windows: {} }])),
  };
}
