import { existsSync, readFileSync } from "node:fs";

/** What a training wrote with `--trace`: a line for each start and each step, with the time. */
export interface Trace {
  /** How often it began. */
  readonly lives: number;
  /** The steps at which it began, life by life. */
  readonly starts: readonly number[];
  /** The step at which its last life began. */
  readonly begunAt: number;
  /** The last step that was done. */
  readonly lastStep: number;
  /** For each life but the last: seconds of work that had to be done once more. */
  readonly lost: readonly number[];
  /** For each life but the last: seconds from its last step to the first one of the next life. */
  readonly away: readonly number[];
}

/** Reads what there is so far; a file that is not there yet is a training that has not begun. */
export function readTrace(file: string): Trace {
  const starts: number[] = [];
  const lost: number[] = [];
  const away: number[] = [];
  /** Seconds of work, pauses between lives not counted, that lie in a step: of the last time that it was done. */
  const workAt = new Map<number, number>([[0, 0]]);
  let at = 0;
  let work = 0;
  let step = 0;
  let isFirst = false;
  for (const line of existsSync(file) ? readFileSync(file, "utf8").split("\n") : []) {
    const [, seconds, what, number] = /^([\d.]+) (start|step) (\d+)$/.exec(line) ?? [];
    if (what === undefined) continue;
    const time = Number(seconds);
    if (what === "start") {
      const from = workAt.get(Number(number)) ?? Number.NaN;
      if (starts.length > 0) {
        lost.push(work - from);
        away.push(-at);
      }
      starts.push(Number(number));
      work = from;
      isFirst = true;
    } else {
      work += time - at;
      if (isFirst && away.length > 0) away.push((away.pop() ?? 0) + time);
      isFirst = false;
      workAt.set(Number(number), work);
    }
    at = time;
    step = Number(number);
  }
  return { lives: starts.length, starts, begunAt: starts.at(-1) ?? 0, lastStep: step, lost, away };
}

/** `p50 0.12 s, max 0.34 s` */
export function shownSeconds(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const shown = (value: number | undefined): string => (value === undefined ? "-" : `${value.toFixed(2)} s`);
  return `p50 ${shown(sorted[Math.floor((sorted.length - 1) / 2)])}, max ${shown(sorted.at(-1))}`;
}
