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
// then the characters that reorder text. Spelt as text, so that no control character stands in a pattern.
const UNSAFE = [
  "\\u001b\\[[0-?]*[ -/]*[@-~]",
  "\\u001b\\][^\\u0007\\u001b]*(?:\\u0007|\\u001b\\\\)",
  "\\u001b[PX^_][^\\u001b]*\\u001b\\\\",
  "\\u001b.",
  "[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u202a-\\u202e\\u2066-\\u2069]",
].join("|");

/** What a cloud or a machine says, made safe to show: no terminal escapes, no control or bidi characters. */
export function stripControl(text: string): string {
  return text.replace(new RegExp(UNSAFE, "gsu"), "");
}
