import fc from "fast-check";
import { expect } from "vitest";
import type { Money } from "../../src/model/money.ts";
import type { Ecs } from "../../src/providers/alibaba/client.ts";
import { spotPrices } from "../../src/providers/alibaba/spot-prices.ts";
import { type CloudAnswer, parsed } from "../../src/providers/cloud-http.ts";
import { ProviderError } from "../../src/providers/errors.ts";
import type { PpioApi } from "../../src/providers/ppio/api.ts";
import { allOffers } from "../../src/providers/ppio/offers.ts";
import { NOVITA, PPIO } from "../../src/providers/ppio/vendors.ts";
import { clusterList, productList } from "../../src/providers/ppio/wire.ts";
import type { VerdaClient } from "../../src/providers/verda/client.ts";
import { listOffers } from "../../src/providers/verda/offers.ts";
import { JUNK } from "./price-fuzz.ts";

export const context = { signal: new AbortController().signal };

/** Values that stand in an answer's field instead of the right one; undefined takes the field away. */
export const odd = fc.constantFrom<unknown>(
  ...[...JUNK, undefined, null, true, {}, [], [1], -1, 0, 1.5, 7, 1e308, 1e21, 1e-7],
  ...["12.345", "0.0000004", " 3 ", "1e5", "12345678901234567890", Number.MAX_SAFE_INTEGER],
);
/** Where the answer ends before its end; null for nowhere. */
export const ending = fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { freq: 12 });
export const ended = (text: string, cut: number | null) => (cut === null ? text : text.slice(0, Math.floor(text.length * cut)));

/** What a value states as an amount; null for nothing, and for what no price has ever been. */
export function stated(value: unknown): number | null {
  const isAmount = typeof value === "number" || (typeof value === "string" && /^\s*\d+(\.\d+)?\s*$/.test(value));
  return isAmount && Number(value) >= 5e-7 && Number(value) < 1e12 ? Number(value) : null;
}

/** Whether a price is what the value states, to the millionth. */
export function isStated({ micros }: Money, value: unknown): boolean {
  const amount = (stated(value) ?? Number.NaN) * 1e6;
  return micros > 0n && Math.abs(Number(micros) - amount) <= 0.5 + amount * 1e-9;
}

const answerOf = (text: string): CloudAnswer => ({ status: 200, headers: {}, text, asked: "GET /x", effect: "read" });

/** What is read of an answer; null for one that is refused as a whole. Nothing else may come of it. */
export async function unlessRefused<Found>(read: () => Promise<Found>): Promise<Found | null> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof ProviderError) return null;
    throw error;
  }
}

type Fields = Record<string, unknown>;
/** Puts odd values into fields of rows: `gpu.number_of_gpus` lies in the row's `gpu`. */
function harmed(rows: readonly Fields[], harms: readonly (readonly [row: number, field: string, value: unknown])[]): ReadonlySet<number> {
  for (const [row, field, value] of harms) {
    const [outer = "", inner] = field.split(".");
    const target = inner === undefined ? rows[row] : rows[row]?.[outer];
    if (typeof target === "object" && target !== null) (target as Fields)[inner ?? outer] = structuredClone(value);
  }
  return new Set(harms.map(([row]) => row));
}
const harmsTo = (...fields: string[]) => fc.array(fc.tuple(fc.nat({ max: 7 }), fc.constantFrom(...fields), odd), { maxLength: 4 });
const money = fc.integer({ min: 1, max: 99_999_999 }).map((micros) => micros / 1e6);
/** Numbers come as numbers or as strings. */
const asSent = fc.tuple(money, fc.boolean()).map(([amount, isText]) => (isText ? amount.toFixed(6) : amount));

