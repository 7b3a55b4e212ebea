import { ACCELERATORS, IMAGES, MACHINE_TYPES, machineType, REGIONS, ZONES } from "./catalogue.ts";
import {
  acceleratorTypeJson,
  firewallJson,
  imageJson,
  machineTypeJson,
  networkOfProjectJson,
  projectJson,
  regionJson,
  zoneJson,
} from "./catalogue-answers.ts";
import { deleteFirewall, insertFirewall } from "./changes.ts";
import { aggregated, list, type Placed, type Row } from "./lists.ts";
import { projectQuotas } from "./quotas.ts";
import { notFound } from "./refusal.ts";
import { AGGREGATED, change, globally, inScope, LIST, type Route, read, zoneNamed } from "./route.ts";
import { fullName, PROJECT, type Site } from "./site.ts";

const placedByZone = <Kind extends { readonly name: string; readonly zones: readonly string[] }>(
  kinds: readonly Kind[],
  show: (zone: string, kind: Kind) => Row,
): readonly Placed[] =>
  kinds.flatMap((kind) => kind.zones.map((zone) => ({ scope: `zones/${zone}`, name: kind.name, row: () => show(zone, kind) })));

const machineTypes = (site: Site) => placedByZone(MACHINE_TYPES, (zone, type) => machineTypeJson(site, zone, type));
const acceleratorTypes = (site: Site) => placedByZone(ACCELERATORS, (zone, kind) => acceleratorTypeJson(site, zone, kind));

export const CATALOGUE: readonly Route[] = [
  read(
    "aggregated/machineTypes",
    ({ site, query }) =>
      aggregated(site, query, { kind: "compute#machineTypeAggregatedList", key: "machineTypes", name: "machineTypes" }, machineTypes(site)),
    AGGREGATED,
  ),
  read(
    "zones/{z}/machineTypes",
    ({ site, query }, zone = "") =>
      list(site, query, "compute#machineTypeList", `zones/${zoneNamed(zone)}/machineTypes`, inScope(machineTypes(site), `zones/${zone}`)),
    LIST,
  ),
  read("zones/{z}/machineTypes/{t}", ({ site }, zone = "", name = "") => {
    const type = machineType(zoneNamed(zone), name);
    if (type === undefined) throw notFound(fullName(`zones/${zone}/machineTypes/${name}`));
    return machineTypeJson(site, zone, type);
  }),
  read(
    "aggregated/acceleratorTypes",
    ({ site, query }) =>
      aggregated(
        site,
        query,
        { kind: "compute#acceleratorTypeAggregatedList", key: "acceleratorTypes", name: "acceleratorTypes" },
        acceleratorTypes(site),
      ),
    AGGREGATED,
  ),
  read(
    "zones/{z}/acceleratorTypes",
    ({ site, query }, zone = "") =>
      list(
        site,
        query,
        "compute#acceleratorTypeList",
        `zones/${zoneNamed(zone)}/acceleratorTypes`,
        inScope(acceleratorTypes(site), `zones/${zone}`),
      ),
    LIST,
  ),
  read(
    "zones",
    ({ site, query }) => list(site, query, "compute#zoneList", "zones", globally(ZONES.map((zone) => zoneJson(site, zone)))),
    LIST,
  ),
  read("zones/{z}", ({ site }, zone = "") => zoneJson(site, zoneNamed(zone))),
  read(
    "regions",
    ({ site, query }) => list(site, query, "compute#regionList", "regions", globally(REGIONS.map(({ name }) => regionJson(site, name)))),
    LIST,
  ),
  read("regions/{r}", ({ site }, name = "") => {
    if (!REGIONS.some((region) => region.name === name)) throw notFound(fullName(`regions/${name}`));
    return regionJson(site, name);
  }),
  read("", ({ site }) => projectJson(site, projectQuotas(site))),
  read("global/networks/{n}", ({ site }, name = "") => {
    if (name !== "default") throw notFound(fullName(`global/networks/${name}`));
    return networkOfProjectJson(site);
  }),
  read(
    "global/networks",
    ({ site, query }) => list(site, query, "compute#networkList", "global/networks", globally([networkOfProjectJson(site)])),
    LIST,
  ),
];

export const FIREWALLS: readonly Route[] = [
  read(
    "global/firewalls",
    ({ site, query }) =>
      list(
        site,
        query,
        "compute#firewallList",
        "global/firewalls",
        globally([...site.firewalls.values()].map((one) => firewallJson(site, one))),
      ),
    LIST,
  ),
  read("global/firewalls/{f}", ({ site }, name = "") => {
    const firewall = site.firewalls.get(name);
    if (firewall === undefined) throw notFound(fullName(`global/firewalls/${name}`));
    return firewallJson(site, firewall);
  }),
  change("POST", "global/firewalls", ({ site, body }) => insertFirewall(site, body)),
  change("DELETE", "global/firewalls/{f}", ({ site }, name = "") => deleteFirewall(site, name)),
];

/** Images of anybody's project, which everybody may read. */
export function imageRead(site: Site, project: string, path: string): unknown {
  const family = /^global\/images\/family\/([^/]+)$/.exec(path)?.[1];
  const name = /^global\/images\/([^/]+)$/.exec(path)?.[1];
  const image = IMAGES.find((one) => one.project === project && (family === undefined ? one.name === name : one.family === family));
  if (image === undefined || project === PROJECT) throw notFound(`projects/${project}/${path}`);
  return imageJson(site, image);
}
