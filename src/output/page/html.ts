import { stripControl } from "../../platform/terminal.ts";

/** A piece of a page that is HTML already; a plain text is not, and is escaped wherever it is put in. */
export interface Html {
  readonly html: string;
}

const ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/**
 * A text that stands for itself in HTML and SVG, between tags and in a quoted attribute. Names come from clouds and from
 * whoever names a machine: controls and marks that reorder text are taken out.
 */
export function escaped(text: string): string {
  return stripControl(text).replace(/[&<>"']/g, (sign) => ESCAPES[sign] ?? "");
}

type Piece = string | number | Html | readonly Html[];

function pieceHtml(piece: Piece): string {
  if (typeof piece === "string") return escaped(piece);
  if (typeof piece === "number") return String(piece);
  if ("html" in piece) return piece.html;
  return piece.map((one) => one.html).join("");
}

/** HTML from a template: what is put in is escaped unless it is HTML itself. */
export function html(parts: TemplateStringsArray, ...pieces: readonly Piece[]): Html {
  return { html: parts.map((part, index) => `${part}${index < pieces.length ? pieceHtml(pieces[index] ?? "") : ""}`).join("") };
}
