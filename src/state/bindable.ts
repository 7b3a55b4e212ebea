type Bindable = string | number | bigint | null;

/**
 * What both databases can keep as it is. SQLite's binding ends the whole process on a boolean and rounds big integers without
 * a word, so both are refused. It ends a text at a NUL, and PostgreSQL takes none, so that becomes the replacement character.
 * @throws TypeError for anything else.
 */
export function bindable(value: unknown): Bindable {
  if (value === null) return value;
  if (typeof value === "string") return value.replaceAll("\0", "\ufffd");
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (typeof value === "bigint" && value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)) return value;
  throw new TypeError(`cannot store a ${typeof value} in the database: ${String(value)}`);
}
