import { FRESH_OUTLOOK } from "../../src/model/outlook.ts";
import type { InstanceRecord, InstanceSpec, IntentRecord, LedgerRecord, NewEvent, VolumeRecord } from "../../src/state/records.ts";

export const usd = (micros: number) => ({ micros: BigInt(micros), currency: "USD" });

export function sampleSpec(name: string, set: Partial<InstanceSpec> = {}): InstanceSpec {
  return {
    name,
    providers: ["local"],
    gpu: { model: "H100", count: 1 },
    billing: "spot",
    maxPrice: "2.5",
    regions: [],
    image: null,
    volume: { name, sizeGb: 10, mount: "/data" },
    ttlMs: null,
    idleMs: null,
    idleBy: "exit",
    env: {},
    onReclaim: "replace",
    onRebalance: "log",
    fallbackAfterMs: null,
    returnToSpot: false,
    checkpointHook: null,
    checkpointEveryMs: null,
    readyHttp: null,
    readyCmd: null,
    command: ["node", "train.mjs"],
    workdir: null,
    ports: [],
    registryAuth: null,
    fleet: null,
    labels: {},
    ...set,
  };
}

export function sampleInstance(name: string, set: Partial<InstanceRecord> = {}): InstanceRecord {
  return {
    id: `i-${name}`,
    name,
    spec: sampleSpec(name),
    desired: "running",
    state: "running",
    rawState: "running",
    provider: "local",
    providerId: `local-${name}`,
    region: "local-1",
    zone: "local-1a",
    type: "h100.1",
    gpu: { model: "H100", count: 1, vramGb: 80 },
    billing: "spot",
    price: usd(1_990_000),
    onDemandPrice: usd(3_500_000),
    createdAt: 1_700_000_000_000,
    changedAt: 1_700_000_000_000,
    readyAt: null,
    protectedUntil: null,
    notice: null,
    parked: null,
    volumes: [{ name, id: `v-${name}`, mount: "/data" }],
    ssh: null,
    fleet: null,
    ttlEndsAt: null,
    idleMs: null,
    labels: {},
    generation: 1,
    skipSnapshot: false,
    parkOnly: false,
    sealedAsleep: false,
    retainAddress: false,
    rootVolume: null,
    dataKeptUntil: null,
    endpoints: [],
    wakeBy: null,
    outlook: FRESH_OUTLOOK,
    forgottenAt: null,
    account: null,
    reason: null,
    version: 1,
    ...set,
  };
}

export function sampleIntent(id: string, set: Partial<IntentRecord> = {}): IntentRecord {
  return {
    id,
    kind: "launch",
    instanceId: "i-a",
    provider: "local",
    token: `t-${id}`,
    createdAt: 1_700_000_000_000,
    status: "pending",
    closedAt: null,
    detail: { zone: "local-1a" },
    ...set,
  };
}

export function sampleVolume(name: string, set: Partial<VolumeRecord> = {}): VolumeRecord {
  return {
    id: `v-${name}`,
    name,
    provider: "local",
    providerId: null,
    region: "local-1",
    zone: "local-1a",
    sizeGb: 10,
    state: "available",
    createdAt: 1_700_000_000_000,
    pricePerHour: usd(137),
    ...set,
  };
}

export function sampleLedger(id: string, set: Partial<LedgerRecord> = {}): LedgerRecord {
  return {
    id,
    instanceId: "i-a",
    instance: "a",
    fleet: null,
    provider: "local",
    providerId: "local-a",
    kind: "gpu",
    billing: "spot",
    from: 1000,
    to: null,
    rate: usd(1_990_000),
    onDemandRate: usd(3_500_000),
    billed: null,
    ...set,
  };
}

export function sampleEvent(set: Partial<NewEvent> = {}): NewEvent {
  return { at: 1000, type: "state", instance: "a", provider: "local", data: { to: "running" }, ...set };
}
