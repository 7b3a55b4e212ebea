import { durationText } from "../model/duration.ts";
import { groupedBy } from "../model/grouped-by.ts";

/** What a retention rule looks at. Those of one `group` are weighed against each other only; times are epoch milliseconds. */
export interface Retainable {
  readonly id: string;
  readonly createdAt: number;
  /** Whose it is, for example an instance's on a volume: each group keeps its own. */
  readonly group: string;
}

/**
 * Which to keep, in the words of restic and borg. Each rule counts for itself, and what any rule keeps is kept. Days and hours
 * are those of UTC; hours and days in which nothing was made do not count.
 */
export interface RetentionRules {
  /** The newest so many. */
  readonly keepLast?: number;
  /** The newest one of each of the newest so many hours in which there are any. */
  readonly keepHourly?: number;
  /** The newest one of each of the newest so many days in which there are any. */
  readonly keepDaily?: number;
  /** Whatever is not older than this, in milliseconds, reckoned from the newest one of the group. */
  readonly keepWithinMs?: number;
}

/** What is to become of one, and why: `because` is empty for what goes. */
export interface RetentionRow<Item extends Retainable> {
  readonly item: Item;
  readonly kept: boolean;
  /** For people: `newest`, `in use: being restored`, `last 3`, `hour 2026-11-22T05Z`, `day 2026-11-22`, `within 7d`. */
  readonly because: readonly string[];
}

/** Whether there is any rule at all: without one nothing may be removed. */
export function hasRule(rules: RetentionRules): boolean {
  return [rules.keepLast, rules.keepHourly, rules.keepDaily, rules.keepWithinMs].some((value) => value !== undefined);
}

/** Newest first; of those made at the same moment the greater id, as ids of checkpoints grow. */
function newestFirst(a: Retainable, b: Retainable): number {
  if (a.createdAt !== b.createdAt) return b.createdAt - a.createdAt;
  return a.id < b.id ? 1 : -1;
}

/** The first item of each of the first `count` periods; `items` are newest first. */
function newestOfEach<Item extends Retainable>(
  items: readonly Item[],
  count: number,
  periodOf: (at: number) => string,
): ReadonlyMap<Item, string> {
  const found = new Map<Item, string>();
  let last: string | undefined;
  for (const item of items) {
    const period = periodOf(item.createdAt);
    if (period === last) continue;
    if (found.size === count) break;
    last = period;
    found.set(item, period);
  }
  return found;
}

const hourOf = (at: number): string => `${new Date(at).toISOString().slice(0, 13)}Z`;
const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10);

/**
 * Weighs one group, newest first. A clock that was ahead must not make the rest look old: no reckoning begins later than
 * `now`.
 */
function weigh<Item extends Retainable>(
  items: readonly Item[],
  rules: RetentionRules,
  now: number,
  inUse: ReadonlyMap<string, string>,
): readonly RetentionRow<Item>[] {
  const { keepLast = 0, keepHourly = 0, keepDaily = 0, keepWithinMs } = rules;
  const hours = newestOfEach(items, keepHourly, hourOf);
  const days = newestOfEach(items, keepDaily, dayOf);
  const from = Math.min(items[0]?.createdAt ?? now, now) - (keepWithinMs ?? 0);
  return items.map((item, index) => {
    const [hour, day, use] = [hours.get(item), days.get(item), inUse.get(item.id)];
    const because = [
      ...(index === 0 ? ["newest"] : []),
      ...(use === undefined ? [] : [`in use: ${use}`]),
      ...(index < keepLast ? [`last ${keepLast}`] : []),
      ...(hour === undefined ? [] : [`hour ${hour}`]),
      ...(day === undefined ? [] : [`day ${day}`]),
      ...(keepWithinMs === undefined || item.createdAt < from ? [] : [`within ${durationText(keepWithinMs)}`]),
    ];
    return { item, kept: because.length > 0, because };
  });
}

/**
 * Says of each item whether it is kept, and why. The newest of each group always is, and so is what is in use, whatever the
 * rules say. Pure.
 * @param now epoch milliseconds.
 * @param inUse by id, what each is in use for.
 * @returns one row for each item, newest first.
 */
export function retain<Item extends Retainable>(
  items: readonly Item[],
  rules: RetentionRules,
  now: number,
  inUse: ReadonlyMap<string, string> = new Map(),
): readonly RetentionRow<Item>[] {
  const groups = groupedBy(items.toSorted(newestFirst), ({ group }) => group);
  const rows = [...groups.values()].flatMap((group) => weigh(group, rules, now, inUse));
  return rows.toSorted((a, b) => newestFirst(a.item, b.item));
}
