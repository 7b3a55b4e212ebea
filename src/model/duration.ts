const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const PART = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/gy;
const LONGEST_MS = 366 * 86_400_000;

/**
 * Reads "8h", "30m", "90s", "1h30m", "250ms" into milliseconds.
 * @throws RangeError on anything else, on zero, and on more than 366 days.
 */
export function parseDuration(text: string): number {
  const source = text.trim().toLowerCase();
  let total = 0;
  let end = 0;
  PART.lastIndex = 0;
  for (let match = PART.exec(source); match !== null; match = PART.exec(source)) {
    total += Number(match[1]) * (UNIT_MS[match[2] ?? ""] ?? 0);
    end = PART.lastIndex;
  }
  if (source === "" || end !== source.length) throw new RangeError(`not a duration: ${JSON.stringify(text)} (write 90s, 30m, 8h or 1h30m)`);
  if (total <= 0 || total > LONGEST_MS)
    throw new RangeError(`a duration must be more than zero and at most 366 days: ${JSON.stringify(text)}`);
  return Math.round(total);
}

/** For people, two units at most: "45s", "8m 20s", "3h 5m", "2d 4h". Under ten seconds with one decimal. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  const units: readonly (readonly [number, string])[] = [
    [86_400, "d"],
    [3600, "h"],
    [60, "m"],
    [1, "s"],
  ];
  const first = units.findIndex(([size]) => whole >= size);
  const [size, unit] = units[first] ?? [1, "s"];
  const [nextSize, nextUnit] = units[first + 1] ?? [1, "s"];
  const rest = Math.floor((whole % size) / nextSize);
  return rest === 0 ? `${Math.floor(whole / size)}${unit}` : `${Math.floor(whole / size)}${unit} ${rest}${nextUnit}`;
}
