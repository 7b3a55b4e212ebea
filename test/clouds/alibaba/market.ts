import { type InstanceType, REGIONS } from "./catalogue.ts";

export const HOUR_MS = 3_600_000;

/** 0: without the protected first hour, which is cheaper. */
export type SpotDuration = 0 | 1;

/** Prices in yuan an hour. */
export interface Market {
  spotPrice(type: InstanceType, zone: string, duration: SpotDuration, at: number): number;
  onDemandPrice(type: InstanceType): number;
  /** The market price moves, now and until it moves again. `zone` undefined: everywhere. */
  move(typeId: string, fraction: number, at: number, zone?: string): void;
  /** Every moment between two at which the price was told, oldest first. */
  moments(type: InstanceType, zone: string, from: number, to: number): readonly number[];
  stock(typeId: string, zone: string, duration: SpotDuration): number;
  /** `closed`: out for good, not only for now. */
  setStock(typeId: string, count: number, where?: { readonly zone?: string; readonly duration?: SpotDuration }): void;
  close(typeId: string, zone: string): void;
  isClosed(typeId: string, zone: string): boolean;
  take(typeId: string, zone: string, duration: SpotDuration, change: number): void;
}

const USUAL_STOCK = 12;
/** What is paid without protection, of what is paid with it. */
const WITHOUT_PROTECTION = 0.9;

/** A number from 0 to 1 that depends on the text alone. */
function chanceOf(text: string): number {
  let hash = 2_166_136_261;
  for (const sign of text) hash = Math.imul(hash ^ sign.charCodeAt(0), 16_777_619) >>> 0;
  return (hash >>> 8) / 2 ** 24;
}

const rounded = (price: number) => Math.round(price * 1_000) / 1_000;

/** The stock and the prices of every type in every zone. Before `began` the price went up and down every hour. */
export function market(began: number): Market {
  const moves: { readonly typeId: string; readonly zone: string | undefined; readonly fraction: number; readonly at: number }[] = [];
  const stocks = new Map<string, number>();
  const closed = new Set<string>();
  const key = (typeId: string, zone: string, duration: SpotDuration) => `${typeId} ${zone} ${duration}`;
  const fraction = (typeId: string, zone: string, at: number): number => {
    const moved = moves.findLast((one) => one.typeId === typeId && (one.zone ?? zone) === zone && one.at <= at);
    if (moved !== undefined) return moved.fraction;
    const usual = 0.1 + 0.3 * chanceOf(`${typeId} ${zone}`);
    const hour = Math.floor(Math.min(at, began) / HOUR_MS);
    return usual * (0.9 + 0.2 * chanceOf(`${typeId} ${zone} ${hour}`));
  };
  return {
    spotPrice: (type, zone, duration, at) =>
      rounded(type.onDemand * Math.min(1, fraction(type.id, zone, at)) * (duration === 0 ? WITHOUT_PROTECTION : 1)),
    onDemandPrice: ({ onDemand }) => onDemand,
    move: (typeId, to, at, zone) => moves.push({ typeId, zone, fraction: to, at }),
    moments(type, zone, from, to) {
      const hours: number[] = [];
      for (let hour = Math.ceil(from / HOUR_MS) * HOUR_MS; hour <= to; hour += HOUR_MS) hours.push(hour);
      const moved = moves.filter(
        (one) => one.typeId === type.id && (one.zone ?? zone) === zone && one.at >= from && one.at <= to && one.at % HOUR_MS !== 0,
      );
      return [...hours, ...moved.map(({ at }) => at)].sort((a, b) => a - b);
    },
    stock: (typeId, zone, duration) => (closed.has(`${typeId} ${zone}`) ? 0 : (stocks.get(key(typeId, zone, duration)) ?? USUAL_STOCK)),
    setStock(typeId, count, where = {}) {
      for (const zone of REGIONS.flatMap(({ zones }) => zones))
        for (const duration of [0, 1] as const)
          if ((where.zone ?? zone) === zone && (where.duration ?? duration) === duration) stocks.set(key(typeId, zone, duration), count);
    },
    close: (typeId, zone) => closed.add(`${typeId} ${zone}`),
    isClosed: (typeId, zone) => closed.has(`${typeId} ${zone}`),
    take(typeId, zone, duration, change) {
      const now = stocks.get(key(typeId, zone, duration)) ?? USUAL_STOCK;
      stocks.set(key(typeId, zone, duration), Math.max(0, now + change));
    },
  };
}

/** How often machines of a type were taken back there in the last 30 days, in per cent, and the bucket it falls into. */
export function interruptions(type: InstanceType, zone: string): { readonly rate: number; readonly bucket: string } {
  const rate = Math.round(1_500 * chanceOf(`${type.id} ${zone} taken`)) / 100;
  const bucket = rate < 3 ? "0-3%" : rate < 5 ? "3-5%" : rate < 10 ? "5-10%" : "10-100%";
  return { rate, bucket };
}
