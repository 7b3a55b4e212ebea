import { microsColumn, moneyFromColumns } from "./columns.ts";
import type { BudgetRecord, Change, State } from "./records.ts";
import type { Executor } from "./tables.ts";

export async function putBudgets(database: Executor, budgets: readonly BudgetRecord[]): Promise<void> {
  for (const { scope, cap, atCap, createdAt, said } of budgets) {
    const rest = {
      cap_micros: microsColumn(cap),
      cap_currency: cap.currency,
      at_cap: atCap,
      created_at: createdAt,
      said_percent: said.percent,
      said_at: said.at,
    };
    await database
      .insertInto("budgets")
      .values({ scope, ...rest })
      .onConflict((conflict) => conflict.column("scope").doUpdateSet(rest))
      .execute();
  }
}

/** What is another budget by now, or none, is left as it is. */
export async function noteSaid(database: Executor, budgets: NonNullable<Change["saidBudgets"]>): Promise<void> {
  for (const { scope, createdAt, said } of budgets)
    await database
      .updateTable("budgets")
      .set({ said_percent: said.percent, said_at: said.at })
      .where("scope", "=", scope)
      .where("created_at", "=", createdAt)
      .execute();
}

export async function removeBudgets(database: Executor, scopes: readonly string[]): Promise<void> {
  for (const scope of scopes) await database.deleteFrom("budgets").where("scope", "=", scope).execute();
}

export function budgetQueries(database: Executor): Pick<State, "budgets"> {
  return {
    async budgets() {
      const rows = await database.selectFrom("budgets").selectAll().execute();
      return rows
        .map(
          (row): BudgetRecord => ({
            scope: row.scope,
            cap: moneyFromColumns(row.cap_micros, row.cap_currency),
            atCap: row.at_cap as BudgetRecord["atCap"],
            createdAt: row.created_at,
            said: { percent: row.said_percent, at: row.said_at },
          }),
        )
        .sort((a, b) => (a.scope < b.scope ? -1 : 1));
    },
  };
}
