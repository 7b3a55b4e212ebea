/** Money is exact: an integer number of millionths of the currency's unit. */
export interface Money {
  readonly micros: bigint;
  /** ISO 4217, upper case. */
  readonly currency: string;
}

export interface MoneyJson {
  readonly amount: string;
  readonly currency: string;
}

const MICROS_PER_UNIT = 1_000_000n;
const MS_PER_HOUR = 3_600_000n;
const DECIMAL = /^(-?)(\d{1,12})(?:\.(\d{1,12}))?$/;

/**
 * Reads a decimal string such as "1.99". Digits past the sixth are rounded half up.
 * @throws RangeError when the text is not a plain decimal number.
 */
export function moneyFromDecimal(text: string, currency: string): Money {
  const match = DECIMAL.exec(text.trim());
  if (match === null) throw new RangeError(`not an amount of money: ${JSON.stringify(text)}`);
  const [, sign, whole = "0", fraction = ""] = match;
  const six = fraction.slice(0, 6).padEnd(6, "0");
  const roundUp = (fraction[6] ?? "0") >= "5" ? 1n : 0n;
  const micros = BigInt(whole) * MICROS_PER_UNIT + BigInt(six) + roundUp;
  return { micros: sign === "-" ? -micros : micros, currency };
}

/** The amount as a decimal string with six places, e.g. "1.990000". */
export function moneyToDecimal(money: Money): string {
  const negative = money.micros < 0n;
  const digits = (negative ? -money.micros : money.micros).toString().padStart(7, "0");
  return `${negative ? "-" : ""}${digits.slice(0, -6)}.${digits.slice(-6)}`;
}

export function moneyJson(money: Money): MoneyJson {
  return { amount: moneyToDecimal(money), currency: money.currency };
}

/** @throws RangeError when the currencies differ: conversion is never silent. */
export function addMoney(a: Money, b: Money): Money {
  if (a.currency !== b.currency) throw new RangeError(`cannot add ${a.currency} and ${b.currency}`);
  return { micros: a.micros + b.micros, currency: a.currency };
}

/** What an hourly rate costs over `ms` milliseconds, rounded half up to the millionth. */
export function costOf(ratePerHour: Money, ms: number): Money {
  const product = ratePerHour.micros * BigInt(Math.max(0, Math.round(ms)));
  return { micros: (product + MS_PER_HOUR / 2n) / MS_PER_HOUR, currency: ratePerHour.currency };
}

/** Share saved against a dearer price, 0–1 (negative when `price` is dearer); null when there is nothing to compare with. */
export function savingsShare(price: Money, against: Money): number | null {
  if (against.micros <= 0n || price.currency !== against.currency) return null;
  return Number(((against.micros - price.micros) * 10_000n) / against.micros) / 10_000;
}

const SYMBOLS: Readonly<Record<string, string>> = { USD: "$", EUR: "€", CNY: "¥" };

/** For people: "$1.99", "$0.0042" (small amounts keep two significant digits), "12.50 CHF". */
export function moneyText(money: Money): string {
  const decimal = moneyToDecimal(money);
  const dot = decimal.indexOf(".");
  const firstDigit = decimal.slice(dot + 1).search(/[1-9]/);
  const isSmall = /^-?0\./.test(decimal) && firstDigit >= 1;
  const places = isSmall ? Math.min(6, firstDigit + 2) : 2;
  const scale = 10n ** BigInt(6 - places);
  const half = scale / 2n;
  const rounded = money.micros < 0n ? -(((-money.micros + half) / scale) * scale) : ((money.micros + half) / scale) * scale;
  const text = moneyToDecimal({ micros: rounded, currency: money.currency }).slice(0, places - 6 || undefined);
  const symbol = SYMBOLS[money.currency];
  if (symbol === undefined) return `${text} ${money.currency}`;
  return text.startsWith("-") ? `-${symbol}${text.slice(1)}` : `${symbol}${text}`;
}
