import type { Money } from "../model/money.ts";
import { call, type Fleet } from "./fleet.ts";

/**
 * Replaces estimates of finished intervals by what the provider says it charged, where it says so.
 * @returns the providers that did not answer.
 */
export async function followBilling(
  fleet: Fleet,
  since: number,
  signal: AbortSignal,
): Promise<readonly { readonly provider: string; readonly why: string }[]> {
  const entries = (await fleet.state.ledger({ since })).filter((entry) => entry.to !== null && entry.billed === null);
  const silent: { readonly provider: string; readonly why: string }[] = [];
  for (const id of new Set(entries.map((entry) => entry.provider))) {
    try {
      const { billing } = await fleet.provider(id);
      if (billing === undefined) continue;
      const own = entries.filter((entry) => entry.provider === id);
      const earliest = Math.min(...own.map((entry) => entry.from));
      const items = await call(signal, (context) => billing.billed(Math.max(0, earliest - 3_600_000), context));
      const ledger = own.flatMap((entry) => {
        // One machine has one interval of ours for each time it ran; the provider's items that overlap it are its bill.
        const parts = items.filter((item) => item.resourceId === entry.providerId && item.kind === entry.kind && overlaps(item, entry));
        const billed = total(parts.map((item) => item.amount));
        return billed === null ? [] : [{ ...entry, billed }];
      });
      if (ledger.length > 0) await fleet.state.commit({ ledger });
    } catch (error) {
      if (signal.aborted) throw error;
      silent.push({ provider: id, why: error instanceof Error ? error.message : String(error) });
    }
  }
  return silent;
}

function overlaps(
  item: { readonly from: number; readonly to: number },
  entry: { readonly from: number; readonly to: number | null },
): boolean {
  const SLACK_MS = 2_000;
  return item.from < (entry.to ?? Number.POSITIVE_INFINITY) + SLACK_MS && item.to > entry.from - SLACK_MS;
}

function total(amounts: readonly Money[]): Money | null {
  const [first, ...rest] = amounts;
  if (first === undefined || rest.some((amount) => amount.currency !== first.currency)) return null;
  return { micros: rest.reduce((sum, amount) => sum + amount.micros, first.micros), currency: first.currency };
}
