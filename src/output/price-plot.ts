import type { HeldPrice } from "../pricing/history.ts";
import { axisLabels, type PriceAxis, priceAxis, timeMarks } from "./price-axes.ts";
import { extentOf, type PriceColumn, priceColumns } from "./price-columns.ts";
import { textWidth } from "./text-width.ts";
import type { Painter } from "./view.ts";

export interface PlotOptions {
  /** Epoch milliseconds: the time axis. */
  readonly from: number;
  readonly to: number;
  /** In terminal cells, axes included. */
  readonly width: number;
  /** False where the terminal knows ASCII only. */
  readonly unicode: boolean;
  readonly currency: string;
  /** A price to compare with, drawn as a dotted line where it is near; null for none. */
  readonly level: bigint | null;
}

/** About so many rows; the marks of the price axis come to lie on rows. */
const ROWS = 12;
/** A label needs so many cells on the time axis, the pause behind it included. */
const CELLS_A_MARK = 12;
/** Below this there is nothing to see. */
const NARROWEST = 10;

const SIGNS = {
  unicode: {
    ...{ flat: "─", moment: "•", stem: "│", level: "┄", upFrom: "╯", upTo: "╭", downFrom: "╮", downTo: "╰", in: "┤", out: "├", both: "┼" },
    ...{ axis: "│", mark: "┤", corner: "└", base: "─", baseMark: "┬" },
  },
  ascii: {
    ...{ flat: "-", moment: "*", stem: "|", level: ".", upFrom: "+", upTo: "+", downFrom: "+", downTo: "+", in: "+", out: "+", both: "+" },
    ...{ axis: "|", mark: "+", corner: "+", base: "-", baseMark: "+" },
  },
};
type Signs = (typeof SIGNS)["unicode"];

/** The row of a price, counted from the bottom. */
function rowOf(micros: bigint, { low, step, steps }: PriceAxis, rows: number): number {
  const range = step * BigInt(steps);
  return Number(((micros - low) * BigInt(rows - 1) * 2n + range) / (range * 2n));
}

/** The signs of one column by row: where the line comes in, how far it goes, where it leaves. */
function columnSigns(
  column: PriceColumn,
  before: number | null,
  row: (micros: bigint) => number,
  signs: Signs,
): ReadonlyMap<number, string> {
  const leaves = row(column.last);
  const enters = before ?? row(column.first);
  const low = Math.min(row(column.low), enters);
  const high = Math.max(row(column.high), enters);
  if (low === high) return new Map([[leaves, column.knownMs === 0 ? signs.moment : signs.flat]]);
  const drawn = new Map<number, string>();
  for (let at = low; at <= high; at++) drawn.set(at, signs.stem);
  const isPlain = low === Math.min(enters, leaves) && high === Math.max(enters, leaves);
  if (enters === leaves) drawn.set(enters, signs.both);
  else if (isPlain && leaves > enters) drawn.set(enters, signs.upFrom).set(leaves, signs.upTo);
  else if (isPlain) drawn.set(enters, signs.downFrom).set(leaves, signs.downTo);
  else drawn.set(enters, signs.in).set(leaves, signs.out);
  return drawn;
}

function lineSigns(columns: readonly (PriceColumn | null)[], row: (micros: bigint) => number, signs: Signs) {
  let before: number | null = null;
  return columns.map((column) => {
    const drawn = column === null ? new Map<number, string>() : columnSigns(column, before, row, signs);
    before = column === null ? null : row(column.last);
    return drawn;
  });
}

/** The two lines below the drawing: marks, and what they say. */
function timeAxis({ from, to }: PlotOptions, cells: number, signs: Signs): readonly [string, string] {
  const base = Array.from({ length: cells }, () => signs.base);
  let labels = "";
  for (const { at, label } of timeMarks(from, to, Math.max(1, Math.floor(cells / CELLS_A_MARK)))) {
    const cell = Math.min(cells - 1, Math.floor(((at - from) * cells) / Math.max(1, to - from)));
    const start = Math.max(0, cell - Math.floor(label.length / 2));
    if (start + label.length > cells) continue;
    base[cell] = signs.baseMark;
    labels = labels.padEnd(start) + label;
  }
  return [base.join(""), labels];
}

/** The price to compare with belongs into the drawing where it does not squash what is drawn. */
function levelShown(level: bigint | null, high: bigint): bigint | null {
  return level !== null && high * 4n >= level * 3n && level * 2n >= high ? level : null;
}

/**
 * A drawing with axes of how a price went: lines without a newline at the end, none longer than `width`. Blank where nothing is
 * known; empty where nothing is known at all, or where there is no room.
 */
export function pricePlot(held: readonly HeldPrice[], options: PlotOptions, painter: Painter): string {
  const signs = SIGNS[options.unicode ? "unicode" : "ascii"];
  const extent = extentOf(held.map(({ micros }) => micros));
  if (extent === null) return "";
  const level = levelShown(options.level, extent.high);
  const shown = level === null ? extent : (extentOf([extent.low, extent.high, level]) ?? extent);
  const axis = priceAxis(shown.low, shown.high);
  const rows = Math.max(1, Math.round(ROWS / axis.steps)) * axis.steps + 1;
  const labels = axisLabels(axis, options.currency);
  const margin = Math.max(...labels.map(textWidth));
  const cells = options.width - margin - 2;
  if (cells < NARROWEST) return "";
  const row = (micros: bigint) => rowOf(micros, axis, rows);
  const line = lineSigns(priceColumns(held, options.from, options.to, cells), row, signs);
  const perStep = (rows - 1) / axis.steps;
  const lines = Array.from({ length: rows }, (_, index) => {
    const at = rows - 1 - index;
    const label = at % perStep === 0 ? labels[at / perStep] : undefined;
    const edge = `${(label ?? "").padStart(margin)} ${label === undefined ? signs.axis : signs.mark}`;
    return painter.dim(edge) + paintedRow(line, at, level === null ? null : row(level), signs, painter);
  });
  const [base, times] = timeAxis(options, cells, signs);
  const below = [`${" ".repeat(margin + 1)}${signs.corner}${base}`, `${" ".repeat(margin + 2)}${times}`];
  return [...lines, ...below.map((text) => painter.dim(text.trimEnd()))].join("\n");
}

/** One row, cells of one kind painted together. */
function paintedRow(
  line: readonly ReadonlyMap<number, string>[],
  at: number,
  level: number | null,
  signs: Signs,
  painter: Painter,
): string {
  const cells = line.map((column) => column.get(at));
  const last = level === at ? cells.length - 1 : cells.findLastIndex((cell) => cell !== undefined);
  let text = "";
  for (let index = 0; index <= last; ) {
    const isDrawn = cells[index] !== undefined;
    let piece = "";
    for (; index <= last && (cells[index] !== undefined) === isDrawn; index++) piece += cells[index] ?? (level === at ? signs.level : " ");
    text += isDrawn ? painter.cyan(piece) : level === at ? painter.yellow(piece) : piece;
  }
  return text;
}