/** Verda's list of types: an offer costs what its own row says for that way to pay, and is that machine. */
export const anyVerda = () =>
  fc.asyncProperty(
    fc.array(fc.record({ gpus: fc.integer({ min: 1, max: 8 }), price: asSent, spot: fc.option(asSent) }), { minLength: 1, maxLength: 8 }),
    harmsTo("price_per_hour", "spot_price", "currency", "gpu", "gpu.number_of_gpus", "gpu.description", "gpu_memory", "cpu", "memory"),
    ending,
    async (machines, harms, cut) => {
      const rows = machines.map(({ gpus, price, spot }, index) => ({
        instance_type: `${index}H100`,
        cpu: { number_of_cores: 30 + index },
        gpu: { description: `${gpus}x H100 SXM5 80GB`, number_of_gpus: gpus },
        gpu_memory: { size_in_gigabytes: 80 * gpus },
        memory: { size_in_gigabytes: 120 },
        price_per_hour: price,
        spot_price: spot,
        currency: "usd",
      }));
      const odds = harmed(rows, harms);
      const answers: Readonly<Record<string, string>> = {
        "/instance-types": ended(JSON.stringify(rows), cut),
        "/locations": JSON.stringify([{ code: "FIN-01" }]),
        "/instance-availability": "[]",
      };
      const client = {
        now: () => 0,
        read: async (schema: Parameters<VerdaClient["read"]>[0], path: string) => parsed("verda", schema, answerOf(answers[path] ?? "")),
      } as unknown as VerdaClient;
      const offers = await unlessRefused(() => listOffers(client, {}, context));
      if (offers === null) {
        expect(cut !== null || odds.size > 0).toBe(true);
        return;
      }
      for (const { type, price, onDemandPrice, billing, gpu, region, vcpus } of offers) {
        const index = Number(type.replace("H100", ""));
        const row = rows[index];
        expect(isStated(price, billing === "spot" ? row?.spot_price : row?.price_per_hour)).toBe(true);
        if (onDemandPrice !== null) expect(isStated(onDemandPrice, row?.price_per_hour)).toBe(true);
        expect(price.currency).toMatch(/^[A-Z]{3}$/);
        expect([region, gpu.count]).toEqual(["FIN-01", stated(row?.gpu.number_of_gpus)]);
        expect(Number.isInteger(gpu.count) && gpu.vramGb >= 0).toBe(true);
        if (!odds.has(index)) expect([gpu.model, gpu.vramGb, vcpus]).toEqual(["H100", 80, 30 + index]);
      }
      const whole = machines.filter((_, index) => !odds.has(index));
      expect(offers.filter(({ type }) => !odds.has(Number(type.replace("H100", ""))))).toHaveLength(
        whole.reduce((sum, { spot }) => sum + (spot === null ? 1 : 2), 0),
      );
    },
  );

/** Whole hundred-thousandths: whatever is none is no price. */
function hundredThousandths(value: unknown): bigint | null {
  const text = typeof value === "number" || typeof value === "string" ? String(value) : "";
  return /^\d{1,15}$/.test(text) && BigInt(text) > 0n ? BigInt(text) : null;
}
const raw = fc.tuple(fc.integer({ min: 1, max: 9_999_999 }), fc.boolean()).map(([amount, isText]) => (isText ? String(amount) : amount));

/** The products of PPIO and Novita: an offer costs what its own product says, so many times as it has GPUs, in their currency. */
export const anyPpio = () =>
  fc.asyncProperty(
    fc.constantFrom(PPIO, NOVITA),
    fc.array(fc.record({ price: raw, spotPrice: raw, month: raw }), { minLength: 1, maxLength: 8 }),
    harmsTo("price", "spotPrice", "monthlyPrice", "billingMethods", "regions", "cpuPerGpu", "memoryPerGpu", "name", "inventoryState"),
    ending,
    async (vendor, products, harms, cut) => {
      const rows = products.map(({ price, spotPrice, month }, index) => ({
        ...{ id: `p${index}`, name: "RTX 4090 24GB", cpuPerGpu: 16, memoryPerGpu: 62, price, spotPrice },
        ...{ monthlyPrice: [{ price: month, month: 1 }], billingMethods: ["spot", "onDemand", "monthly"], regions: [] },
      }));
      const odds = harmed(rows, harms);
      const api = {
        vendor,
        now: () => 0,
        read: async () => parsed(vendor.id, clusterList, answerOf('{"data":[{"id":"27","name":"here"}]}')),
        products: async () => parsed(vendor.id, productList, answerOf(ended(JSON.stringify({ data: rows }), cut))).data,
      } as unknown as PpioApi;
      const offers = await unlessRefused(() => allOffers(api, {}, context));
      if (offers === null) {
        expect(cut).not.toBeNull();
        return;
      }
      for (const { type, gpu, price, onDemandPrice, billing } of offers) {
        const [id = "", count = ""] = type.split(":");
        const row = rows[Number(id.slice(1))];
        const usual = hundredThousandths(row?.price);
        const months = Array.isArray(row?.monthlyPrice) ? (row.monthlyPrice as readonly { readonly price?: unknown }[]) : [];
        const ofMonth = hundredThousandths(months[0]?.price);
        const told = billing === "spot" ? hundredThousandths(row?.spotPrice) : billing === "on-demand" ? usual : (ofMonth ?? 0n) / 730n;
        expect(gpu.count).toBe(Number(count));
        expect(price).toEqual({ micros: (told ?? 0n) * 10n * BigInt(count), currency: vendor.currency });
        expect(price.micros > 0n).toBe(true);
        expect(onDemandPrice?.micros ?? null).toBe(usual === null ? null : usual * 10n * BigInt(count));
        if (billing === "monthly") expect((told ?? 0n) <= (usual ?? 0n)).toBe(true);
      }
      // Four numbers of GPUs, on spot and on demand.
      const whole = offers.filter(({ type, billing }) => !odds.has(Number(type.slice(1).split(":")[0])) && billing !== "monthly");
      expect(whole).toHaveLength(8 * products.filter((_, index) => !odds.has(index)).length);
    },
  );

