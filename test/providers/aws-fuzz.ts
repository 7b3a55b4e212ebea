import fc from "fast-check";
import { expect } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { advisorData, sharesOf } from "../../src/providers/aws/advisor.ts";
import { type Api, awsApi } from "../../src/providers/aws/api.ts";
import { onDemandPrices } from "../../src/providers/aws/on-demand.ts";
import { spotPrices } from "../../src/providers/aws/spot-prices.ts";
import { ProviderError } from "../../src/providers/errors.ts";
import type { KeptAnswers } from "../../src/providers/kept-answers.ts";
import { fakeServer } from "../clouds/fake-server.ts";
import { context, ended, ending, isStated, odd, stated, unlessRefused } from "./live-fuzz.ts";
import { JUNK } from "./price-fuzz.ts";

const amount = fc.integer({ min: 1, max: 99_999_999 }).map((micros) => (micros / 1e6).toFixed(6));
const TYPES = ["g5.xlarge", "p5.48xlarge"];
const ZONES = ["us-east-1a", "us-east-1b"];
const change = fc.record({
  instanceType: fc.constantFrom(...TYPES),
  productDescription: fc.constantFrom("Linux/UNIX", "Linux/UNIX", "Linux/UNIX (Amazon VPC)", "Windows"),
  spotPrice: amount,
  timestamp: fc.nat({ max: 5 }).map((days) => `2026-11-2${days}T00:00:00.000Z`),
  availabilityZone: fc.constantFrom(...ZONES),
});
const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

/** EC2's market, over HTTP and through the SDK: each type costs in each zone what its newest item says. */
export async function anyAwsSpot(runs: Parameters<typeof fc.assert>[1]): Promise<void> {
  let body = "";
  const server = await fakeServer({ handle: async () => ({ status: 200, headers: { "content-type": "text/xml" }, body }) });
  const env = { AWS_ENDPOINT_URL: server.url, AWS_ACCESS_KEY_ID: "AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY: "secret" };
  const api = awsApi({ env, home: "/nonexistent", clock: systemClock });
  const property = fc.asyncProperty(
    fc.array(change, { maxLength: 10 }),
    fc.array(
      fc.tuple(
        fc.nat({ max: 9 }),
        fc.constantFrom("productDescription", "spotPrice", "timestamp", "availabilityZone"),
        fc.option(fc.constantFrom(...JUNK)),
      ),
      { maxLength: 3 },
    ),
    ending,
    async (changes, harms, cut) => {
      const items: Partial<Record<string, string>>[] = changes.map((one) => ({ ...one }));
      for (const [index, field, text] of harms) {
        const item = items[index];
        if (item === undefined) continue;
        if (text === null) delete item[field];
        else item[field] = text;
      }
      const xml = items.map((item) =>
        Object.entries(item)
          .map(([name, text]) => `<${name}>${escaped(text ?? "")}</${name}>`)
          .join(""),
      );
      const whole = `<DescribeSpotPriceHistoryResponse><requestId>r</requestId><spotPriceHistorySet>${xml.map((one) => `<item>${one}</item>`).join("")}</spotPriceHistorySet></DescribeSpotPriceHistoryResponse>`;
      body = ended(whole, cut);
      const prices = await unlessRefused(() => spotPrices(api).now("us-east-1", TYPES, context));
      if (prices === null) {
        expect(body !== whole || harms.length > 0).toBe(true);
        return;
      }
      expect(body).toBe(whole);
      const at = (item: (typeof items)[number]) => (item["timestamp"] === undefined ? 0 : Date.parse(item["timestamp"]));
      for (const { type, zone, price } of prices) {
        const isOfLinux = ({ productDescription }: (typeof items)[number]) => /^Linux.UNIX/.test(productDescription ?? "Linux/UNIX");
        const own = items.filter(
          (item) => item["instanceType"] === type && item["availabilityZone"]?.trim() === zone.trim() && isOfLinux(item),
        );
        const last = own.filter((item) => own.every((other) => at(other) <= at(item)));
        expect(last.some((item) => isStated(price, item["spotPrice"]))).toBe(true);
      }
      if (harms.length > 0) return;
      const sold = changes.filter(({ productDescription }) => productDescription !== "Windows");
      const keys = new Set(sold.map(({ instanceType, availabilityZone }) => `${instanceType} ${availabilityZone}`));
      expect(prices.map(({ type, zone }) => `${type} ${zone}`).toSorted()).toEqual([...keys].toSorted());
    },
  );
  try {
    await fc.assert(property, runs);
  } finally {
    await server.close();
  }
}

/** AWS's price list, which is JSON inside of JSON: a type costs what its own product says for an hour in dollars. */
export const anyAwsOnDemand = () =>
  fc.asyncProperty(
    fc.array(fc.record({ price: amount, upfront: amount, yuan: amount }), { minLength: 1, maxLength: 8 }),
    fc.array(fc.tuple(fc.nat({ max: 7 }), fc.constantFrom("unit", "USD", "term", "product", "text"), odd), { maxLength: 3 }),
    ending,
    async (products, harms, cut) => {
      const harmOf = (index: number, part: string) => harms.findLast(([row, name]) => row === index && name === part);
      const told = products.map(({ price, yuan }, index) => {
        const usd = harmOf(index, "USD");
        const unit = harmOf(index, "unit");
        return { USD: usd === undefined ? price : usd[2], CNY: yuan, unit: unit === undefined ? "Hrs" : unit[2] };
      });
      const list = products.map(({ upfront }, index) => {
        const { unit, ...pricePerUnit } = told[index] ?? {};
        const hourly = { priceDimensions: { a: { unit: "Quantity", pricePerUnit: { USD: upfront } }, b: { unit, pricePerUnit } } };
        const term = harmOf(index, "term");
        const product = harmOf(index, "product");
        const attributes = { attributes: { instanceType: `g5.${index}xlarge` } };
        const text = harmOf(index, "text");
        const json = {
          product: product === undefined ? attributes : product[2],
          terms: { OnDemand: term === undefined ? { t: hourly } : term[2] },
        };
        return text === undefined ? JSON.stringify(json) : text[2];
      });
      const text = ended(JSON.stringify({ PriceList: list }), cut);
      const api = { endpoint: () => undefined, now: () => 0, wire: { send: async () => ({ text }) } } as unknown as Api;
      const kept: KeptAnswers = { recent: async (_, __, ___, ask) => ({ value: (await ask()) as never, observedAt: 0 }) };
      const prices = await onDemandPrices(api, kept).of("us-east-1", context);
      if (prices === undefined) {
        expect(cut !== null || harms.some(([, part]) => part === "text")).toBe(true);
        return;
      }
      for (const [type, price] of prices) {
        const own = told[Number(/\d+(?=xlarge)/.exec(type)?.[0])];
        expect(isStated(price, own?.USD) && /^hrs?$/i.test(String(own?.unit)) && price.currency === "USD").toBe(true);
      }
      const whole = products.filter((_, index) => harms.every(([row]) => row !== index));
      expect(prices.size).toBeGreaterThanOrEqual(whole.length);
      expect([...prices.values()].every(({ micros }) => stated(Number(micros)) !== null)).toBe(true);
    },
  );

const key = fc.constantFrom("us-east-1", "eu-west-1", "g4dn.xlarge", "p5.48xlarge", "m5.large", "__proto__", "constructor", "toString", "");
const band = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom<unknown>(0, 1, 2, 3, 4) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>(-1, 5, 1.5, 1e308, null, "0", Number.NaN, {}) },
);
const label = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom<unknown>("<5%", "5-10%", "10-15%", "15-20%", ">20%") },
  { weight: 1, arbitrary: fc.constantFrom<unknown>("90-5%", ">500%", "<0%", "5-10", "-5%", "", 5, null, "NaN%", "5–10%", "100-999%") },
);

