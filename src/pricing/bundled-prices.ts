import { gpuFromName } from "../model/gpu-names.ts";
import type { Billing } from "../model/instance.ts";
import type { ObservedPrice } from "../model/listed-price.ts";
import { type Money, moneyFromDecimal } from "../model/money.ts";

/**
 * A list price as a document names it, so that a first look needs no network. Its age is that of the document.
 * `price` is per instance-hour like every other; a document that states months is divided by the hours of its month and rounded
 * to the millionth, which is less than half a cent of a month, so `stated` is always `price × hours` rounded to the cent.
 */
export interface BundledPrice extends ObservedPrice {
  /** The document: its address, or its name where it has none. */
  readonly document: string;
  /** Its date, as exactly as it has one: `2026-08-26`, `2026-02`, `2025`. `observedAt` is the beginning of it. */
  readonly dated: string;
  /** What stands there, for so many hours of one machine. */
  readonly stated: { readonly amount: Money; readonly hours: number };
}

/** Amounts of one machine, as decimal texts; on demand and by the month where the document states them. */
interface Row {
  readonly gpu: string;
  readonly type?: string;
  readonly zone?: string;
  readonly spot?: string;
  readonly onDemand?: string;
  readonly monthly?: string;
  /** GB of one GPU, where its name does not say. */
  readonly vramGb?: number;
}

interface Document {
  readonly provider: string;
  readonly document: string;
  readonly dated: string;
  readonly currency: string;
  /** How many hours an amount is for: 1, or those of the month that the document reckons with. */
  readonly hours: number;
  readonly region?: string;
  readonly rows: readonly Row[];
}

/** Where a document names no place: its prices hold wherever the provider has the machine. */
const ANYWHERE = "any";

const PPIO_ARTICLE = "https://blog.ppio.com/wei-shi-yao-shuo-spot-gpushi-li-shi-aisuan-li-ti-xi-de-zhan-lue-ji-bu-chong";
/**
 * Quoted where the cases of this field are told, without address or date. They are given the age of the article above, the oldest
 * document here, so that nobody takes them for fresh.
 */
const QUOTED = "a published comparison of monthly costs, quoted without its address or date";

/**
 * Every document names the machine's GPU and a price. Not here: Google and Verda, whose documents at hand name no price of a
 * whole machine; and prices of Novita's H100 of February 2026, which a later document contradicts by more than a factor of two.
 */
