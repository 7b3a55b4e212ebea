import { createHash } from "node:crypto";
import type { Gpu } from "../model/gpu.ts";
import { type Money, moneyFromDecimal, moneyToDecimal } from "../model/money.ts";
import { type CloudInstance, holdsMachine, type MarketSettings, type ProfileName } from "./records.ts";

export const CURRENCY = "USD";

export interface MachineType {
  readonly type: string;
  readonly gpu: Gpu;
  readonly vcpus: number;
  readonly memoryGb: number;
  /** On demand, per hour, decimal. */
  readonly onDemand: string;
  /** Share of the on-demand price around which the spot price walks. */
  readonly spotShare: number;
  /** Fewest and most machines that one zone has. */
  readonly stock: readonly [number, number];
}

const machine = (
  type: string,
  gpu: readonly [string, number, number],
  size: readonly [number, number],
  onDemand: string,
  spotShare: number,
  stock: readonly [number, number],
): MachineType => ({
  type,
  gpu: { model: gpu[0], count: gpu[1], vramGb: gpu[2] },
  vcpus: size[0],
  memoryGb: size[1],
  onDemand,
  spotShare,
  stock,
});

/** Invented machines at prices of the usual order of magnitude. `vramGb` is per GPU. */
export const MACHINE_TYPES: readonly MachineType[] = [
  machine("h100.1", ["H100", 1, 80], [26, 200], "3.290000", 0.48, [1, 8]),
  machine("h100.8", ["H100", 8, 80], [208, 1600], "26.320000", 0.52, [0, 2]),
  machine("a100.1", ["A100-80GB", 1, 80], [22, 120], "1.890000", 0.5, [2, 12]),
  machine("a100.8", ["A100-80GB", 8, 80], [176, 960], "15.120000", 0.55, [0, 3]),
  machine("l40s.1", ["L40S", 1, 48], [16, 96], "1.150000", 0.45, [8, 24]),
  machine("a10g.1", ["A10G", 1, 24], [8, 32], "1.010000", 0.4, [16, 48]),
  machine("rtx4090.1", ["RTX4090", 1, 24], [12, 64], "0.690000", 0.5, [16, 64]),
  machine("rtx4090.8", ["RTX4090", 8, 24], [96, 512], "5.520000", 0.52, [1, 6]),
];

export interface Zone {
  readonly region: string;
  readonly zone: string;
}

export const ZONES: readonly Zone[] = [
  { region: "local-east", zone: "local-east-a" },
  { region: "local-east", zone: "local-east-b" },
  { region: "local-west", zone: "local-west-a" },
];

export interface Profile {
  readonly noticeSeconds: number;
  readonly protectionSeconds: number;
  /** A second launch with the same token answers with the first one's instance. */
  readonly idempotentLaunch: boolean;
}

/** What the real clouds document: notice length, guaranteed run time, client tokens. */
const PROFILE: Readonly<Record<ProfileName, Profile>> = {
  aws: { noticeSeconds: 120, protectionSeconds: 0, idempotentLaunch: true },
  gcp: { noticeSeconds: 30, protectionSeconds: 0, idempotentLaunch: true },
  alibaba: { noticeSeconds: 300, protectionSeconds: 3600, idempotentLaunch: true },
  ppio: { noticeSeconds: 3600, protectionSeconds: 3600, idempotentLaunch: false },
};

export function profileOf(settings: MarketSettings): Profile {
  return PROFILE[settings.profile];
}

/** 0–1, the same for the same words on every machine. */
function chance(...words: readonly (string | number)[]): number {
  return createHash("sha256").update(words.join("\n")).digest().readUInt32BE(0) / 2 ** 32;
}

/** Smooth noise, 0–1: random marks every `periodMs`, and a soft line between them. */
function noise(seed: number, name: string, periodMs: number, now: number): number {
  const index = Math.floor(now / periodMs);
  const part = now / periodMs - index;
  const soft = part * part * (3 - 2 * part);
  return chance(seed, name, periodMs, index) * (1 - soft) + chance(seed, name, periodMs, index + 1) * soft;
}

/** A price holds for this long. */
const PRICE_STEP_MS = 300_000;
const HOUR_MS = 3_600_000;

