import { EXIT } from "../../model/exit-codes.ts";
import { isOver } from "../../model/instance.ts";
import { type Money, moneyText } from "../../model/money.ts";
import { Problem } from "../../model/problem.ts";
import { type Commitment, LEAST_MS, type Overrun, overruns } from "../../pricing/budget-room.ts";
import { scopeName } from "../../pricing/budget-scope.ts";
import { BUNDLED_RATE } from "../../pricing/currency.ts";
import type { BudgetRecord, InstanceRecord } from "../../state/records.ts";
import { needsSince } from "../deciding/waiting.ts";
import type { Fleet } from "../fleet.ts";
import { whileHolding } from "../leases/lease.ts";
import { changeRecord, eventOf } from "../record-change.ts";

/** Under which one process at a time looks whether there is room, and writes down what takes it. */
export const BUDGETS_LEASE = "budgets";
/** How soon it is tried again while another process has it: it is held for a few statements only. */
const AGAIN_MS = 50;

/** A machine that is about to cost something. */
export interface Launching extends Commitment {
  /** Our id: what its own record holds is what is asked for here, and is not counted twice. */
  readonly id: string;
}

/** What a machine will cost at a price: until its TTL ends, or for an hour at least. */
export function launching(
  { id, fleet, spec, ttlEndsAt }: Pick<InstanceRecord, "id" | "fleet" | "spec" | "ttlEndsAt">,
  rate: Money | null,
  now: number,
): Launching {
  return { id, fleet, rate, until: ttlEndsAt ?? now + (spec.ttlMs ?? LEAST_MS) };
}

/** What the living instances are still to cost, as far as it is certain. Pure. */
export function heldBy(records: readonly InstanceRecord[], now: number): readonly Launching[] {
  return records.flatMap((record) => {
    if (record.desired !== "running" || isOver(record.state)) return [];
    const since = record.readyAt ?? now;
    const until = record.ttlEndsAt ?? (record.spec.ttlMs === null ? since + LEAST_MS : now + record.spec.ttlMs);
    return [{ id: record.id, fleet: record.fleet, rate: record.price, until }];
  });
}

/** What the record of an instance says that was refused its machine. */
const NO_ROOM = "there is no room for its machine in the budget";

/**
 * What the others hold against those that ask. One that waits for a machine, and was promised none, holds room only against
 * those that need theirs since later, and none once it was refused itself: else two refuse each other for ever. Pure.
 * @param promised our ids of the instances with an open promise of a launch.
 */
export function heldAgainst(
  asked: readonly Pick<Launching, "id">[],
  records: readonly InstanceRecord[],
  promised: ReadonlySet<string | null>,
  now: number,
): readonly Launching[] {
  const isAsking = ({ id }: InstanceRecord) => asked.some((one) => one.id === id);
  const waits = ({ id, providerId, outlook }: InstanceRecord) => providerId === null && outlook.successor === null && !promised.has(id);
  const asking = records.filter((record) => isAsking(record) && waits(record));
  const holds = (record: InstanceRecord) =>
    !waits(record) || (record.reason !== NO_ROOM && asking.every((one) => needsBefore(record, one)));
  return heldBy(
    records.filter((record) => !isAsking(record) && holds(record)),
    now,
  );
}

function needsBefore(a: InstanceRecord, b: InstanceRecord): boolean {
  return needsSince(a) === needsSince(b) ? a.id < b.id : needsSince(a) < needsSince(b);
}

/** The budgets that have no room for what is asked for, those first that refuse it. Reads; changes nothing. */
export async function roomFor(
  fleet: Fleet,
  asked: readonly Launching[],
  budgets: readonly BudgetRecord[],
): Promise<{ readonly refused: readonly Overrun[]; readonly warned: readonly Overrun[] }> {
  const now = fleet.clock.now();
  // Before the records: a promise that is kept meanwhile is a machine in them.
  const open = (await fleet.state.pendingIntents()).filter(({ kind }) => kind === "launch");
  const [ledger, records] = await Promise.all([fleet.state.ledger(), fleet.state.instances()]);
  const held = heldAgainst(asked, records, new Set(open.map(({ instanceId }) => instanceId)), now);
  const found = overruns(budgets, ledger, held, asked, now, fleet.exchange ?? BUNDLED_RATE);
  return {
    refused: found.filter(({ standing }) => standing.budget.atCap !== "warn"),
    warned: found.filter(({ standing }) => standing.budget.atCap === "warn"),
  };
}

