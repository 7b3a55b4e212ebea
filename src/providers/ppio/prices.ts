import type { Billing } from "../../model/instance.ts";
import type { Money } from "../../model/money.ts";
import type { WireProduct } from "./wire.ts";

/** 1/100000 of the currency's unit in its millionths. */
const MICROS_PER_RAW = 10n;
const HOURS_PER_MONTH = 730n;

/** A price in 1/100000 per GPU-hour, for so many GPUs. */
function perHour(raw: bigint | null, count: number, currency: string): Money | null {
  return raw === null ? null : { micros: raw * MICROS_PER_RAW * BigInt(count), currency };
}

/**
 * The price of one month, by the hour. That it is a total in 1/100000 is a third party's word, so one that is dearer than on
 * demand, or less than a tenth of it, is not believed.
 */
function monthly(product: WireProduct): bigint | null {
  const month = product.monthlyPrice.find((one) => one.month === 1)?.price ?? null;
  const [raw, usual] = [month === null ? null : month / HOURS_PER_MONTH, product.price];
  return raw === null || usual === null || raw > usual || raw * 10n < usual ? null : raw;
}

/** What a product costs per instance-hour in one way of billing; null when it cannot be had so. */
export function priceOf(product: WireProduct, billing: Billing, count: number, currency: string): Money | null {
  const sells = (method: string) => product.billingMethods.length === 0 || product.billingMethods.includes(method);
  switch (billing) {
    case "spot":
      return sells("spot") ? perHour(product.spotPrice, count, currency) : null;
    case "on-demand":
      return sells("onDemand") ? perHour(product.price, count, currency) : null;
    case "monthly":
      return sells("monthly") ? perHour(monthly(product), count, currency) : null;
  }
}
