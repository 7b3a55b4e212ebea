import { gpuMatcher } from "../../model/gpu-names.ts";
import { type GpuQuery, parseGpuQuery } from "../../model/gpu-query.ts";
import { suggestion } from "../../model/nearest.ts";
import { effectivePrice, type WorkModel } from "../effective.ts";
import { parseSeconds } from "../work-text.ts";
import { DAY_MS, MONTH_MS, parseSpan, parseTariff, type Tariff } from "./tariff.ts";
import type { MachineWay } from "./way.ts";

const BILLINGS = ["spot", "on-demand", "monthly", "owned"] as const;
const KEYS = ["name", "price", "plus", "term", "billing", "gpu", "gpus", "throughput", "interruptions", "notice"] as const;
type Key = (typeof KEYS)[number];

/** A way to buy that a person describes. */
export interface OwnRow {
  readonly name: string;
  readonly price: Tariff;
  readonly plus: Tariff | null;
  readonly termMs: bigint;
  /** See `MachineWay`. */
  readonly stepMs: bigint;
  readonly billing: MachineWay["billing"];
  /** Only compared with this GPU; with every one where it is null. */
  readonly gpu: GpuQuery | null;
  readonly gpus: number | null;
  /** Millionths of a token a second, of the whole machine. */
  readonly tokensPerSecond: bigint | null;
  /** Per hour; null: assumed, as of an offer that does not say. */
  readonly interruptionsPerHour: number | null;
  /** Null: none is promised, or what holds for every offer. */
  readonly noticeSeconds: number | null;
}

/** Millionths of a decimal such as `1250.5`. @throws RangeError when it is not above zero. */
export function millionths(text: string, what: string): bigint {
  const [, whole, fraction = ""] = /^(\d{1,12})(?:\.(\d{1,6}))?$/.exec(text.trim()) ?? [];
  const micros = whole === undefined ? 0n : BigInt(whole + fraction.padEnd(6, "0"));
  if (micros <= 0n) throw new RangeError(`${JSON.stringify(text)} is not ${what}`);
  return micros;
}

function fieldsOf(text: string): Partial<Record<Key, string>> {
  const fields: Partial<Record<Key, string>> = {};
  for (const part of text.split(",").filter((one) => one.trim() !== "")) {
    const at = part.indexOf("=");
    const word = part.slice(0, Math.max(0, at)).trim();
    const key = KEYS.find((known) => known === word);
    if (key === undefined) {
      const near = at === -1 ? undefined : suggestion(word, KEYS);
      throw new RangeError(
        `${JSON.stringify(part.trim())} is not KEY=VALUE with one of ${KEYS.join(", ")}${near === undefined ? "" : `; ${near}`}`,
      );
    }
    if (fields[key] !== undefined) throw new RangeError(`${key} is said twice`);
    fields[key] = part.slice(at + 1).trim();
  }
  return fields;
}

function billingOf(text: string | undefined, price: Tariff): OwnRow["billing"] {
  if (text === undefined) return price.perMs > DAY_MS ? "monthly" : "on-demand";
  const billing = BILLINGS.find((known) => known === text);
  if (billing === undefined) throw new RangeError(`billing: ${JSON.stringify(text)} is not one of ${BILLINGS.join(", ")}`);
  return billing;
}

/** A count of GPUs, 1 to 1024. */
function gpusOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  const gpus = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (gpus < 1 || gpus > 1024) throw new RangeError(`gpus: ${JSON.stringify(text)} is not a number from 1 to 1024`);
  return gpus;
}

function rateOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  const perHour = /^\d{1,4}(\.\d{1,9})?$/.test(text) ? Number(text) : Number.NaN;
  if (!(perHour <= 3600))
    throw new RangeError(`interruptions: ${JSON.stringify(text)} is not how often in an hour (expected 0 or more, e.g. 0.05)`);
  return perHour;
}

/**
 * Reads a row such as `name=rack,price=30000CNY/month,gpus=8`. By the hour or the day it is on demand, for longer monthly: paid
 * for all of the time.
 * @throws RangeError that says which part is wrong.
 */
export function parseOwnRow(text: string): OwnRow {
  const { name, price, plus, term, billing, gpu, gpus, throughput, interruptions, notice } = fieldsOf(text);
  if (price === undefined)
    throw new RangeError(`a price is missing in ${JSON.stringify(text)} (expected e.g. name=rack,price=30000CNY/month,gpus=8)`);
  const tariff = parseTariff(price);
  const beside = plus === undefined ? null : parseTariff(plus);
  const kind = billingOf(billing, tariff);
  const isLong = kind === "monthly" || kind === "owned";
  if (beside !== null && beside.price.currency !== tariff.price.currency)
    throw new RangeError("plus: it is in another currency than the price");
  if (beside !== null && !isLong) throw new RangeError("plus: only for what is paid by the month or owned");
  if (term !== undefined && !isLong) throw new RangeError("term: only for what is paid by the month or owned");
  const asked = gpu === undefined ? null : parseGpuQuery(gpu);
  const said = term === undefined ? null : parseSpan(term);
  const stepMs = isLong ? stepOf(tariff, kind, said) : 0n;
  return {
    name: name === undefined || name === "" ? kind : name,
    price: tariff,
    plus: beside,
    termMs: said ?? stepMs,
    stepMs,
    billing: kind,
    gpu: asked,
    gpus: gpusOf(gpus) ?? (gpu?.includes(":") === true ? (asked?.count ?? null) : null),
    tokensPerSecond: throughput === undefined ? null : millionths(throughput, "how many tokens a second"),
    interruptionsPerHour: rateOf(interruptions),
    noticeSeconds: notice === undefined ? null : parseSeconds(notice),
  };
}

/** It is paid in spans of its price, by the hour in months or, where it is owned, in days; a shorter term is one as well. */
function stepOf({ perMs }: Tariff, billing: OwnRow["billing"], termMs: bigint | null): bigint {
  const span = perMs >= DAY_MS ? perMs : billing === "monthly" ? MONTH_MS : DAY_MS;
  return termMs !== null && termMs < span ? termMs : span;
}

/** Whether a row stands in the comparison of a GPU. */
export function fitsGpu(row: OwnRow, gpu: Parameters<ReturnType<typeof gpuMatcher>>[0]): boolean {
  return row.gpu === null || gpuMatcher(row.gpu.model)(gpu);
}

/** What a row says of itself holds for it, whatever holds for every offer. */
function workOf({ interruptionsPerHour, noticeSeconds }: OwnRow, work: WorkModel): WorkModel {
  const own = {
    ...(interruptionsPerHour === null ? {} : { interruptionsPerHour }),
    ...(noticeSeconds === null ? {} : { noticeSeconds }),
  };
  return { ...work, given: { ...work.given, ...own } };
}

/** The row as a way to pay; `count` is how many GPUs it has where it does not say. */
export function ownWay(row: OwnRow, count: number, work: WorkModel): MachineWay {
  const { price, perMs } = row.price;
  const billing = row.billing === "owned" ? "monthly" : row.billing;
  const { price: useful, ...loss } = effectivePrice({ price, billing, interruptionsPerHour: null, noticeSeconds: 0 }, workOf(row, work));
  return {
    name: row.name,
    billing: row.billing,
    isLong: row.billing === "monthly" || row.billing === "owned",
    sticker: row.price,
    effective: { price: useful, perMs },
    loss,
    plus: row.plus,
    termMs: row.termMs,
    stepMs: row.stepMs,
    gpus: row.gpus ?? count,
    tokensPerSecond: row.tokensPerSecond,
    ranked: null,
  };
}
