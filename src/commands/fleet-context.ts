import { hostname } from "node:os";
import type { Fleet } from "../fleet/fleet.ts";
import { parseDuration } from "../model/duration.ts";
import { guardOf } from "../model/guard.ts";
import { notFoundProblem, usageProblem } from "../model/problem.ts";
import type { InstanceRow } from "../output/instances-view.ts";
import { type CostEntry, costByInstance } from "../pricing/instance-cost.ts";
import type { ListedGuard } from "../state/listing.ts";
import type { InstanceRecord, ListedRecord } from "../state/records.ts";
import type { CommandContext } from "./command.ts";

/** The fleet as a command drives it: this database, these providers, the real machines. */
export async function openFleet(context: CommandContext): Promise<Fleet> {
  const { world } = context;
  // Loaded here: whoever only reads the records (`ls`) needs neither machines nor processes.
  const [state, { createGuestDoor }, { leasesOf }, { exchangeRate }] = await Promise.all([
    context.state(),
    import("../fleet/guest-door.ts"),
    import("./lease-owner.ts"),
    import("./exchange-rate.ts"),
  ]);
  // What copies checkpoints is loaded by whoever copies one.
  const travel = async () => (await import("../fleet/climbing/direct-travel.ts")).directTravel(fleet, world);
  const fleet: Fleet = {
    state,
    provider: (id) => context.provider(id),
    guest: createGuestDoor(world, (text) => context.progress.warn(text)),
    clock: world.clock,
    rng: world.rng,
    ...leasesOf(world),
    looks: new Map(),
    exchange: await exchangeRate(context),
    travel: {
      source: async (...asked) => (await travel()).source(...asked),
      bring: async (...asked) => (await travel()).bring(...asked),
    },
    say: (text) => context.progress.step(text),
  };
  // Two homes on one computer have a key each.
  if ((world.env["SPOT_STATE_URL"] ?? "") !== "")
    await import("../fleet/peers.ts").then(({ introduce }) => introduce(fleet, `${hostname()}:${world.home}`, world.signal));
  return fleet;
}

/** The record of that name. @throws Problem (exit 9) when there is none, or only gone ones unless `orGone`. */
export async function namedInstance(context: CommandContext, name: string, orGone = false): Promise<InstanceRecord> {
  const state = await context.state();
  const record = await state.instanceByName(name);
  if (record !== undefined && (orGone || record.state !== "gone")) return record;
  const known = (await state.instances()).map((candidate) => candidate.name);
  throw notFoundProblem(
    "instance",
    name,
    known.length === 0 ? ["spot up"] : ["spot ls", ...known.slice(0, 3).map((other) => `spot show ${other}`)],
  );
}

/** The first positional argument. @throws Problem (usage) when it is missing. */
export function requiredName(context: CommandContext): string {
  const [name] = context.args;
  if (name === undefined) throw usageProblem("the name of an instance is missing", "spot ls shows the names");
  return name;
}

/** A duration flag in milliseconds. @throws Problem (usage). */
export function durationOption(context: CommandContext, key: string, fallback: number): number {
  const text = context.options[key];
  if (typeof text !== "string") return fallback;
  try {
    return parseDuration(text);
  } catch (error) {
    throw usageProblem(`--${key}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Records with what they have cost and who guards them, ready to show. Ledger and guards are read unless they are given. */
export async function instanceRows(
  context: CommandContext,
  records: readonly ListedRecord[],
  known?: readonly CostEntry[],
  guards?: () => Promise<readonly ListedGuard[]>,
): Promise<readonly InstanceRow[]> {
  const now = context.world.clock.now();
  const [only] = records;
  const filter = records.length === 1 && only !== undefined ? { instanceId: only.id } : {};
  const ledger = known ?? (await (await context.state()).ledger(filter));
  const costs = costByInstance(ledger, now);
  // Most fleets have none.
  const isGuarded = records.some(({ ttlEndsAt, idleMs }) => ttlEndsAt !== null || idleMs !== null);
  const heard = isGuarded ? await (guards ?? (async () => (await context.state()).guards(filter)))() : [];
  // What was heard of the machine before says nothing of this one.
  const machineOf = (id: string, providerId: string | null) => `${id} ${providerId}`;
  const seen = new Map(heard.map((guard) => [machineOf(guard.instanceId, guard.providerId), guard]));
  return records.map((record) => {
    const guard = guardOf(record, seen.get(machineOf(record.id, record.providerId)), now);
    return { record, cost: costs.get(record.id), now, guard };
  });
}
