import type { RungName } from "../model/comeback.ts";
import { durationText } from "../model/duration.ts";
import { type ReadyBy, type Wake, type WakeTimes, wakePhasesText } from "../model/wake.ts";
import { isoTime } from "./json.ts";

const RUNGS: Readonly<Record<RungName, string>> = {
  "same-machine": "on the same machine",
  "same-zone": "on another machine in its zone",
  snapshot: "from a snapshot",
  copy: "elsewhere, from a copy of its checkpoint",
  "on-demand": "on demand",
};

const READY: Readonly<Record<ReadyBy, string>> = {
  http: "--ready-http answered",
  command: "--ready-cmd ended well",
  started: "its command was started; nothing else was asked for",
  agent: "its agent answered; it has no command",
};

/** What "ready" meant in a wake. */
export function readyText(by: readonly ReadyBy[]): string {
  return by.map((one) => READY[one]).join(" and ");
}

/** One wake in a few words: how it ended, by which way, and where its time went. */
export function wakeText(wake: Wake): string {
  const { outcome, rung, during } = wake;
  const end = { ready: "serving", asleep: `put back to sleep during ${during}`, ended: `ended during ${during}` }[outcome];
  return `${end}${rung === null ? "" : ` ${RUNGS[rung]}`} after ${wakePhasesText(wake)}`;
}

/** Below this many the 95th percentile is simply the slowest. */
const ENOUGH = 20;

/** The middle and the slow end of its wakes, and of how many that is said. */
export function wakeTimesText({ served, failed, p50Ms, p95Ms }: WakeTimes): string {
  const lost = failed === 0 ? "" : `${served === 0 ? "" : "; "}${failed} did not come to serve`;
  if (p50Ms === null || p95Ms === null) return lost;
  if (served === 1) return `${durationText(p50Ms)}, the only one so far${lost}`;
  return `p50 ${durationText(p50Ms)}, p95 ${durationText(p95Ms)} of ${served}${served < ENOUGH ? ` (so few: p95 is the slowest)` : ""}${lost}`;
}

const seconds = (ms: number) => Math.round(ms) / 1000;

/** One wake as `spot.instance/1` promises it. */
export function wakeJson(wake: Wake): Readonly<Record<string, unknown>> {
  const { startedAt, endedAt, outcome, during, rung, readyBy, provider, zone, phases } = wake;
  return {
    startedAt: isoTime(startedAt),
    endedAt: isoTime(endedAt),
    outcome,
    during,
    rung,
    readyBy,
    provider,
    zone,
    totalSeconds: seconds(endedAt - startedAt),
    phases: phases.map(({ phase, ms }) => ({ phase, seconds: seconds(ms) })),
  };
}

/** All of an instance's wakes. */
export function wakesJson(wakes: readonly Wake[], { served, failed, p50Ms, p95Ms }: WakeTimes): Readonly<Record<string, unknown>> {
  const last = wakes.at(-1);
  return {
    served,
    failed,
    p50Seconds: p50Ms === null ? null : seconds(p50Ms),
    p95Seconds: p95Ms === null ? null : seconds(p95Ms),
    last: last === undefined ? null : wakeJson(last),
  };
}
