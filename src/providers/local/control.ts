import type { LocalControl } from "../local-control.ts";
import { type LocalWorld, localClient } from "./client.ts";
import { anything, chaosSchema, healthSchema, instancePage, marketSchema, oneInstance } from "./wire.ts";

/** `autoStart: false` leaves a cloud that does not run alone: calls then fail as `unavailable`. */
export function localControl(world: LocalWorld, options: { readonly autoStart: boolean }): LocalControl {
  const client = localClient(world, options);
  const instanceOf = async (path: string, body: unknown, signal: AbortSignal) =>
    (await client.call(oneInstance, { method: "POST", path, body, signal })).instance;
  return {
    health: (signal) => client.call(healthSchema, { method: "GET", path: "/v1/health", signal }),
    instances: async (signal) => (await client.call(instancePage, { method: "GET", path: "/v1/instances?limit=1000", signal })).instances,
    reclaim: (instance, { noticeSeconds, kind }, signal) => instanceOf("/v1/control/reclaim", { instance, noticeSeconds, kind }, signal),
    withdraw: (instance, signal) => instanceOf("/v1/control/withdraw", { instance }, signal),
    market: (signal) => client.call(marketSchema, { method: "GET", path: "/v1/control/market", signal }),
    setMarket: (body, signal) => client.call(marketSchema, { method: "PUT", path: "/v1/control/market", body, signal }),
    chaos: async (signal) => (await client.call(chaosSchema, { method: "GET", path: "/v1/control/chaos", signal })).rules,
    addChaos: async (body, signal) => (await client.call(chaosSchema, { method: "POST", path: "/v1/control/chaos", body, signal })).rules,
    clearChaos: async (signal) => void (await client.call(anything, { method: "DELETE", path: "/v1/control/chaos", signal })),
    shutdown: async (force, signal) =>
      void (await client.call(anything, { method: "POST", path: "/v1/control/shutdown", body: { force }, signal })),
    reset: async (signal) => void (await client.call(anything, { method: "POST", path: "/v1/control/reset", body: {}, signal })),
    close: () => client.close(),
  };
}