/** The file of the AWS Spot Advisor: parts of other kinds, names that objects have anyway, an end anywhere, other encodings. */
export const anyAdvisor = () =>
  fc.property(
    fc.array(fc.record({ index: band, label }), { maxLength: 6 }),
    fc
      .tuple(
        fc.dictionary(
          key,
          fc.oneof(fc.record({ Linux: fc.dictionary(key, fc.record({ r: band, s: band })) }), fc.constantFrom<unknown>(null, {}, [])),
        ),
        fc.record({ r: band, s: band }),
        fc.boolean(),
      )
      // Mostly one that is asked for below.
      .map(([others, one, isOdd]) => (isOdd ? others : { "us-east-1": { Linux: { "g4dn.xlarge": one } } })),
    fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
    fc.constantFrom("", "\ufeff", "\u0000"),
    fc.constantFrom("", "not a date", "Wed, 21 Oct 2026 07:28:00 GMT"),
    (ranges, regions, cut, before, lastModified) => {
      const whole = `${before}${JSON.stringify({ ranges, spot_advisor: regions, instance_types: {} })}`;
      const text = cut === null ? whole : whole.slice(0, Math.floor(whole.length * cut));
      try {
        const data = advisorData(
          { status: 200, headers: { "last-modified": lastModified }, text, asked: "GET /x", effect: "read" },
          1_700_000_000_000,
        );
        expect(Number.isFinite(data.dataAt)).toBe(true);
        const share = sharesOf(data);
        for (const region of [...Object.keys(regions), "nowhere", "constructor"])
          for (const type of ["g4dn.xlarge", "p5.48xlarge", "__proto__", "constructor", "toString"]) {
            const found = share(region, type);
            if (found === undefined) continue;
            expect(ranges.map((range) => range.label)).toContain(found.label);
            expect(
              found.atLeast >= 0 && found.atLeast <= 1 && (found.atMost === null || (found.atMost >= found.atLeast && found.atMost <= 1)),
            ).toBe(true);
          }
        // What was cut off is no JSON: nothing of it is taken.
        expect(text.length).toBe(whole.length);
      } catch (error) {
        if (!(error instanceof ProviderError)) throw error;
      }
    },
  );
