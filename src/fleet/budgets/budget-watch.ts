import { moneyJson, moneyText } from "../../model/money.ts";
import { NEAR_PERCENT, type Standing, standing } from "../../pricing/budget.ts";
import { isInScope, scopeName } from "../../pricing/budget-scope.ts";
import { BUNDLED_RATE, compareMoney, type ExchangeRate } from "../../pricing/currency.ts";
import type { Capabilities } from "../../providers/provider.ts";
import type { BudgetRecord, InstanceRecord, LedgerRecord, NewEvent } from "../../state/records.ts";
import type { Fleet } from "../fleet.ts";
import { whileHolding } from "../leases/lease.ts";
import type { Listing } from "../observe.ts";
import { wish } from "../wish.ts";
import { BUDGETS_LEASE } from "./budget-guard.ts";

/** Each of these, in percent of the cap, is told of once. */
const LEVELS = [50, NEAR_PERCENT, 100] as const;
/** While a watch runs, budgets are looked at so often: sooner when the burn brings the next level sooner. */
const LONGEST_MS = 15_000;
const SHORTEST_MS = 1_000;

/** An instance as a budget sees it. */
export interface Spender {
  readonly record: InstanceRecord;
  /** It can be put to sleep and lose nothing by it; null when that is not known before its cloud is listed again. */
  readonly canSleep: boolean | null;
}

/** What is to be done about budgets now. */
export interface BudgetDecision {
  readonly events: readonly NewEvent[];
  /** Budgets of which more was said than before. */
  readonly said: readonly BudgetRecord[];
  /** Instances to put to sleep, the dearest first, each with why. */
  readonly sleeps: readonly { readonly record: InstanceRecord; readonly reason: string }[];
  /** How long the next look may wait, in milliseconds. */
  readonly againMs: number;
}

/**
 * What follows from where the spending stands: levels that were crossed are told of once (by the day anew each day), and at a
 * cap that says `hibernate` whatever runs in its scope is to sleep. What is on its way down, or gives way to a reclaim as it
 * is, is left alone. Nothing is ever woken here. Pure.
 */
export function decideBudgets(
  budgets: readonly BudgetRecord[],
  ledger: readonly LedgerRecord[],
  spenders: readonly Spender[],
  now: number,
  exchange: ExchangeRate,
): BudgetDecision {
  const standings = budgets.map((budget) => standing(budget, ledger, now, exchange));
  const crossed = standings.map((state) => ({ state, levels: newLevels(state) }));
  const said = crossed.flatMap(({ state: { budget }, levels }) => {
    const percent = levels.at(-1);
    return percent === undefined ? [] : [{ ...budget, said: { percent, at: now } }];
  });
  const due = spenders
    .filter(({ record }) => isSpending(record))
    .sort((a, b) => dearestFirst(a.record, b.record, exchange))
    .flatMap((spender) => {
      const reached = standings.find((state) => isToSleep(state, spender.record));
      return reached === undefined ? [] : [{ ...spender, reached }];
    });
  const staying = (state: Standing) => due.filter(({ record, canSleep }) => canSleep === false && isToSleep(state, record));
  const events = crossed.flatMap(({ state, levels }) =>
    levels.map((percent) =>
      crossing(
        state,
        percent,
        staying(state).map(({ record }) => record.name),
        now,
      ),
    ),
  );
  return {
    events,
    said,
    sleeps: due.filter(({ canSleep }) => canSleep === true).map(({ record, reached }) => ({ record, reason: reachedText(reached) })),
    againMs: due.some(({ canSleep }) => canSleep === null) ? SHORTEST_MS : untilNextLevel(standings, now),
  };
}

function isToSleep({ budget, scope, state }: Standing, record: InstanceRecord): boolean {
  return budget.atCap === "hibernate" && state === "reached" && isInScope(scope, record.fleet);
}

/** The levels that are crossed and were not told of in this window. */
function newLevels({ budget, since, percent }: Standing): readonly number[] {
  const told = budget.said.at >= since ? budget.said.percent : 0;
  return LEVELS.filter((level) => level > told && level <= percent);
}

/** It runs, or its machine comes up; a first launch that is under way is its own command's business, and is refused there. */
function isSpending(record: InstanceRecord): boolean {
  if (record.desired !== "running") return false;
  if (record.state === "requested") return record.providerId !== null || record.generation > 1;
  return ["provisioning", "running", "restoring", "hibernated"].includes(record.state);
}

function dearestFirst(a: InstanceRecord, b: InstanceRecord, exchange: ExchangeRate): number {
  // Nobody knows that one without a price is cheap.
  if (a.price === null || b.price === null) return Number(a.price !== null) - Number(b.price !== null);
  return compareMoney(b.price, a.price, exchange) || (a.name < b.name ? -1 : 1);
}

