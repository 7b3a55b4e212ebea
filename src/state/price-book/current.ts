import type { ObservedPrice } from "../../model/listed-price.ts";
import { moneyFromColumns, moneyOrNull } from "../columns.ts";
import { type BookMachine, conditions, described, knownGpus, machinesOf, OF_MACHINES, SERIES, type SeriesRow } from "./machines.ts";
import type { BestOf, BestPrice, BookConnection, Cheapest, CurrentPrices, PriceBook, PriceQuery } from "./types.ts";

/** What the newest version of a document does not say any more is not on offer. */
const ON_OFFER = "c.kind <> 'live' AND s.seen_at >= c.changed_at";

const PER_GPU = "s.micros * 1.0 / (SELECT count FROM machines WHERE id = s.machine)";

/**
 * The smaller, the sooner. By savings as `savingsShare` reckons them, in parts of ten thousand, and among equals by price;
 * one number, because `min` takes one.
 */
const ORDER = {
  price: PER_GPU,
  savings: `coalesce(-((s.on_demand_micros - s.micros) * 10000 / s.on_demand_micros), 100000) * 1e11 + ${PER_GPU}`,
} as const;

type Machines = ReadonlyMap<number, BookMachine>;

/** The machines of each provider: its prices have one currency, one notice and one rate of interruptions. */
function byProvider(machines: Machines): ReadonlyMap<string, Machines> {
  const groups = new Map<string, Map<number, BookMachine>>();
  for (const [id, machine] of machines) {
    const group = groups.get(machine.provider);
    if (group === undefined) groups.set(machine.provider, new Map([[id, machine]]));
    else group.set(id, machine);
  }
  return groups;
}

function observedOf(machines: Machines, row: SeriesRow): readonly ObservedPrice[] {
  const machine = machines.get(row.machine);
  if (machine === undefined) return [];
  const price = moneyFromColumns(row.micros, row.currency);
  const onDemandPrice = moneyOrNull(row.on_demand_micros, row.currency);
  return [{ ...described(machine, row), price, onDemandPrice, observedAt: row.seen_at, since: row.since_at }];
}

/** The rest of a statement over these machines, and what is bound to it. */
function asked(machines: Machines, query: PriceQuery) {
  const { sql, values } = conditions(query);
  return { where: `${OF_MACHINES} AND ${ON_OFFER}${sql}`, bound: [JSON.stringify([...machines.keys()]), ...values] };
}

function currentOf(
  database: BookConnection["database"],
  machines: Machines,
  query: PriceQuery,
  cheapest: Cheapest | undefined,
): Pick<CurrentPrices, "prices" | "count"> {
  const { where, bound } = asked(machines, query);
  const order = cheapest === undefined ? "" : ` ORDER BY ${ORDER[cheapest.by]} LIMIT ${Math.trunc(cheapest.most)}`;
  const rows = database.prepare(`${SERIES} ${where}${order}`).all(bound) as SeriesRow[];
  const prices = rows.flatMap((row) => observedOf(machines, row));
  if (cheapest === undefined || rows.length < cheapest.most) return { prices, count: rows.length };
  const { count } = database.prepare(`SELECT count(*) AS count ${where}`).get(bound) as { count: number };
  return { prices, count };
}

function bestOf(
  database: BookConnection["database"],
  machines: Machines,
  query: PriceQuery,
  by: Cheapest["by"],
  of: BestOf,
): readonly BestPrice[] {
  const { where, bound } = asked(machines, query);
  // SQLite takes what stands beside a `min` from the row that has it (sqlite.org/lang_select.html#bareagg).
  const sql = `${SERIES}, count(*) AS many, min(${ORDER[by]}) AS first ${where} GROUP BY ${of === "machine" ? "s.machine" : "p.zone"}`;
  const rows = database.prepare(sql).all(bound) as (SeriesRow & { readonly many: number })[];
  return rows.flatMap((row) => observedOf(machines, row).map((price) => ({ price, count: row.many })));
}

export function currentPrices({ database, guarded }: BookConnection): Pick<PriceBook, "current" | "best" | "gpus"> {
  return {
    async current(query, cheapest) {
      return guarded(() => {
        const answers = [...byProvider(machinesOf(database, query))].map(
          ([provider, machines]) => [provider, currentOf(database, machines, query, cheapest)] as const,
        );
        return {
          prices: answers.flatMap(([, { prices }]) => prices),
          count: answers.reduce((sum, [, { count }]) => sum + count, 0),
          counts: Object.fromEntries(answers.map(([provider, { count }]) => [provider, count])),
        };
      });
    },
    async best(query, by, of) {
      return guarded(() =>
        [...byProvider(machinesOf(database, query)).values()].flatMap((machines) => bestOf(database, machines, query, by, of)),
      );
    },
    gpus: async () => guarded(() => knownGpus(database)),
  };
}
