import { stripControl } from "../platform/terminal.ts";
import { textWidth } from "./text-width.ts";
import type { Painter, View } from "./view.ts";

/** One line of a block: a label and what stands beside it. A row without a value is left out. */
export interface DetailRow {
  readonly label: string;
  /** Several lines are set below each other; null and the empty text leave the row out. */
  readonly value: string | readonly string[] | null;
  readonly paint?: (text: string, painter: Painter) => string;
}

/** A few rows under a title; the first block of a view usually has none. */
export interface DetailBlock {
  readonly title?: string;
  readonly rows: readonly DetailRow[];
}

export interface DetailViewParts {
  readonly schema: string;
  readonly data: unknown;
  readonly blocks: readonly DetailBlock[];
}

/** Breaks at spaces so that no line passes `width` cells, and wherever the text does; a single long word stays whole, so that it can be copied. */
export function wrap(text: string, width: number): readonly string[] {
  return text.split("\n").flatMap((line) => wrapLine(line, width));
}

function wrapLine(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && textWidth(longer) > width) {
      lines.push(line);
      line = word;
    } else {
      line = longer;
    }
  }
  return [...lines, line];
}

function linesOf(row: DetailRow): readonly string[] {
  const values = row.value === null ? [] : typeof row.value === "string" ? [row.value] : row.value;
  return values.map((value) => stripControl(value).trimEnd()).filter((value) => value !== "");
}

/** Key/value blocks as people read them: labels dim, values in one column, blocks apart by an empty line. */
export function detailText(blocks: readonly DetailBlock[], painter: Painter, width: number): string {
  const filled = blocks.map((block) => ({ ...block, rows: block.rows.filter((row) => linesOf(row).length > 0) }));
  const visible = filled.filter((block) => block.rows.length > 0);
  const labelWidth = Math.max(0, ...visible.flatMap((block) => block.rows.map((row) => textWidth(row.label))));
  const room = Math.max(20, width - labelWidth - 2);
  const blockText = ({ title, rows }: DetailBlock) => {
    const lines = rows.flatMap((row) =>
      linesOf(row)
        .flatMap((line) => wrap(line, room))
        .map((line, index) => {
          const label = (index === 0 ? row.label : "").padEnd(labelWidth);
          return `${painter.dim(label)}  ${row.paint === undefined ? line : row.paint(line, painter)}`;
        }),
    );
    return [...(title === undefined ? [] : [painter.bold(title)]), ...lines].join("\n");
  };
  return visible.map(blockText).join("\n\n");
}

/** A view of one thing: its JSON for scripts, key/value blocks for people. */
export function detailView(parts: DetailViewParts): View {
  return {
    schema: parts.schema,
    data: parts.data,
    render: (painter, width) => detailText(parts.blocks, painter, width),
  };
}
