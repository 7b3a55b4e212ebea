import { machineType, ZONES } from "./catalogue.ts";
import { instanceOrder } from "./instance-order.ts";
import { runAtOnce } from "./lifecycle.ts";
import { spotVm } from "./requests.ts";
import { type Site, vmKey } from "./site.ts";

const HAVE_GPUS = ZONES.filter((zone) => machineType(zone, "g2-standard-4") !== undefined);

/** One machine of a crowd, with the labels of ours; its id. */
export function populated(site: Site, number: number, { name, token }: { readonly name: string; readonly token: string | null }): string {
  const zone = HAVE_GPUS[number % HAVE_GPUS.length] ?? "";
  const labels = token === null ? {} : { "spot-fleet-token": token, "spot-fleet-name": name };
  const resource = token === null || name.endsWith(token) ? name : `${name}-${token}`;
  const vm = runAtOnce(site, instanceOrder(site, zone, spotVm(resource, { labels }, zone), false));
  return vmKey(vm.zone, vm.name);
}
