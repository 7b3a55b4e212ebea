import { type Money, moneyToDecimal } from "../model/money.ts";
import { stripControl } from "../platform/terminal.ts";
import type { ComparedOption, Comparison } from "../pricing/comparison/compare.ts";
import type { Mix } from "../pricing/comparison/mix.ts";
import { HOUR_MS, type Tariff } from "../pricing/comparison/tariff.ts";
import { isRentable } from "../pricing/spot-terms.ts";
import type { ComparisonParts } from "./comparison-view.ts";
import { csvText } from "./csv-text.ts";

const HEADER = [
  ...["gpu", "gpus", "name", "billing", "provider", "region", "zone", "type"],
  ...["price", "price_currency", "price_per_hours", "machines", "hours_paid"],
  ...["sticker_total", "sticker_savings", "total", "total_currency", "savings", "worth", "worth_currency", "source", "observed_at"],
  ...["effective_price", "interruptions_per_hour", "interruptions_basis", "plus", "plus_per_hours", "rentable", "row"],
] as const;

type Cells = Readonly<Partial<Record<(typeof HEADER)[number], string | number | null>>>;

const amount = (money: Money | null | undefined) => (money == null ? null : moneyToDecimal(money));
const perHours = (tariff: Tariff | null | undefined) => (tariff == null ? null : Number(tariff.perMs) / Number(HOUR_MS));
const count = (machines: bigint | null) => (machines === null ? null : Number(machines));

function wayCells(option: ComparedOption, { api }: ComparisonParts): Cells {
  const { name, billing, way, machines, hoursBilled, total, stickerTotal, worth, savings, stickerSavings } = option;
  const offer = way?.ranked?.offer;
  const price = way?.sticker.price ?? api?.perMillion;
  return {
    ...(way === null ? {} : { gpus: way.gpus }),
    name,
    billing,
    provider: offer?.provider ?? null,
    region: offer?.region ?? null,
    zone: offer?.zone ?? null,
    type: offer?.type ?? null,
    price: amount(price),
    price_currency: price?.currency ?? null,
    price_per_hours: perHours(way?.sticker),
    machines: count(machines),
    hours_paid: way === null ? null : Number(hoursBilled.toFixed(6)),
    sticker_total: moneyToDecimal(stickerTotal),
    sticker_savings: stickerSavings,
    total: moneyToDecimal(total),
    total_currency: total.currency,
    savings,
    worth: amount(worth),
    source: offer?.source ?? "given",
    observed_at: offer === undefined ? null : new Date(offer.observedAt).toISOString(),
    effective_price: amount(way?.effective.price),
    interruptions_per_hour: way?.loss.interruptionsPerHour ?? null,
    interruptions_basis: way?.loss.basis ?? null,
    plus: amount(way?.plus?.price),
    plus_per_hours: perHours(way?.plus),
    rentable: offer === undefined ? null : String(isRentable(offer.provider)),
    row: "way",
  };
}

function mixCells(mix: Mix, savings: number | null): readonly Cells[] {
  const parts = mix.parts.map(({ role, way, machines, hoursPaid, cost, worth }) => ({
    name: way.name,
    billing: role,
    machines: count(machines),
    hours_paid: role === "tokens" ? null : Number(hoursPaid.toFixed(6)),
    total: moneyToDecimal(cost),
    total_currency: cost.currency,
    worth: moneyToDecimal(worth),
    row: "part of the mix",
  }));
  const { total } = mix;
  const sum = { name: "cheapest mix", total: moneyToDecimal(total), total_currency: total.currency, savings, worth: moneyToDecimal(total) };
  return [{ ...sum, row: "mix" }, ...parts];
}

function linesOf(comparison: Comparison, parts: ComparisonParts): readonly Cells[] {
  const { product, count: gpus, currency, mix, mixSavings, unable, options } = comparison;
  const lines = [
    ...options.map((option) => wayCells(option, parts)),
    ...(mix === null || mix.parts.length < 2 ? [] : mixCells(mix, mixSavings)),
    ...unable.map(({ name, why }): Cells => ({ name, row: `left out: ${why}` })),
  ];
  return lines.map((cells) => ({ gpu: product, gpus, worth_currency: currency, ...cells }));
}

/**
 * One line for each way to pay, amounts in full; prices per million tokens have no hours. Below them the cheapest mix and its
 * parts, where it is one, and what does not get the work done; the column `row` tells them apart.
 */
export function comparisonCsv(parts: ComparisonParts): string {
  const rows = parts.comparisons
    .flatMap((comparison) => linesOf(comparison, parts))
    .map((cells) => HEADER.map((column) => cells[column] ?? null).map((cell) => (typeof cell === "string" ? stripControl(cell) : cell)));
  return csvText(HEADER, rows);
}
