import { type Money, moneyFromDecimal } from "../../model/money.ts";

/** An amount of the wire in the account's currency (CNY at the China site, USD at the international one); null when it is none, or nothing. */
export function amountOf(text: string | null, currency: string): Money | null {
  if (text === null) return null;
  try {
    const money = moneyFromDecimal(text.replace(/(\.\d{12})\d+$/, "$1"), currency.toUpperCase());
    return money.micros > 0n ? money : null;
  } catch {
    return null;
  }
}
