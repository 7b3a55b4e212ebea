import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** How many instances a zone had capacity for, tick by tick. */
export interface Trace {
  /** `us-west-2b` of `us-west-2b_v100_1.json`. */
  readonly zone: string;
  readonly gapMs: number;
  readonly counts: readonly number[];
  /** The most it ever had: as many instances are held in it. */
  readonly nodes: number;
}

/** From `at` (milliseconds into a window) on there is capacity for so many. */
export interface Change {
  readonly at: number;
  readonly count: number;
}

/**
 * Reads the traces of a folder of spot-traces. A value above 0 means AVAILABLE there; other copies of these traces have it the
 * other way round, so the mean of every file is held against `stats.csv`.
 * @throws Error for a file whose mean is another one.
 */
export function readTraces(root: string, set: string): readonly Trace[] {
  const stats = new Map(
    readFileSync(join(root, "stats.csv"), "utf8")
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => line.split(","))
      .map((fields) => [fields[0], { all: Number(fields[6]), some: Number(fields[7]) }]),
  );
  const names = readdirSync(join(root, set)).filter((name) => name.endsWith(".json"));
  return names.sort().map((name) => {
    const { metadata, data } = JSON.parse(readFileSync(join(root, set, name), "utf8"));
    const counts: readonly number[] = data;
    const nodes = Math.max(...counts);
    const wanted = stats.get(`${set}/${name}`);
    const share = (holds: (count: number) => boolean) => counts.filter(holds).length / counts.length;
    const [some, all] = [share((count) => count > 0), share((count) => count === nodes)];
    if (wanted === undefined || Math.abs(some - wanted.some) > 1e-4 || Math.abs(all - wanted.all) > 1e-4)
      throw new Error(`${set}/${name}: available ${some.toFixed(4)} of the time, stats.csv says ${wanted?.some}: is the sign inverted?`);
    return { zone: name.replace(/_.*$/, ""), gapMs: metadata.gap_seconds * 1000, counts, nodes };
  });
}

export const hasTraces = (root: string) => existsSync(join(root, "stats.csv"));

const tickAt = ({ gapMs, counts }: Trace, at: number) => counts[Math.min(counts.length - 1, Math.floor(at / gapMs))] ?? 0;

/** What happens to a zone in a window, its state at the beginning first. */
export function changesIn(trace: Trace, fromMs: number, lengthMs: number): readonly Change[] {
  const changes: Change[] = [{ at: 0, count: tickAt(trace, fromMs) }];
  for (let tick = Math.floor(fromMs / trace.gapMs) + 1; tick * trace.gapMs < fromMs + lengthMs; tick++) {
    const count = trace.counts[tick] ?? 0;
    if (count !== changes.at(-1)?.count) changes.push({ at: tick * trace.gapMs - fromMs, count });
  }
  return changes;
}

/** Instance-time with capacity in a window, and how many instances lost theirs. */
export function capacityOf(changes: readonly Change[], windowMs: number): { readonly capacityMs: number; readonly falls: number } {
  let capacityMs = 0;
  let falls = 0;
  for (const [index, { at, count }] of changes.entries()) {
    capacityMs += count * ((changes[index + 1]?.at ?? windowMs) - at);
    falls += Math.max(0, count - (changes[index + 1]?.count ?? count));
  }
  return { capacityMs, falls };
}

/** How long all of these traces last together. */
export const lengthMs = (traces: readonly Trace[]) => Math.min(...traces.map(({ gapMs, counts }) => gapMs * counts.length));

/** Mean time between losses of one instance over all traces, in milliseconds: time up / changes downwards, by instance. */
export function meanRunMs(traces: readonly Trace[]): number {
  let up = 0;
  let losses = 0;
  for (const { gapMs, counts } of traces)
    for (const [index, count] of counts.entries()) {
      up += count * gapMs;
      losses += Math.max(0, count - (counts[index + 1] ?? count));
    }
  return up / Math.max(1, losses);
}