function reachedText({ budget, spent, uncounted }: Standing): string {
  return `${scopeName(budget.scope)} of ${moneyText(budget.cap)} is reached (${uncounted.length === 0 ? "" : "at least "}${moneyText(spent)} spent)`;
}

const AT_CAP = {
  warn: "nothing is done about it",
  hibernate: "what runs is put to sleep, and nothing new is rented",
  refuse: "what runs goes on, and nothing new is rented",
} as const;

/** `staying`: what goes on all the same, because sleep would lose its work. */
function crossing(state: Standing, percent: number, staying: readonly string[], at: number): NewEvent {
  const { budget, spent, burn, reachesAt, basis } = state;
  const message =
    percent >= 100
      ? `${reachedText(state)}: ${AT_CAP[budget.atCap]}${staying.length === 0 ? "" : `; without a volume and so left running: ${staying.join(", ")}`}`
      : `${percent} % of ${scopeName(budget.scope)} of ${moneyText(budget.cap)} are spent (${moneyText(spent)}, ${moneyText(burn)} an hour now)`;
  return {
    at,
    type: "budget",
    instance: null,
    provider: null,
    data: {
      budget: budget.scope,
      what: percent >= 100 ? "reached" : "crossed",
      percent,
      spent: moneyJson(spent),
      cap: moneyJson(budget.cap),
      burn: { ...moneyJson(burn), per: "hour" },
      reachesCapAt: reachesAt === null ? null : new Date(reachesAt).toISOString(),
      basis,
      atCap: budget.atCap,
      ...(staying.length === 0 ? {} : { staying }),
      message,
    },
  };
}

/** At the present burn; a machine that comes up meanwhile is seen at the latest after `LONGEST_MS`. */
function untilNextLevel(standings: readonly Standing[], now: number): number {
  const waits = standings.flatMap(({ reachesAt, state }) => (reachesAt === null || state === "reached" ? [] : [reachesAt - now]));
  return Math.max(SHORTEST_MS, Math.min(LONGEST_MS, ...waits));
}

/** When the budgets are to be looked at next, by the monotonic clock; kept from one pass of a watch to the next. */
export interface BudgetPace {
  at: number;
}

/**
 * Looks at the budgets, where it is time to and there are any.
 * @returns the records as they are to be worked on: read anew when some of them are to sleep now.
 */
export async function watchBudgets(
  fleet: Fleet,
  records: readonly InstanceRecord[],
  listings: ReadonlyMap<string, Listing>,
  pace: BudgetPace,
  signal: AbortSignal,
): Promise<readonly InstanceRecord[]> {
  if (fleet.clock.monotonic() < pace.at || (await fleet.state.budgets()).length === 0) return records;
  const spenders = await Promise.all(records.map(async (record) => ({ record, canSleep: await canSleep(fleet, record, listings) })));
  const slept = await whileHolding(fleet, BUDGETS_LEASE, signal, async (held) => {
    // Read here: another process may have told of the same crossing a moment ago.
    const [budgets, ledger] = await Promise.all([fleet.state.budgets(), fleet.state.ledger()]);
    const decided = decideBudgets(budgets, ledger, spenders, fleet.clock.now(), fleet.exchange ?? BUNDLED_RATE);
    // A cap that was set or removed meanwhile, by a command that takes no lease, stays as it is now.
    if (decided.events.length > 0) await held.fleet.state.commit({ saidBudgets: decided.said, events: decided.events });
    for (const { record, reason } of decided.sleeps) {
      fleet.say(`${record.name}: ${reason}; putting it to sleep`);
      await wish(held.fleet, record.id, { desired: "hibernated", skipSnapshot: false, wakeBy: null, reason });
    }
    pace.at = fleet.clock.monotonic() + decided.againMs;
    return decided.sleeps.length > 0;
  });
  return slept === true ? fleet.state.instances() : records;
}

/** Without a volume only the cloud's own hibernation keeps what it did; a wish that could not be fulfilled would come back for ever. */
async function canSleep(fleet: Fleet, record: InstanceRecord, listings: ReadonlyMap<string, Listing>): Promise<boolean | null> {
  if (record.spec.volume !== null || record.readyAt === null) return true;
  const { hibernate } = (await fleet.provider(record.provider)).capabilities;
  const listing = listings.get(record.provider);
  const machine = typeof listing === "string" ? undefined : listing?.find(({ providerId }) => providerId === record.providerId);
  return machine === undefined ? null : keepsItsWork(record, hibernate, machine);
}

/** Whether a machine without a volume keeps its work while it sleeps. Pure. */
export function keepsItsWork(
  { parkOnly }: Pick<InstanceRecord, "parkOnly">,
  hibernates: Capabilities["hibernate"],
  machine: { readonly canHibernate: boolean; readonly rootVolumeId: string | null },
): boolean {
  return machine.rootVolumeId !== null || (hibernates === "native" && !parkOnly && machine.canHibernate);
}
