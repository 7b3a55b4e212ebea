import { Problem } from "../../model/problem.ts";
import { deadline } from "../../platform/clock.ts";
import type { Reach } from "../../providers/provider.ts";
import type { VolumeRecord } from "../../state/records.ts";
import type { Fleet } from "../fleet.ts";
import { machineWith } from "./checkpoint-sync.ts";

/**
 * How long a file system is held still at the most, in seconds: what a cloud takes to accept, many times over, and no longer than
 * a workload can wait that writes to it.
 */
const HELD_SECONDS = 20;
const THAW_LIMIT_MS = 20_000;

/** What was done about the file system: `frozen` until the provider had accepted, only `synced` before, or nothing. */
export type Stillness = "frozen" | "synced" | "untouched";

/**
 * Does what takes a snapshot while the file system of a volume stands still, where a machine of ours has it mounted and can do
 * that: everything that was written is on the disk, and nothing is written to it until the provider has accepted. A machine that
 * cannot be asked is no reason to make none: what is sealed on the volume is on its disk in any case.
 */
export async function whileStill<Result>(
  fleet: Fleet,
  volume: VolumeRecord,
  signal: AbortSignal,
  work: () => Promise<Result>,
): Promise<{ readonly result: Result; readonly stillness: Stillness }> {
  const { freeze } = fleet.guest;
  const reach = freeze === undefined ? null : await machineWith(fleet, volume, signal);
  if (freeze === undefined || reach === null) return { result: await work(), stillness: "untouched" };
  const before = await freeze(reach, HELD_SECONDS, signal).catch((error: unknown) => {
    if (!(error instanceof Problem)) throw error;
    fleet.say(`volume ${volume.name}: its machine could not be told to write out what it has in memory (${error.message})`);
    return null;
  });
  if (before === null) return { result: await work(), stillness: "untouched" };
  if (!before.frozen) return { result: await work(), stillness: "synced" };
  let held = false;
  try {
    const result = await work();
    held = await thawed(fleet, reach);
    if (!held)
      fleet.say(`volume ${volume.name}: its file system was let go before its provider had accepted: a seal or a notice came first`);
    return { result, stillness: held ? "frozen" : "synced" };
  } catch (error) {
    await thawed(fleet, reach);
    throw error;
  }
}

/** Also after an interruption: it lets go by itself, but a workload should not wait for that. */
async function thawed(fleet: Fleet, reach: Reach): Promise<boolean> {
  const limit = deadline(new AbortController().signal, THAW_LIMIT_MS);
  try {
    return (await fleet.guest.thaw?.(reach, limit.signal)) ?? false;
  } catch {
    return false;
  } finally {
    limit.done();
  }
}
