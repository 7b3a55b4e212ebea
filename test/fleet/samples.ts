import type { Observation } from "../../src/fleet/deciding/decision.ts";
import { NOTHING_NEAR } from "../../src/fleet/deciding/stay.ts";
import { moneyFromDecimal } from "../../src/model/money.ts";
import type { Offer } from "../../src/model/offer.ts";
import type { ProviderInstance } from "../../src/providers/provider.ts";
import type { InstanceRecord, IntentRecord } from "../../src/state/records.ts";
import { paperSpec } from "../simulation/paper-world.ts";
import { sampleInstance } from "../state/sample-records.ts";

export const NOW = 1_800_000_000_000;

export function record(set: Partial<InstanceRecord> = {}): InstanceRecord {
  return sampleInstance("train", {
    id: "i-1",
    spec: paperSpec(),
    rawState: "",
    provider: "paper",
    providerId: "m-1",
    region: "north",
    zone: "north-a",
    price: moneyFromDecimal("1", "USD"),
    onDemandPrice: moneyFromDecimal("3", "USD"),
    createdAt: NOW - 1_000_000,
    readyAt: NOW - 900_000,
    changedAt: NOW - 900_000,
    volumes: [],
    ...set,
  });
}

export function machine(set: Partial<ProviderInstance> = {}): ProviderInstance {
  return {
    providerId: "m-1",
    name: "train",
    token: "t-1",
    state: "running",
    rawState: "RUNNING",
    region: "north",
    zone: "north-a",
    type: "h100.1",
    gpu: { model: "H100", count: 1, vramGb: 80 },
    billing: "spot",
    price: null,
    createdAt: null,
    protectedUntil: null,
    notice: null,
    reach: null,
    volumeIds: [],
    reason: null,
    endedBy: null,
    canHibernate: true,
    dataKeptUntil: null,
    endpoints: [],
    rootVolumeId: null,
    ...set,
  };
}

export function launchIntent(set: Partial<IntentRecord> = {}): IntentRecord {
  return {
    id: "n-1",
    kind: "launch",
    instanceId: "i-1",
    provider: "paper",
    token: "t-1",
    createdAt: NOW - 1_000,
    status: "pending",
    closedAt: null,
    detail: {},
    ...set,
  };
}

export function seen(set: Partial<Observation> = {}): Observation {
  return {
    now: NOW,
    cloud: { kind: "here", instance: machine() },
    launchIntent: null,
    aheadIntent: null,
    heir: null,
    canAttach: false,
    foundByToken: null,
    listSettlesMs: 5_000,
    hibernates: "native",
    pollMs: 150,
    waitsForCapacity: false,
    machine: { kind: "process", notices: "local", endsItself: true, volumes: "mounted" },
    looksEveryMs: null,
    attachVolume: null,
    guest: null,
    ready: false,
    near: NOTHING_NEAR,
    ...set,
  };
}

export function offer(set: Partial<Offer> = {}): Offer {
  return {
    provider: "paper",
    region: "north",
    zone: "north-a",
    type: "h100.1",
    gpu: { model: "H100", count: 1, vramGb: 80 },
    vcpus: 16,
    memoryGb: 128,
    billing: "spot",
    price: moneyFromDecimal("1", "USD"),
    onDemandPrice: null,
    stock: 3,
    noticeSeconds: 120,
    protectionSeconds: 0,
    interruptionsPerHour: null,
    source: "live",
    observedAt: NOW,
    ...set,
  };
}
