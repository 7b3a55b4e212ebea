import { suggestion } from "../model/nearest.ts";
import { usageProblem } from "../model/problem.ts";
import type { World } from "../platform/world.ts";
import type { LocalControl } from "./local-control.ts";
import type { Provider } from "./provider.ts";

const PROVIDERS: Readonly<Record<string, (world: World) => Promise<Provider>>> = {
  local: (world) => import("./local/provider.ts").then(({ localProvider }) => localProvider(world)),
  ppio: (world) => import("./ppio/provider.ts").then(({ ppioProvider }) => ppioProvider(world)),
  novita: (world) => import("./ppio/provider.ts").then(({ novitaProvider }) => novitaProvider(world)),
  hyperstack: (world) => import("./hyperstack/provider.ts").then(({ hyperstackProvider }) => hyperstackProvider(world)),
  verda: (world) => import("./verda/provider.ts").then(({ verdaProvider }) => verdaProvider(world)),
  aws: (world) => import("./aws/provider.ts").then(({ awsProvider }) => awsProvider(world)),
  alibaba: (world) => import("./alibaba/provider.ts").then(({ alibabaProvider }) => alibabaProvider(world)),
  gcp: (world) => import("./gcp/provider.ts").then(({ gcpProvider }) => gcpProvider(world)),
};

/** The ids that `--provider` accepts. */
export function knownProviders(): readonly string[] {
  return Object.keys(PROVIDERS);
}

/** @throws Problem (usage, with the nearest known id) for an unknown provider. */
export async function createProvider(id: string, world: World): Promise<Provider> {
  const create = Object.hasOwn(PROVIDERS, id) ? PROVIDERS[id] : undefined;
  if (create === undefined) throw usageProblem(`there is no provider ${JSON.stringify(id)}`, suggestion(id, knownProviders()));
  return create(world);
}

/** The operator's side of the embedded cloud, for `spot local …`. `autoStart: false` leaves a cloud that does not run alone. */
export async function openLocalControl(world: World, options: { readonly autoStart: boolean }): Promise<LocalControl> {
  const { localControl } = await import("./local/control.ts");
  return localControl(world, options);
}
