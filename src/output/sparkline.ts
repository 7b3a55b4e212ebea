import type { HeldPrice } from "../pricing/history.ts";
import { extentOf, priceColumns } from "./price-columns.ts";

export interface SparklineOptions {
  /** Epoch milliseconds. */
  readonly from: number;
  readonly to: number;
  readonly cells: number;
  /** False where the terminal knows ASCII only. */
  readonly unicode: boolean;
}

const LEVELS = { unicode: [..."▁▂▃▄▅▆▇█"], ascii: [..."_,-=+*#@"] };
const UNKNOWN = { unicode: "·", ascii: "." };

/** One line of cells, each as high as the price was on average, between the lowest and the highest of them; a point where nobody knows. */
export function sparkline(held: readonly HeldPrice[], { from, to, cells, unicode }: SparklineOptions): string {
  const kind = unicode ? "unicode" : "ascii";
  const levels = LEVELS[kind];
  const means = priceColumns(held, from, to, cells).map((column) => column?.mean ?? null);
  const { low, high } = extentOf(means.filter((mean) => mean !== null)) ?? { low: 0n, high: 0n };
  const steps = BigInt(levels.length - 1);
  const levelOf = (mean: bigint) => (high === low ? 3 : Number(((mean - low) * steps * 2n + (high - low)) / ((high - low) * 2n)));
  return means.map((mean) => (mean === null ? UNKNOWN[kind] : (levels[levelOf(mean)] ?? ""))).join("");
}