const DOCUMENTS: readonly Document[] = [
  {
    provider: "hyperstack",
    document: "https://www.hyperstack.cloud/gpu-pricing",
    dated: "2026-08-26",
    currency: "USD",
    hours: 1,
    rows: [
      { gpu: "B300", onDemand: "7.40" },
      { gpu: "B200", onDemand: "6.00" },
      { gpu: "H200 SXM", onDemand: "3.99" },
      { gpu: "H100 SXM 80GB", onDemand: "3.20" },
      { gpu: "H100 PCIe 80GB", type: "H100 NVLink", onDemand: "2.60" },
      { gpu: "H100 PCIe 80GB", onDemand: "2.50", spot: "2.00" },
      { gpu: "RTX Pro 6000", onDemand: "1.85", spot: "1.48" },
      { gpu: "A100 SXM 80GB", onDemand: "1.60" },
      { gpu: "A100 PCIe 80GB", type: "A100 NVLink", onDemand: "1.40" },
      { gpu: "A100 PCIe 80GB", onDemand: "1.35", spot: "1.08" },
      { gpu: "L40", onDemand: "1.00", spot: "0.80" },
      { gpu: "RTX A6000", onDemand: "0.50", spot: "0.40" },
      { gpu: "RTX A4000", onDemand: "0.15" },
    ],
  },
  {
    provider: "novita",
    document: "https://novita.ai/gpus",
    dated: "2026-02",
    currency: "USD",
    hours: 1,
    rows: [
      { gpu: "RTX 5090", onDemand: "0.63", spot: "0.32" },
      { gpu: "RTX 4090", onDemand: "0.67" },
    ],
  },
  {
    provider: "novita",
    document: "Novita's price of 2026-08-14, as a third party noted it",
    dated: "2026-08-14",
    currency: "USD",
    hours: 1,
    rows: [{ gpu: "H100 SXM 80GB", onDemand: "3.39" }],
  },
  {
    provider: "ppio",
    document: `${PPIO_ARTICLE} (spot; on demand by its statement that spot is half of it)`,
    dated: "2025",
    currency: "CNY",
    hours: 1,
    rows: [{ gpu: "RTX 4090", onDemand: "1.98", spot: "0.99" }],
  },
  {
    provider: "ppio",
    document: PPIO_ARTICLE,
    dated: "2025",
    currency: "CNY",
    hours: 1,
    rows: [
      { gpu: "H20", spot: "3.40" },
      { gpu: "H100", vramGb: 80, spot: "5.25" },
    ],
  },
  {
    provider: "ppio",
    document: "PPIO's list of products, as a third party read it",
    dated: "2026",
    currency: "CNY",
    hours: 1,
    rows: [{ gpu: "RTX 3090", onDemand: "1.39" }],
  },
  {
    // 383.98 is 730 hours at 0.526, the list price in us-east-1: the month of AWS's calculator.
    provider: "aws",
    document: QUOTED,
    dated: "2025",
    currency: "USD",
    hours: 730,
    rows: [
      { gpu: "T4", type: "g4dn.xlarge", zone: "cheapest zone", onDemand: "383.98", spot: "120.30" },
      { gpu: "T4", type: "g4dn.xlarge", zone: "dearest zone", onDemand: "383.98", spot: "129.72" },
    ],
  },
  {
    // It says by the month only; a month is taken for 30 days, as everywhere here.
    provider: "alibaba",
    document: QUOTED,
    dated: "2025",
    currency: "CNY",
    hours: 720,
    rows: [{ gpu: "A10", type: "ecs.gn7i", onDemand: "6958.7", monthly: "4575.6", spot: "2436.0" }],
  },
];

/** `2026`, `2026-02` or a day: when it began, in UTC. */
function beginningOf(dated: string): number {
  const [year = 0, month = 1, day = 1] = dated.split("-").map(Number);
  return Date.UTC(year, month - 1, day);
}

function perHour(amount: Money, hours: number): Money {
  const by = BigInt(hours);
  return { micros: (amount.micros + by / 2n) / by, currency: amount.currency };
}

function pricesOf({ provider, document, dated, currency, hours, region = ANYWHERE, rows }: Document): readonly BundledPrice[] {
  const observedAt = beginningOf(dated);
  return rows.flatMap(({ gpu: name, type = name, zone = region, vramGb, spot, onDemand, monthly }) => {
    const { vramGb: named, ...model } = gpuFromName(name);
    const gpu = { ...model, count: 1, vramGb: vramGb ?? named ?? 0 };
    const ofHour = (text: string) => perHour(moneyFromDecimal(text, currency), hours);
    const onDemandPrice = onDemand === undefined ? null : ofHour(onDemand);
    const listed = { provider, region, zone, type, gpu, vcpus: 0, memoryGb: 0, onDemandPrice };
    const priced = (billing: Billing, text: string | undefined): readonly BundledPrice[] =>
      text === undefined
        ? []
        : [
            {
              ...listed,
              billing,
              price: ofHour(text),
              source: "bundled",
              observedAt,
              since: observedAt,
              document,
              dated,
              stated: { amount: moneyFromDecimal(text, currency), hours },
            },
          ];
    return [...priced("spot", spot), ...priced("on-demand", onDemand), ...priced("monthly", monthly)];
  });
}

/** Every bundled price. Reckoned when asked for, because most commands need none of them. */
export function bundledPrices(): readonly BundledPrice[] {
  return DOCUMENTS.flatMap(pricesOf);
}
