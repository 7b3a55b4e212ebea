/** Colours that may be off: each function returns its text, painted or plain. */
export interface Painter {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
}

export interface Column<Item> {
  /** The word in `-o columns=…`. */
  readonly key: string;
  readonly header: string;
  readonly value: (item: Item) => string;
  readonly align?: "left" | "right";
  /** Dropped first when the terminal is narrow: the higher, the sooner. 0 stays always. */
  readonly drop?: number;
  /** Only shown when named in `-o columns=…`. */
  readonly hidden?: boolean;
  readonly paint?: (text: string, item: Item, painter: Painter) => string;
}

/** How a rendering is wanted. */
export interface RenderOptions {
  /** False leaves the header line of a list away (`--no-header`). */
  readonly header: boolean;
}

/** A command's answer: data for scripts, a rendering for people. */
export interface View {
  /** For example `spot.instances/1`. */
  readonly schema: string;
  /** JSON-safe. */
  readonly data: unknown;
  /** What the document says besides its data, for example who could not be asked. */
  readonly beside?: Readonly<Record<string, unknown>>;
  /** For a terminal of `width` columns; ends without a newline. Empty means: say nothing. */
  render(painter: Painter, width: number, options?: RenderOptions): string | Promise<string>;
  /** Rows as text, by column key, for `-o columns=a,b` and NDJSON; absent when the view is not a list. */
  readonly list?: ListData;
}

export interface ListData {
  readonly keys: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  readonly rows: readonly Readonly<Record<string, string>>[];
}
