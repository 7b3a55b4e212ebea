import { eachOf } from "../checkpoints/bounded.ts";
import { decide } from "./deciding/decide.ts";
import type { Action } from "./deciding/decision.ts";
import { neighbourhoodOf } from "./deciding/history.ts";
import type { Fleet } from "./fleet.ts";
import { listAll } from "./hearing/listings.ts";
import { isWriting, type Silent, silentOf } from "./hearing/look.ts";
import { noPace } from "./hearing/pace.ts";
import { LATE_MS } from "./intent.ts";
import { observe } from "./observe.ts";
import { type Stray, straysAmong } from "./orphans/strays.ts";

/** What a pass would do next about one instance. */
export interface Rehearsed {
  readonly instance: string;
  readonly action: Action["do"];
  readonly why: string;
}

export interface Rehearsal {
  readonly items: readonly Rehearsed[];
  /** Machines that would be ended. */
  readonly strays: readonly Stray[];
  readonly silent: readonly Silent[];
}

const AT_ONCE = 16;
/** Steps that leave everything as it is: to wait, and to write down what was seen. */
export function changesNothing(action: Action["do"]): boolean {
  return action === "rest" || action === "wait" || action === "await-capacity" || isWriting(action);
}

/**
 * The first step that `reconcile` would do about each record, and the machines that it would end: looked at and decided in the
 * same way, and nothing done or written. What follows from a step is not foreseen.
 * @throws Problem when credentials are refused.
 */
export async function rehearse(fleet: Fleet, signal: AbortSignal): Promise<Rehearsal> {
  const records = await fleet.state.instances();
  const promised = await fleet.state.promisedProviders(fleet.clock.now() - LATE_MS);
  const listings = await listAll([...records.map((record) => record.provider), ...promised], fleet, noPace(), signal);
  const among: Fleet = { ...fleet, neighbours: neighbourhoodOf(records, fleet.clock.now()) };
  const items: Rehearsed[] = [];
  await eachOf(records, AT_ONCE, async (record) => {
    const seen = await observe(among, record, signal, listings.get(record.provider));
    if (seen.cloud.kind === "silent" && seen.cloud.problem !== undefined) throw seen.cloud.problem;
    const { action, why } = decide(record, seen);
    items.push({ instance: record.name, action: action.do, why });
  });
  return { items, strays: await straysAmong(fleet, listings, records), silent: silentOf(listings) };
}
