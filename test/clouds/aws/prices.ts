import { type CatalogueType, REGIONS, TYPES } from "./catalogue.ts";

const STEP_MS = 6 * 3_600_000;
/** The history goes back so far. */
export const KEPT_MS = 90 * 24 * 3_600_000;

/** A price from its moment on, in USD an hour with six decimals, as EC2 writes it. */
export interface PricePoint {
  readonly at: number;
  readonly price: string;
}

function noise(text: string): number {
  let hash = 2_166_136_261;
  for (const character of text) hash = Math.imul(hash ^ character.charCodeAt(0), 16_777_619) >>> 0;
  return hash / 2 ** 32;
}

export function typeNamed(name: string): CatalogueType | undefined {
  return TYPES.find((one) => one.name === name);
}

export function zonesOf(region: string): readonly string[] {
  return Object.keys(REGIONS[region] ?? {});
}

export function isOffered(type: CatalogueType, zone: string): boolean {
  return type.zones.includes(zone.at(-1) ?? "");
}

/** The change that was in force at a moment: it moves slowly, at another hour in each zone, by a few per cent. */
export function pointAt(type: CatalogueType, zone: string, at: number): PricePoint {
  const offset = Math.floor(noise(`${type.name} ${zone}`) * STEP_MS);
  const step = Math.floor((at - offset) / STEP_MS);
  const level = 1 + 0.2 * noise(zone) + 0.04 * Math.sin(step / 9) + 0.01 * noise(`${type.name} ${zone} ${step}`);
  return { at: step * STEP_MS + offset, price: (Number(type.spot) * level).toFixed(6) };
}

/** Every change between two moments, newest first, with the one before the first moment: the price in force at the start. */
export function pointsBetween(type: CatalogueType, zone: string, from: number, to: number): readonly PricePoint[] {
  const points: PricePoint[] = [];
  for (let point = pointAt(type, zone, to); ; point = pointAt(type, zone, point.at - 1)) {
    points.push(point);
    if (point.at <= from) return points;
  }
}
