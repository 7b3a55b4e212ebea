import { wrap } from "./detail-view.ts";
import type { Column, ListData, View } from "./view.ts";

export interface ListViewParts<Item> {
  /** For example `spot.instances/1`. */
  readonly schema: string;
  readonly items: readonly Item[];
  /** JSON-safe: no bigint, times as ISO-8601 texts. */
  readonly toJson: (item: Item) => unknown;
  readonly columns: readonly Column<Item>[];
  /** What people read when there is nothing to list. */
  readonly empty: string;
  /** A line below the table, for people only: a total, or what the figures mean. */
  readonly footer?: string;
}

function listData<Item>(columns: readonly Column<Item>[], items: readonly Item[]): ListData {
  return {
    keys: columns.map((column) => column.key),
    headers: Object.fromEntries(columns.map((column) => [column.key, column.header])),
    rows: items.map((item) => Object.fromEntries(columns.map((column) => [column.key, column.value(item)]))),
  };
}

/** A view of many things of one kind: an array for scripts, a table for people. The table library is loaded only for a table. */
export function listView<Item>(parts: ListViewParts<Item>): View {
  const { items, columns } = parts;
  return {
    schema: parts.schema,
    data: items.map(parts.toJson),
    // Made when asked for: JSON needs none of these texts.
    get list() {
      return listData(columns, items);
    },
    async render(painter, width, options) {
      if (items.length === 0) return parts.empty;
      const shown = columns.filter((column) => column.hidden !== true);
      const { tableText } = await import("./table.ts");
      const table = tableText(
        {
          columns: shown.map(({ header, align, drop }) => ({ header, align: align ?? "left", drop: drop ?? 0 })),
          rows: items.map((item) => shown.map((column) => column.value(item))),
          paint(text, row, column) {
            const item = items[row];
            const paint = shown[column]?.paint;
            return paint === undefined || item === undefined ? text : paint(text, item, painter);
          },
        },
        painter,
        width,
        options?.header ?? true,
      );
      if (parts.footer === undefined) return table;
      const footer = wrap(parts.footer, width).map((line) => painter.dim(line));
      return `${table}\n\n${footer.join("\n")}`;
    },
  };
}