/** The spot price per hour: a walk that depends on the seed and the time alone. */
export function spotPrice(settings: MarketSettings, type: MachineType, zone: string, now: number): string {
  const at = Math.floor(now / PRICE_STEP_MS) * PRICE_STEP_MS;
  const name = `price ${type.type} ${zone}`;
  const place = 0.94 + 0.12 * chance(settings.seed, name);
  const slow = noise(settings.seed, name, 24 * HOUR_MS, at) - 0.5;
  const quick = noise(settings.seed, name, HOUR_MS, at) - 0.5;
  const factor = Math.min(0.95, type.spotShare * place * (1 + 0.3 * slow + 0.12 * quick));
  // The share is taken in whole ten-thousandths, so that the price is exact.
  const share = BigInt(Math.round(factor * 10_000));
  const onDemand = moneyFromDecimal(type.onDemand, CURRENCY);
  return moneyToDecimal({ micros: ((onDemand.micros * share) / 10_000n / 100n) * 100n, currency: CURRENCY });
}

/** Committed for 30 days; shown per hour. */
function monthlyPrice(type: MachineType): string {
  return moneyToDecimal({ micros: (moneyFromDecimal(type.onDemand, CURRENCY).micros * 68n) / 100n, currency: CURRENCY });
}

export function machineType(name: string): MachineType | undefined {
  return MACHINE_TYPES.find(({ type }) => type === name);
}

export function zoneNamed(name: string): Zone | undefined {
  return ZONES.find(({ zone }) => zone === name);
}

/** How many more machines of a type a zone can start now. */
export function freeMachines(
  settings: MarketSettings,
  type: MachineType,
  zone: string,
  now: number,
  instances: readonly CloudInstance[],
): number {
  const [least, most] = type.stock;
  const walk = noise(settings.seed, `stock ${type.type} ${zone}`, HOUR_MS, Math.floor(now / PRICE_STEP_MS) * PRICE_STEP_MS);
  const capacity = settings.stock[type.type] ?? least + Math.round(walk * (most - least));
  const used = instances.filter((one) => one.type === type.type && one.zone === zone && holdsMachine(one.state)).length;
  return Math.max(0, capacity - used);
}

export interface CloudOffer extends Zone {
  readonly type: string;
  readonly gpu: Gpu;
  readonly vcpus: number;
  readonly memoryGb: number;
  readonly billing: "spot" | "on-demand" | "monthly";
  readonly price: string;
  readonly onDemandPrice: string;
  readonly currency: string;
  readonly stock: number;
  readonly noticeSeconds: number;
  readonly protectionSeconds: number;
  readonly interruptionsPerHour: number;
}

/** What an hour of this costs now. */
export function priceOf(settings: MarketSettings, type: MachineType, zone: string, billing: CloudOffer["billing"], now: number): Money {
  const spot = billing === "spot" ? spotPrice(settings, type, zone, now) : undefined;
  return moneyFromDecimal(spot ?? (billing === "monthly" ? monthlyPrice(type) : type.onDemand), CURRENCY);
}

/** The whole market: every type in every zone, the sold-out ones with stock 0. */
export function offersAt(settings: MarketSettings, now: number, instances: readonly CloudInstance[]): readonly CloudOffer[] {
  const { noticeSeconds, protectionSeconds } = profileOf(settings);
  return MACHINE_TYPES.flatMap((type) =>
    ZONES.flatMap((zone) => {
      const stock = freeMachines(settings, type, zone.zone, now, instances);
      return (["spot", "on-demand", "monthly"] as const).map((billing) => ({
        ...zone,
        type: type.type,
        gpu: type.gpu,
        vcpus: type.vcpus,
        memoryGb: type.memoryGb,
        billing,
        price: moneyToDecimal(priceOf(settings, type, zone.zone, billing, now)),
        onDemandPrice: type.onDemand,
        currency: CURRENCY,
        stock,
        noticeSeconds: billing === "spot" ? noticeSeconds : 0,
        protectionSeconds: billing === "spot" ? protectionSeconds : 0,
        interruptionsPerHour: billing === "spot" ? settings.hazardPerHour : 0,
      }));
    }),
  );
}

/** When the hazard strikes an instance that begins to run at `now`: exponentially distributed, never under protection. */
export function hazardTime(
  settings: MarketSettings,
  instance: Pick<CloudInstance, "id" | "runs" | "protectedUntil">,
  now: number,
): number | null {
  if (settings.hazardPerHour <= 0) return null;
  const draw = chance(settings.seed, "hazard", instance.id, instance.runs);
  return Math.max(now - (Math.log(1 - draw) / settings.hazardPerHour) * HOUR_MS, instance.protectedUntil ?? 0);
}
