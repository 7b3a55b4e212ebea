import { newId } from "../model/ids.ts";
import { costOf, moneyFromDecimal, moneyToDecimal } from "../model/money.ts";
import { CURRENCY } from "./market.ts";
import type { Charge, CloudInstance, CloudVolume } from "./records.ts";
import type { Site } from "./site.ts";

/** Of a disk, in millionths of a dollar per gigabyte-hour: about ten cents per gigabyte-month. */
const DISK_MICROS_PER_GB_HOUR = 137;
/** What a hibernated instance keeps. */
const ROOT_DISK_GB = 50;

export function diskRate(sizeGb: number): string {
  return moneyToDecimal({ micros: BigInt(Math.max(1, Math.round(sizeGb * DISK_MICROS_PER_GB_HOUR))), currency: CURRENCY });
}

function open(site: Site, charge: Pick<Charge, "resourceId" | "name" | "kind" | "billing" | "from" | "rate">): void {
  site.database.saveCharge({ ...charge, id: newId("ch", site.rng), to: null });
}

/** Ends whatever this resource is billed for. Never before its own beginning. */
export function closeCharges(site: Site, resourceId: string, at: number): void {
  for (const charge of site.database.openCharges(resourceId)) site.database.saveCharge({ ...charge, to: Math.max(charge.from, at) });
}

export function billGpu(site: Site, instance: CloudInstance, from: number): void {
  closeCharges(site, instance.id, from);
  open(site, { resourceId: instance.id, name: instance.name, kind: "gpu", billing: instance.billing, from, rate: instance.price });
}

export function billRootDisk(site: Site, instance: CloudInstance, from: number): void {
  closeCharges(site, instance.id, from);
  const rate = diskRate(ROOT_DISK_GB);
  open(site, { resourceId: instance.id, name: instance.name, kind: "disk", billing: instance.billing, from, rate });
}

export function billVolume(site: Site, volume: CloudVolume): void {
  const rate = diskRate(volume.sizeGb);
  open(site, { resourceId: volume.id, name: volume.name, kind: "disk", billing: "on-demand", from: volume.createdAt, rate });
}

export interface BillItem {
  readonly resourceId: string;
  readonly name: string;
  readonly kind: "gpu" | "disk";
  readonly billing: "spot" | "on-demand";
  readonly from: string;
  /** For an open one: now. */
  readonly to: string;
  /** Every begun second counts. */
  readonly seconds: number;
  /** Per hour. */
  readonly rate: string;
  readonly amount: string;
  readonly currency: string;
  readonly open: boolean;
}

/** Every interval that had not ended at `since`, whole. */
export function bill(site: Site, since: number): readonly BillItem[] {
  const now = site.clock.now();
  return site.database.charges(since).map((charge) => {
    const to = charge.to ?? Math.max(now, charge.from);
    const seconds = Math.ceil((to - charge.from) / 1000);
    return {
      resourceId: charge.resourceId,
      name: charge.name,
      kind: charge.kind,
      billing: charge.billing,
      from: new Date(charge.from).toISOString(),
      to: new Date(to).toISOString(),
      seconds,
      rate: charge.rate,
      amount: moneyToDecimal(costOf(moneyFromDecimal(charge.rate, CURRENCY), seconds * 1000)),
      currency: CURRENCY,
      open: charge.to === null,
    };
  });
}
