import { operationJson } from "./answers.ts";
import { CATALOGUE, FIREWALLS } from "./catalogue-routes.ts";
import { INSTANCES } from "./instance-routes.ts";
import { aggregated, list, type Placed } from "./lists.ts";
import { knownOperations, operationOf } from "./operations.ts";
import { AGGREGATED, type Call, inScope, LIST, type Route, read, route } from "./route.ts";
import type { Site } from "./site.ts";
import { STORAGE } from "./storage-routes.ts";

const scopedOperations = (site: Site): readonly Placed[] =>
  knownOperations(site).map((operation) => ({ scope: operation.scope, name: operation.name, row: () => operationJson(site, operation) }));

/** The operations of a zone, of a region, or those of neither. */
function operationsOf(scope: string): readonly Route[] {
  const filled = ({ parts: [place = ""] }: Call) => scope.replace(/\{\w+\}/, place);
  const wanted = (call: Call) => operationOf(call.site, filled(call), call.parts.at(-1) ?? "");
  return [
    route("GET", `${scope}/operations`, LIST, (call) => {
      const path = filled(call);
      return {
        json: list(call.site, call.query, "compute#operationList", `${path}/operations`, inScope(scopedOperations(call.site), path)),
      };
    }),
    route("GET", `${scope}/operations/{o}`, [], (call) => ({ json: operationJson(call.site, wanted(call)) })),
    route("POST", `${scope}/operations/{o}/wait`, [], (call) => ({ waitFor: wanted(call) })),
  ];
}

const OPERATIONS: readonly Route[] = [
  read(
    "aggregated/operations",
    ({ site, query }) =>
      aggregated(site, query, { kind: "compute#operationAggregatedList", key: "operations", name: "operations" }, scopedOperations(site)),
    AGGREGATED,
  ),
  ...["zones/{z}", "regions/{r}", "global"].flatMap(operationsOf),
];

export const ROUTES: readonly Route[] = [...INSTANCES, ...STORAGE, ...CATALOGUE, ...FIREWALLS, ...OPERATIONS];
