import { type LocalWorld, localClient } from "./client.ts";
import {
  anything,
  type ChaosRules,
  chaosSchema,
  type Health,
  healthSchema,
  instancePage,
  type Market,
  marketSchema,
  oneInstance,
  type WireInstance,
} from "./wire.ts";

/** What an operator of the embedded cloud may do; no part of the provider port. Everything throws ProviderError. */
export interface LocalControl {
  health(signal: AbortSignal): Promise<Health>;
  instances(signal: AbortSignal): Promise<readonly WireInstance[]>;
  reclaim(
    instance: string,
    options: { readonly noticeSeconds: number | null; readonly kind: "reclaim" | "rebalance" },
    signal: AbortSignal,
  ): Promise<WireInstance>;
  withdraw(instance: string, signal: AbortSignal): Promise<WireInstance>;
  market(signal: AbortSignal): Promise<Market>;
  setMarket(change: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<Market>;
  chaos(signal: AbortSignal): Promise<ChaosRules>;
  addChaos(rule: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<ChaosRules>;
  clearChaos(signal: AbortSignal): Promise<void>;
  shutdown(force: boolean, signal: AbortSignal): Promise<void>;
  reset(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

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
