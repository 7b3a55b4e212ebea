import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "./clock.ts";
import { readFileIfThere } from "./files.ts";

/** The last pass that somebody made over this home's fleet. */
export interface Pulse {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly pid: number;
  /** Which command made it. */
  readonly by: string;
  /** What did not work in it, or null. */
  readonly trouble: string | null;
}

/** A pass is noted no more often than this: it is for people, who ask by the minute. */
const NOTED_EVERY_MS = 30_000;

const pulseFile = (home: string) => join(home, "pulse.json");

/**
 * Notes the passes of one process in a file below `home`, at most one every 30 s. It is not flushed: after a power cut nobody
 * asks when the last pass was. What cannot be written is let go, since a full disk is no reason to stop answering notices.
 */
export function notePasses(world: { readonly home: string; readonly pid: number; readonly clock: Clock }, by: string) {
  const file = pulseFile(world.home);
  let last = Number.NEGATIVE_INFINITY;
  return async (trouble: string | null): Promise<void> => {
    const now = world.clock.monotonic();
    if (now - last < NOTED_EVERY_MS) return;
    last = now;
    const pulse: Pulse = { at: world.clock.now(), pid: world.pid, by, trouble };
    const temporary = `${file}.${world.pid}.tmp`;
    try {
      await writeFile(temporary, `${JSON.stringify(pulse)}\n`, { mode: 0o600 });
      await rename(temporary, file);
    } catch {
      await rm(temporary, { force: true }).catch(() => undefined);
    }
  };
}

/** The last pass that was noted; undefined when there was none, or when the file says nothing that can be read. */
export async function readPulse(home: string): Promise<Pulse | undefined> {
  try {
    const content: unknown = JSON.parse((await readFileIfThere(pulseFile(home))) ?? "null");
    if (typeof content !== "object" || content === null || !("at" in content) || !("pid" in content)) return undefined;
    const { at, pid } = content;
    const { by, trouble } = content as { readonly by?: unknown; readonly trouble?: unknown };
    if (typeof at !== "number" || typeof pid !== "number") return undefined;
    return { at, pid, by: typeof by === "string" ? by : "", trouble: typeof trouble === "string" ? trouble : null };
  } catch {
    return undefined;
  }
}
