/** One output stream as the program sees it. */
export interface OutputStream {
  readonly isTTY: boolean;
  /** Width in columns; 80 when unknown. */
  readonly columns: number;
  /** The stream itself, for libraries that draw on a terminal; absent where nothing may be drawn. */
  readonly node?: NodeJS.WriteStream;
  write(text: string): void;
}

// Escape sequences (CSI, OSC, DCS and the two-character ones), then C0 and C1 controls other than tab and newline,
// then the characters that reorder text or break lines. Spelt as text, so that no control character stands in a pattern.
const UNSAFE = [
  "\\u001b\\[[0-?]*[ -/]*[@-~]",
  "\\u001b\\][^\\u0007\\u001b]*(?:\\u0007|\\u001b\\\\)",
  "\\u001b[PX^_][^\\u001b]*\\u001b\\\\",
  "\\u001b.",
  "[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]",
].join("|");

/** What a cloud or a machine says, made safe to show: no terminal escapes, no control or bidi characters. */
export function stripControl(text: string): string {
  return text.replace(new RegExp(UNSAFE, "gsu"), "");
}

const LONGEST_LINE = 500;

/** The same for a place that has one line: line breaks become spaces, and what is longer than anybody reads is cut. */
export function safeLine(text: string): string {
  const line = stripControl(text).replaceAll(/\s+/g, " ").trim();
  return line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE)}…` : line;
}

const OBEYED = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Whether a terminal would obey something in a text that JSON and YAML leave as it is: controls above U+007E, marks that reorder. */
export function hasObeyedSigns(text: string): boolean {
  return text.search(OBEYED) >= 0;
}

/** The same signs in the spelling that they have between the quotes of JSON and YAML. */
export function escapedSigns(text: string): string {
  // Of ASCII it is one sign; the pattern's first run over the list of a thousand instances takes a thirtieth of `ls`.
  if (Buffer.byteLength(text) === text.length && !text.includes("\u007f")) return text;
  return text.replace(OBEYED, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** JSON that may be written to a screen as well as into a pipe: the text is whole for whoever parses it. */
export function safeJson(value: unknown, indent = 0): string {
  return escapedSigns(JSON.stringify(value, null, indent));
}