/** The budgets as they are, or as a fleet file that is about to be applied has them. */
export async function budgetsWith(fleet: Fleet, wanted: readonly BudgetRecord[] = []): Promise<readonly BudgetRecord[]> {
  const kept = (await fleet.state.budgets()).filter(({ scope }) => wanted.every((one) => one.scope !== scope));
  return [...kept, ...wanted];
}

/**
 * Does what begins to spend (writes a promise, a claim of a name, a wish to wake) only where every budget has room for it.
 * Two processes cannot both take the same room: looking and writing are one piece of work under one lease, and what was
 * written counts from then on. Without budgets nothing is locked and nothing more is read.
 * @param work gets the fleet to write with, and the budgets that only warn.
 * @throws Problem (exit 3) when a budget refuses it; nothing was done then.
 */
export async function withinBudgets<Result>(
  fleet: Fleet,
  asked: readonly Launching[],
  signal: AbortSignal,
  work: (fleet: Fleet, warned: readonly Overrun[]) => Promise<Result>,
): Promise<Result> {
  if (asked.length === 0 || (await fleet.state.budgets()).length === 0) return work(fleet, []);
  for (;;) {
    const done = await whileHolding(fleet, BUDGETS_LEASE, signal, async (held) => {
      const { refused, warned } = await roomFor(fleet, asked, await fleet.state.budgets());
      const [first] = refused;
      if (first !== undefined) throw overrunProblem(first);
      return { result: await work(held.fleet, warned) };
    });
    if (done !== undefined) return done.result;
    await fleet.clock.sleep(AGAIN_MS + fleet.rng.next() * AGAIN_MS, signal);
  }
}

/** @throws Problem (exit 3) when a budget has no room for it now. Takes none: whoever goes on asks again when it promises. */
export async function requireRoom(fleet: Fleet, asked: readonly Launching[]): Promise<void> {
  const budgets = await fleet.state.budgets();
  if (budgets.length === 0) return;
  const [first] = (await roomFor(fleet, asked, budgets)).refused;
  if (first !== undefined) throw overrunProblem(first);
}

/** For people: which budget has no room, and by which figures. */
export function overrunText({ standing, why, spent, held, asked, isTomorrow }: Overrun): string {
  const { budget, uncounted } = standing;
  const name = `${scopeName(budget.scope)} of ${moneyText(budget.cap)}`;
  const least = uncounted.length === 0 ? "" : "at least ";
  if (why === "reached") return `${name} is reached: ${least}${moneyText(spent)} spent`;
  if (why === "uncountable") return `${name} cannot be kept: what this would cost is not known in ${budget.cap.currency}`;
  const parts = [
    `${least}${moneyText(spent)} spent`,
    ...(held.micros === 0n ? [] : [`${moneyText(held)} held for what runs or is to run`]),
    `${moneyText(asked)} for this`,
  ];
  return `${name} would be passed${isTomorrow ? " tomorrow" : ""}: ${parts.join(", ")}`;
}

/** Why nothing is rented. */
export function overrunProblem(overrun: Overrun): Problem {
  const { scope } = overrun.standing;
  const flags = `${scope.fleet === null ? "" : ` --fleet ${scope.fleet}`}${scope.perDay ? " --per-day" : ""}`;
  return new Problem({
    code: "SPOT_E_BUDGET",
    message: overrunText(overrun),
    exit: EXIT.refused,
    hint:
      overrun.why === "reached"
        ? "nothing was rented; a higher cap, or an end to what runs, makes room"
        : "nothing was rented; a shorter --ttl (an hour is counted without one), a cheaper machine or a higher cap makes room",
    next: ["spot budget show", `spot budget set AMOUNT${flags}`],
  });
}

/**
 * An instance that is to have a machine and gets none says why, once.
 * @throws the problem itself, always.
 */
export async function noteNoRoom(fleet: Fleet, record: InstanceRecord, problem: unknown): Promise<never> {
  if (problem instanceof Problem && problem.code === "SPOT_E_BUDGET" && record.reason !== NO_ROOM)
    await changeRecord(
      fleet,
      record,
      { reason: NO_ROOM },
      { events: [eventOf(fleet, record, "action", { action: "launch-refused", why: problem.message })] },
    );
  throw problem;
}
