import { moneyToDecimal } from "../model/money.ts";
import { stripControl } from "../platform/terminal.ts";
import { HOUR_MS } from "../pricing/comparison/tariff.ts";
import type { ComparisonParts } from "./comparison-view.ts";
import { csvText } from "./csv-text.ts";

const HEADER = [
  ...["gpu", "gpus", "name", "billing", "provider", "region", "zone", "type"],
  ...["price", "price_currency", "price_per_hours", "machines", "hours_paid"],
  ...["sticker_total", "sticker_savings", "total", "total_currency", "savings", "worth", "worth_currency", "source", "observed_at"],
];

/** One line for each way to pay, amounts in full; prices per million tokens have no hours. */
export function comparisonCsv({ comparisons, api }: ComparisonParts): string {
  const rows = comparisons.flatMap(({ product, count, currency, options }) =>
    options.map(({ name, billing, way, machines, hoursBilled, total, stickerTotal, worth, savings, stickerSavings }) => {
      const offer = way?.ranked?.offer;
      const price = way?.sticker.price ?? api?.perMillion;
      return [
        ...[
          product,
          way?.gpus ?? count,
          name,
          billing,
          offer?.provider ?? null,
          offer?.region ?? null,
          offer?.zone ?? null,
          offer?.type ?? null,
        ],
        price === undefined ? null : moneyToDecimal(price),
        price?.currency ?? null,
        way === null ? null : Number(way.sticker.perMs) / Number(HOUR_MS),
        machines === null ? null : Number(machines),
        way === null ? null : Number(hoursBilled.toFixed(6)),
        moneyToDecimal(stickerTotal),
        stickerSavings,
        moneyToDecimal(total),
        total.currency,
        savings,
        worth === null ? null : moneyToDecimal(worth),
        currency,
        offer?.source ?? "given",
        offer === undefined ? null : new Date(offer.observedAt).toISOString(),
      ].map((cell) => (typeof cell === "string" ? stripControl(cell) : cell));
    }),
  );
  return csvText(HEADER, rows);
}
