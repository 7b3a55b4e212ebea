import Table from "cli-table3";
import { stripControl } from "../platform/terminal.ts";
import { textWidth, truncate } from "./text-width.ts";
import type { Painter } from "./view.ts";

/** One column as text, before it is fitted. */
export interface TableColumn {
  readonly header: string;
  readonly align: "left" | "right";
  /** The higher, the sooner it is left out of a narrow terminal; 0 stays. */
  readonly drop: number;
}

export interface TableContent {
  readonly columns: readonly TableColumn[];
  /** One text per column; whatever a cloud or a machine said is made safe here. */
  readonly rows: readonly (readonly string[])[];
  /** Paints a fitted cell; gets the row's and the column's index. */
  readonly paint?: (text: string, row: number, column: number) => string;
}

const GAP = 2;
/** No column is cut below this. */
const NARROWEST = 8;

/** One line of text: tabs and newlines become spaces, escapes vanish. */
export function oneLine(text: string): string {
  return stripControl(text.replace(/\s+/g, " ")).trim();
}

function totalWidth(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, 0) + GAP * Math.max(0, widths.length - 1);
}

/** Which columns stay, and how wide each may be. Columns go in order of `drop`, from the right; then the widest is cut. */
export function fitColumns(columns: readonly Pick<TableColumn, "drop">[], natural: readonly number[], width: number) {
  let kept = columns.map((_, index) => index);
  const widths = [...natural];
  const current = () => kept.map((index) => widths[index] ?? 0);
  while (totalWidth(current()) > width) {
    const highest = Math.max(...kept.map((index) => columns[index]?.drop ?? 0));
    if (highest <= 0) break;
    const victim = kept.findLast((index) => columns[index]?.drop === highest);
    kept = kept.filter((index) => index !== victim);
  }
  for (let excess = totalWidth(current()) - width; excess > 0; excess--) {
    const widest = kept.reduce((best, index) => ((widths[index] ?? 0) > (widths[best] ?? 0) ? index : best), kept[0] ?? 0);
    if ((widths[widest] ?? 0) <= NARROWEST) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return { kept, widths };
}

const NO_LINES = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: " ".repeat(GAP),
};

/** The library's time grows with the square of the lines that it is given, so it is given this many at a time. */
const LINES_AT_A_TIME = 100;

function drawn(lines: readonly (readonly string[])[]): string {
  const table = new Table({
    chars: NO_LINES,
    style: { head: [], border: [], compact: true, "padding-left": 0, "padding-right": 0 },
  });
  table.push(...lines.map((cells) => [...cells]));
  return table.toString();
}

/** A borderless table that fits `width` cells: dim header, two spaces between columns, no trailing spaces, no last newline. */
export function tableText(content: TableContent, painter: Painter, width: number, header: boolean): string {
  const cells = content.rows.map((row) => row.map(oneLine));
  const natural = content.columns.map((column, index) =>
    // Not by spreading: there may be more rows than a call takes arguments.
    cells.reduce((widest, row) => Math.max(widest, textWidth(row[index] ?? "")), header ? textWidth(column.header) : 0),
  );
  const { kept, widths } = fitColumns(content.columns, natural, width);
  // Filled up here, so that the columns of all pieces are of one width.
  const cell = (plain: string, column: number, paint: (text: string) => string) => {
    const text = truncate(plain, widths[column] ?? 0);
    const space = " ".repeat(Math.max(0, (widths[column] ?? 0) - textWidth(text)));
    const painted = text === "" ? text : paint(text);
    return content.columns[column]?.align === "right" ? `${space}${painted}` : `${painted}${space}`;
  };
  const heads = kept.map((index) => cell(content.columns[index]?.header ?? "", index, painter.dim));
  const lines = cells.map((row, rowIndex) =>
    kept.map((index) => cell(row[index] ?? "", index, (text) => content.paint?.(text, rowIndex, index) ?? text)),
  );
  const all = header ? [heads, ...lines] : lines;
  const pieces = Array.from({ length: Math.ceil(all.length / LINES_AT_A_TIME) }, (_, piece) =>
    drawn(all.slice(piece * LINES_AT_A_TIME, (piece + 1) * LINES_AT_A_TIME)),
  );
  return pieces.join("\n").replace(/ +$/gm, "");
}
