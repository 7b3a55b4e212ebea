import { type Money, moneyFromDecimal } from "../src/model/money.ts";
import { FRESH_OUTLOOK } from "../src/model/outlook.ts";
import { openState } from "../src/state/open.ts";
import type { InstanceRecord } from "../src/state/records.ts";

const price: Money = moneyFromDecimal("1.47", "USD");

function instance(number: number): InstanceRecord {
  const name = `bench-${String(number).padStart(4, "0")}`;
  return {
    id: `i-${name}`,
    name,
    spec: {
      name,
      providers: ["local"],
      gpu: { model: "H100", count: 1 },
      billing: "spot",
      maxPrice: null,
      regions: [],
      image: null,
      volume: { name: `${name}-data`, sizeGb: 20, mount: "/data" },
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
      command: ["node", "train.js"],
      workdir: null,
      ports: [],
      registryAuth: null,
      fleet: null,
      labels: {},
    },
    desired: "running",
    state: "running",
    rawState: "running",
    provider: "local",
    providerId: `local-${number}`,
    region: "local-east",
    zone: "local-east-a",
    type: "h100.1",
    gpu: { model: "H100", count: 1, vramGb: 80 },
    billing: "spot",
    price,
    onDemandPrice: price,
    createdAt: 1_700_000_000_000 + number,
    changedAt: 1_700_000_001_000 + number,
    readyAt: 1_700_000_001_000 + number,
    protectedUntil: null,
    notice: null,
    parked: null,
    volumes: [{ name: `${name}-data`, id: `v-${number}`, mount: "/data" }],
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
    account: null,
    dataKeptUntil: null,
    endpoints: [],
    wakeBy: null,
    forgottenAt: null,
    outlook: FRESH_OUTLOOK,
    reason: null,
    version: 1,
  };
}

/** Fills a database with running instances and one open ledger interval each, as a large fleet has them. */
export async function seed(path: string, count: number): Promise<void> {
  const state = await openState(path);
  for (let number = 0; number < count; number++) {
    const record = instance(number);
    await state.commit({
      addInstance: record,
      ledger: [
        {
          id: `l-${number}`,
          instanceId: record.id,
          instance: record.name,
          fleet: null,
          provider: "local",
          providerId: record.providerId ?? "",
          kind: "gpu",
          billing: "spot",
          from: record.createdAt,
          to: null,
          rate: price,
          onDemandRate: price,
          billed: null,
        },
      ],
    });
  }
  await state.close();
}
