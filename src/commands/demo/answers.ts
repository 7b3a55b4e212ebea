/** The field of a JSON answer, undefined when it is not there. */
export function field(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null && key in value ? (value as Readonly<Record<string, unknown>>)[key] : undefined;
}

/** A text deep inside a JSON answer; empty when it is not there. */
export function text(value: unknown, ...path: readonly string[]): string {
  const found = path.reduce(field, value);
  return found === undefined || found === null ? "" : String(found);
}

/** The items of an answer that is a list. */
export function records(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Milliseconds as "1.2 s". */
export function seconds(ms: number): string {
  return `${(Math.max(0, ms) / 1000).toFixed(1)} s`;
}
