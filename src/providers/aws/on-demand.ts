import * as v from "valibot";
import type { Money } from "../../model/money.ts";
import type { KeptAnswers } from "../kept-answers.ts";
import type { CallContext } from "../provider.ts";
import type { Api } from "./api.ts";
import { briefly } from "./briefly.ts";
import { currencyOf, priceOf } from "./spot-prices.ts";

export interface OnDemandPrices {
  /** What the types with GPUs cost there on demand, by type; undefined when nobody tells: the account may not ask, or is not answered. */
  of(region: string, context: CallContext): Promise<ReadonlyMap<string, Money> | undefined>;
}

const DAY_MS = 86_400_000;
/** One that was refused is not asked again so soon. */
const REFUSED_MS = 600_000;
/** The price list is answered for in three regions; this one is in every account. */
const ANSWERED_IN = "us-east-1";
const ENDPOINT = "https://api.pricing.us-east-1.amazonaws.com";
const MOST_PAGES = 20;

const pricesSchema = v.record(v.string(), v.string());
const pageSchema = v.object({ PriceList: v.array(v.string()), NextToken: v.fallback(v.nullish(v.string()), null) });
const productSchema = v.object({
  product: v.object({ attributes: v.object({ instanceType: v.string() }) }),
  terms: v.object({
    OnDemand: v.record(
      v.string(),
      v.object({ priceDimensions: v.record(v.string(), v.object({ unit: v.string(), pricePerUnit: v.record(v.string(), v.string()) })) }),
    ),
  }),
});

/** Linux without a licence, on shared hardware, not reserved: one product for each type. */
function filters(region: string): readonly object[] {
  const fields = {
    regionCode: region,
    instanceFamily: "GPU instance",
    operatingSystem: "Linux",
    tenancy: "Shared",
    preInstalledSw: "NA",
    capacitystatus: "Used",
    marketoption: "OnDemand",
  };
  return Object.entries(fields).map(([Field, Value]) => ({ Type: "TERM_MATCH", Field, Value }));
}

/** The hourly price in one product of the price list, which comes as JSON inside of JSON. */
function priceIn(text: string, currency: string): readonly [string, string] | null {
  const read = v.safeParse(v.pipe(v.string(), v.parseJson(), productSchema), text);
  if (!read.success) return null;
  const dimensions = Object.values(read.output.terms.OnDemand).flatMap((term) => Object.values(term.priceDimensions));
  const hourly = dimensions.find(({ unit }) => /^hrs?$/i.test(unit))?.pricePerUnit[currency];
  return hourly === undefined ? null : [read.output.product.attributes.instanceType, hourly];
}

/** One or two requests a region and day. A price to compare with is no reason to miss an offer. */
export function onDemandPrices(api: Api, kept: KeptAnswers): OnDemandPrices {
  let refusedAt = Number.NEGATIVE_INFINITY;
  // Where EC2 is moved, nothing of AWS's own is asked unless somebody says where.
  const origin = api.endpoint("PRICING") ?? (api.endpoint("EC2") === undefined ? ENDPOINT : undefined);
  const ask = async (region: string, origin: string, { signal }: CallContext) => {
    const prices: Record<string, string> = {};
    let token: string | null | undefined;
    for (let page = 0; page < MOST_PAGES; page++) {
      const more = token ? { NextToken: token } : {};
      const body = { ServiceCode: "AmazonEC2", FormatVersion: "aws_v1", MaxResults: 100, Filters: filters(region), ...more };
      const headers = { "x-amz-target": "AWSPriceListService.GetProducts", "content-type": "application/x-amz-json-1.1" };
      const place = { service: "pricing", region: ANSWERED_IN, origin, path: "/", action: "GetProducts" } as const;
      const answer = await api.wire.send({ ...place, effect: "read", content: { body, headers }, signal });
      const { PriceList, NextToken } = v.parse(v.pipe(v.string(), v.parseJson(), pageSchema), answer.text);
      for (const product of PriceList) {
        const found = priceIn(product, currencyOf(region));
        if (found !== null) prices[found[0]] = found[1];
      }
      if (!NextToken || NextToken === token) break;
      token = NextToken;
    }
    return prices;
  };
  return {
    async of(region, context) {
      // China has a price list of its own.
      if (origin === undefined || region.startsWith("cn-") || api.now() - refusedAt < REFUSED_MS) return undefined;
      try {
        const age = { maxAgeMs: DAY_MS, staleMs: 7 * DAY_MS };
        const { value } = await kept.recent(`on-demand-${region}`, pricesSchema, age, () =>
          briefly(context, (brief) => ask(region, origin, brief)),
        );
        const found = Object.entries(value).map(([type, text]) => [type, priceOf(text, region)] as const);
        return new Map(found.filter((entry): entry is readonly [string, Money] => entry[1] !== null));
      } catch {
        if (!context.signal.aborted) refusedAt = api.now();
        return undefined;
      }
    },
  };
}
