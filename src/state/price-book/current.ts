import { moneyFromColumns, moneyOrNull } from "../columns.ts";
import { type BookMachine, conditions, described, machinesOf, OF_MACHINES, SERIES, type SeriesRow } from "./machines.ts";
import type { BookConnection, Cheapest, CurrentPrices, PriceBook, PriceQuery } from "./types.ts";

/** What the newest version of a document does not say any more is not on offer. */
const ON_OFFER = "c.kind <> 'live' AND s.seen_at >= c.changed_at";

const ORDER = {
  price: "s.micros * 1.0 / (SELECT count FROM machines WHERE id = s.machine)",
  savings: "s.micros * 1.0 / coalesce(s.on_demand_micros, 1)",
} as const;

type Machines = ReadonlyMap<number, BookMachine>;

/** The machines of each provider: its prices have one currency, one notice and one rate of interruptions. */
function byProvider(machines: Machines): readonly Machines[] {
  const groups = new Map<string, Map<number, BookMachine>>();
  for (const [id, machine] of machines) {
    const group = groups.get(machine.provider);
    if (group === undefined) groups.set(machine.provider, new Map([[id, machine]]));
    else group.set(id, machine);
  }
  return [...groups.values()];
}

function currentOf(
  database: BookConnection["database"],
  machines: Machines,
  query: PriceQuery,
  cheapest: Cheapest | undefined,
): CurrentPrices {
  const { sql, values } = conditions(query);
  const bound = [JSON.stringify([...machines.keys()]), ...values];
  const order = cheapest === undefined ? "" : ` ORDER BY ${ORDER[cheapest.by]} LIMIT ${Math.trunc(cheapest.most)}`;
  const rows = database.prepare(`${SERIES} ${OF_MACHINES} AND ${ON_OFFER}${sql}${order}`).all(bound) as SeriesRow[];
  const prices = rows.flatMap((row) => {
    const machine = machines.get(row.machine);
    if (machine === undefined) return [];
    const price = moneyFromColumns(row.micros, row.currency);
    const onDemandPrice = moneyOrNull(row.on_demand_micros, row.currency);
    return [{ ...described(machine, row), price, onDemandPrice, observedAt: row.seen_at, since: row.since_at }];
  });
  if (cheapest === undefined || rows.length < cheapest.most) return { prices, count: rows.length };
  const { count } = database.prepare(`SELECT count(*) AS count ${OF_MACHINES} AND ${ON_OFFER}${sql}`).get(bound) as { count: number };
  return { prices, count };
}

export function currentPrices({ database, guarded }: BookConnection): Pick<PriceBook, "current"> {
  return {
    async current(query, cheapest) {
      return guarded(() => {
        const machines = machinesOf(database, query);
        const groups = cheapest === undefined ? [machines] : byProvider(machines);
        const answers = groups.map((group) => currentOf(database, group, query, cheapest));
        return {
          prices: answers.flatMap(({ prices }) => prices),
          count: answers.reduce((sum, { count }) => sum + count, 0),
        };
      });
    },
  };
}
