import { type Money, moneyText, moneyToDecimal } from "../model/money.ts";

/** An axis of prices whose marks are round numbers; amounts in millionths. */
export interface PriceAxis {
  readonly low: bigint;
  readonly step: bigint;
  readonly steps: number;
}

const MOST_STEPS = 5n;
const LARGEST_POWER = 18;

/** 1, 2, 2.5 and 5 times each power of ten, as whole millionths. */
function* roundSteps(): Generator<bigint> {
  for (let power = 0; power <= LARGEST_POWER; power++) {
    const ten = 10n ** BigInt(power);
    yield ten;
    yield 2n * ten;
    if (power > 0) yield (ten * 5n) / 2n;
    yield 5n * ten;
  }
}

const floorTo = (value: bigint, step: bigint) => (value / step) * step;
const ceilTo = (value: bigint, step: bigint) => ((value + step - 1n) / step) * step;

/** The finest axis of at most five steps that has both prices on it. A price that never moved lies in the middle. */
export function priceAxis(min: bigint, max: bigint): PriceAxis {
  const around = min === max ? min / 20n + 1n : 0n;
  const [from, to] = [min > around ? min - around : 0n, max + around];
  for (const step of roundSteps()) {
    const low = floorTo(from, step);
    const steps = (ceilTo(to, step) - low) / step;
    if (steps <= MOST_STEPS) return { low, step, steps: Math.max(1, Number(steps)) };
  }
  return { low: 0n, step: to, steps: 1 };
}

/** The names of the marks, lowest first, all with as many decimals as they need to differ. */
export function axisLabels({ low, step, steps }: PriceAxis, currency: string): readonly string[] {
  const zeros = /0*$/.exec(step.toString())?.[0].length ?? 0;
  const decimals = Math.max(2, 6 - zeros);
  const one = moneyText({ micros: 1_000_000n, currency });
  return Array.from({ length: steps + 1 }, (_, index): Money => ({ micros: low + step * BigInt(index), currency })).map((mark) =>
    one.replace("1.00", () => moneyToDecimal(mark).slice(0, decimals - 6 || undefined)),
  );
}

export interface TimeMark {
  readonly at: number;
  readonly label: string;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const TIME_STEPS = [
  ...[1, 5, 10, 15, 30].map((minutes) => minutes * MINUTE_MS),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR_MS),
  ...[1, 2, 5, 7, 10, 14, 30, 60, 90].map((days) => days * DAY_MS),
];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function timeLabel(at: number): string {
  const date = new Date(at);
  const iso = date.toISOString();
  return at % DAY_MS === 0 ? `${MONTHS[date.getUTCMonth()]} ${date.getUTCDate()}` : iso.slice(11, 16);
}

/** Round moments of UTC between two (epoch milliseconds), at most so many. */
export function timeMarks(from: number, to: number, most: number): readonly TimeMark[] {
  const step = TIME_STEPS.find((one) => (to - from) / one <= most) ?? (TIME_STEPS.at(-1) ?? DAY_MS) * 4;
  const marks: TimeMark[] = [];
  for (let at = Math.ceil(from / step) * step; at <= to && marks.length <= most; at += step) marks.push({ at, label: timeLabel(at) });
  return marks;
}
