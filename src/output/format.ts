import { suggestion } from "../model/nearest.ts";
import { usageProblem } from "../model/problem.ts";
import { safeJson } from "../platform/terminal.ts";
import { plainPainter } from "./painter.ts";
import type { ListData, Painter, View } from "./view.ts";

/** What `-o` chose. */
export type OutputFormat =
  | { readonly kind: "table" | "json" | "ndjson" | "yaml" }
  | { readonly kind: "columns"; readonly keys: readonly string[] };

const FORMATS = ["table", "json", "ndjson", "yaml", "columns=…"] as const;

/** @throws Problem (usage) for a format that does not exist. */
export function parseOutputFormat(text: string): OutputFormat {
  if (text === "table" || text === "json" || text === "ndjson" || text === "yaml") return { kind: text };
  const keys = text.startsWith("columns=")
    ? text
        .slice("columns=".length)
        .split(",")
        .map((key) => key.trim())
        .filter((key) => key !== "")
    : [];
  if (keys.length > 0) return { kind: "columns", keys };
  throw usageProblem(`there is no output format ${JSON.stringify(text)}`, suggestion(text, FORMATS));
}

/** True when stdout is read by a program: no questions, no progress, errors as JSON. */
export function isMachineFormat(format: OutputFormat): boolean {
  return format.kind === "json" || format.kind === "ndjson" || format.kind === "yaml";
}

/** How a view is put on paper. */
export interface Paper {
  readonly format: OutputFormat;
  readonly painter: Painter;
  readonly width: number;
  readonly header: boolean;
  /** JSON for people's eyes; programs get one line. */
  readonly indent: boolean;
}

/** The view's whole text, newline included; empty when there is nothing to say. */
export async function viewText(view: View, paper: Paper): Promise<string> {
  const { format } = paper;
  switch (format.kind) {
    case "json":
      return `${safeJson({ schema: view.schema, data: view.data, ...view.beside }, paper.indent ? 2 : 0)}\n`;
    case "ndjson":
      return ndjson(view);
    case "yaml": {
      const { yamlText } = await import("./yaml-text.ts");
      return yamlText({ schema: view.schema, data: view.data, ...view.beside });
    }
    case "columns":
      return withNewline(await columnsText(view.list, format.keys, paper.header));
    case "table":
      return withNewline(await view.render(paper.painter, paper.width, { header: paper.header }));
  }
}

function withNewline(text: string): string {
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}

/** A list becomes one item a line, anything else one line with its schema. */
function ndjson(view: View): string {
  if (!Array.isArray(view.data)) return `${safeJson({ schema: view.schema, data: view.data, ...view.beside })}\n`;
  return view.data.map((item) => `${safeJson(item)}\n`).join("");
}

async function columnsText(list: ListData | undefined, keys: readonly string[], header: boolean): Promise<string> {
  if (list === undefined) throw usageProblem("this command's answer has no columns", "use -o table, json or yaml");
  for (const key of keys)
    if (!list.keys.includes(key)) throw usageProblem(`there is no column ${JSON.stringify(key)}`, suggestion(key, list.keys));
  if (list.rows.length === 0) return "";
  const { tableText } = await import("./table.ts");
  return tableText(
    {
      columns: keys.map((key) => ({ header: list.headers[key] ?? key, align: "left", drop: 0 })),
      rows: list.rows.map((row) => keys.map((key) => row[key] ?? "")),
    },
    plainPainter,
    Number.POSITIVE_INFINITY,
    header,
  );
}
