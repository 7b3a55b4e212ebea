import { ACCELERATORS, MACHINE_TYPES, ZONES } from "./catalogue.ts";
import type { Failure } from "./operations.ts";
import { PROJECT, type Site, type Vm } from "./site.ts";

const USUAL_STOCK = 14;

/** What a machine takes one of: its type, or the GPU beside an N1. */
function kindOf(vm: Pick<Vm, "type" | "accelerator">): string {
  const brings = MACHINE_TYPES.find(({ name }) => name === vm.type)?.accelerator != null;
  return vm.accelerator === null || brings ? vm.type : vm.accelerator.type;
}

export function stockOf(site: Site, vm: Pick<Vm, "zone" | "type" | "accelerator">): number {
  const own = site.stock.get(`${vm.zone}/${vm.type}`) ?? USUAL_STOCK;
  const kind = kindOf(vm);
  return kind === vm.type ? own : Math.min(own, site.stock.get(`${vm.zone}/${kind}`) ?? USUAL_STOCK);
}

export function takePlace(site: Site, vm: Vm): void {
  if (vm.hasPlace) return;
  vm.hasPlace = true;
  const key = `${vm.zone}/${kindOf(vm)}`;
  site.stock.set(key, (site.stock.get(key) ?? USUAL_STOCK) - 1);
}

export function givePlace(site: Site, vm: Vm): void {
  if (!vm.hasPlace) return;
  vm.hasPlace = false;
  const key = `${vm.zone}/${kindOf(vm)}`;
  site.stock.set(key, (site.stock.get(key) ?? USUAL_STOCK) + 1);
}

/** How many more of a machine type, or of a kind of GPU beside N1, can be had. */
export function setStock(site: Site, what: string, count: number, zone?: string): void {
  if (![...MACHINE_TYPES, ...ACCELERATORS].some(({ name }) => name === what)) throw new Error(`the fake rents no ${what}`);
  for (const one of zone === undefined ? ZONES : [zone]) site.stock.set(`${one}/${what}`, count);
}

/** Two spaces before "Try", as the real one writes it. */
export function stockOut(site: Site, zone: string): Failure {
  return {
    code: site.switches.stockOutCode,
    httpStatus: 503,
    message: `The zone 'projects/${PROJECT}/zones/${zone}' does not have enough resources available to fulfill the request.  Try a different zone, or try again later.`,
    ...(site.switches.stockOutCode === "ZONE_RESOURCE_POOL_EXHAUSTED"
      ? {}
      : {
          errorDetails: [{ errorInfo: { reason: "resource_availability", domain: "compute.googleapis.com", metadatas: { zone } } }],
        }),
  };
}