const HOUR_MS = 3_600_000;
const told = fc.record({ zone: fc.constantFrom("cn-a", "cn-b"), hours: fc.nat({ max: 5 }), spot: asSent, usual: asSent });

/** Alibaba's market of one type: each zone costs what its newest row says. */
export const anyAlibaba = () =>
  fc.asyncProperty(
    fc.array(told, { minLength: 1, maxLength: 8 }),
    harmsTo("SpotPrice", "OriginPrice", "Timestamp", "ZoneId"),
    fc.oneof({ weight: 4, arbitrary: fc.constantFrom<unknown>("CNY", "usd") }, { weight: 1, arbitrary: odd }),
    fc.oneof(fc.constant<unknown>(0), odd),
    ending,
    async (changes, harms, Currency, NextOffset, cut) => {
      const rows = changes.map(({ zone, hours, spot, usual }) => {
        const Timestamp = new Date(hours * HOUR_MS).toISOString();
        return { ZoneId: zone, Timestamp, SpotPrice: spot, OriginPrice: usual };
      });
      const odds = harmed(rows, harms);
      const text = ended(JSON.stringify({ Currency, NextOffset, SpotPrices: { SpotPriceType: rows } }), cut);
      const ecs = {
        now: () => 0,
        read: async ({ answer }: Parameters<Ecs["read"]>[0]) => parsed("alibaba", answer, answerOf(text)),
      } as unknown as Ecs;
      const found = await unlessRefused(() => spotPrices(ecs).of({ region: "cn", type: "t", spotDuration: 1 }, 0, context));
      if (found === null) {
        expect(cut !== null || !/^[A-Za-z]{3}$/.test(String(Currency))).toBe(true);
        return;
      }
      const at = ({ Timestamp }: { readonly Timestamp: unknown }) => (typeof Timestamp === "string" ? Date.parse(Timestamp) : Number.NaN);
      for (const [zone, { spot, onDemand }] of found.zones) {
        const own = rows.filter((row) => (typeof row.ZoneId === "string" ? row.ZoneId : "") === zone && !Number.isNaN(at(row)));
        const last = own.filter((row) => own.every((other) => at(other) <= at(row)));
        const isTold = (price: Money | null, field: "SpotPrice" | "OriginPrice") =>
          last.some((row) => (price === null ? stated(row[field]) === null : isStated(price, row[field])));
        expect(isTold(spot, "SpotPrice") && isTold(onDemand, "OriginPrice")).toBe(true);
        for (const price of [spot, onDemand]) if (price !== null) expect(price.currency).toBe(String(Currency).toUpperCase());
      }
      const zones = new Set(changes.filter((_, index) => !odds.has(index)).map(({ zone }) => zone));
      for (const zone of zones) expect(found.zones.has(zone)).toBe(true);
    },
  );
