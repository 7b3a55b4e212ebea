import type { GuestSettings } from "../../guest/settings.ts";
import type { Account } from "../../model/account.ts";
import type { Gpu } from "../../model/gpu.ts";
import { newId } from "../../model/ids.ts";
import type { Money } from "../../model/money.ts";
import type { ProviderInstance, ProviderVolume } from "../../providers/provider.ts";
import type { InstanceRecord, InstanceSpec, IntentRecord, LedgerRecord, VolumeRecord } from "../../state/records.ts";
import type { Fleet } from "../fleet.ts";
import { openedInterval } from "../ledger.ts";
import { orderFrom } from "../spec/spec-order.ts";
import { newRecord } from "../up.ts";

const LONGEST_NAME = 40;

/** A name of ours out of what a cloud says; one that is taken gets a number. */
export function freeName(said: string, fallback: string, taken: ReadonlySet<string>): string {
  const plain = said
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, "-")
    .replace(/^[^a-z]+/, "")
    .slice(0, LONGEST_NAME)
    .replace(/-+$/, "");
  const base = plain === "" ? fallback : plain;
  for (let count = 1; ; count++) {
    const suffix = count === 1 ? "" : `-${count}`;
    const name = `${base.slice(0, LONGEST_NAME - suffix.length).replace(/-+$/, "")}${suffix}`;
    if (!taken.has(name)) return name;
  }
}

/** Everything that could be found out about a machine that is to be taken over. */
export interface Facts {
  readonly provider: string;
  readonly instance: ProviderInstance;
  /** What its agent says; undefined when it was not reached. */
  readonly settings: GuestSettings | undefined;
  /** The record that stood for it before. */
  readonly before: InstanceRecord | undefined;
  /** What the cloud offers such a machine for. */
  readonly offer: { readonly price: Money; readonly onDemandPrice: Money | null; readonly gpu: Gpu } | undefined;
  /** `isTaken`: another volume has its name already, so it has another one here. */
  readonly volumes: readonly { readonly record: VolumeRecord; readonly isNew: boolean; readonly isTaken: boolean }[];
  /** Whose account it is in; null when nobody can tell. */
  readonly account: Account | null;
  /** The newest end of what was paid for this very machine before. */
  readonly paidUntil: number | null;
}

/** What a cloud's machine is to us once it is taken over; null when it is on its way from one state to another, or over. */
export function adoptedState(state: ProviderInstance["state"]): Pick<InstanceRecord, "state" | "desired" | "parked"> | null {
  switch (state) {
    case "running":
    // The notice itself is written down by the next look.
    case "reclaiming":
      return { state: "running", desired: "running", parked: null };
    case "stopped":
      return { state: "stopped", desired: "running", parked: null };
    case "hibernated":
      return { state: "hibernated", desired: "hibernated", parked: "native" };
    default:
      return null;
  }
}

/** Per hour; null when neither its cloud, nor its record, nor an offer says it. */
const priceOf = ({ instance, before, offer }: Facts) => instance.price ?? before?.price ?? offer?.price ?? null;

/** What is not known of it, and what follows from that. For people. */
export function missingOf(facts: Facts, spec: InstanceSpec): readonly string[] {
  const { settings, before, instance } = facts;
  const isUnpriced = priceOf(facts) === null;
  const unpriced = ["its price, so that neither costs nor budgets count it until its cloud tells one"];
  if (before !== undefined) return isUnpriced ? unpriced : [];
  const policy = `after a reclaim it is ${spec.volume === null ? "let go" : "parked on its volume"}, not replaced`;
  const price = isUnpriced ? unpriced : instance.price === null ? ["what it cost before now"] : [];
  if (settings === undefined)
    return [`its command, its time limits, its policy, its fleet and its labels, since its agent was not reached; ${policy}`, ...price];
  const names = settings.envNames;
  if (names.length > 0)
    return [`the values of ${names.slice(0, 5).join(", ")}${names.length > 5 ? " …" : ""}, which stay on the machine; ${policy}`, ...price];
  return settings.command === null ? [`its command; ${policy}`, ...price] : price;
}

/** What was asked for, as far as anybody still knows. Pure. */
export function adoptedSpec(facts: Facts, name: string): InstanceSpec {
  const { provider, instance, settings, before, volumes } = facts;
  const [first] = volumes;
  const mount = settings?.volumeMount ?? before?.spec.volume?.mount ?? "/data";
  const volume = first === undefined ? null : { name: first.record.name, sizeGb: first.record.sizeGb, mount };
  if (before !== undefined) return { ...before.spec, name, volume };
  const order = orderFrom(settings?.order ?? null);
  // Another machine could not be given what only this one knows: it would run, and not do what it should.
  const isWhole = settings !== undefined && settings.envNames.length === 0 && settings.command !== null;
  const isReplaceable = isWhole || order.onReclaim !== "replace";
  const ttlMs = settings?.ttlEndsAt == null ? null : Math.max(0, settings.ttlEndsAt * 1000 - (instance.createdAt ?? 0));
  return {
    ...order,
    name,
    providers: order.providers.length > 0 ? order.providers : [provider],
    gpu: instance.gpu.count > 0 ? { model: instance.gpu.model, count: instance.gpu.count } : null,
    billing: instance.billing === "spot" ? "spot" : "on-demand",
    volume,
    ttlMs: instance.createdAt === null ? null : ttlMs,
    idleMs: settings?.idleSeconds == null ? null : settings.idleSeconds * 1000,
    env: {},
    onReclaim: isReplaceable ? order.onReclaim : volume === null ? "let-go" : "hibernate",
    checkpointHook: settings?.checkpointHook ?? null,
    checkpointEveryMs: settings?.checkpointEverySeconds == null ? null : settings.checkpointEverySeconds * 1000,
    command: settings?.command ?? [],
    workdir: settings?.workdir ?? null,
  };
}

/** The record that stands for a machine from now on. */
export function adoptedRecord(fleet: Fleet, facts: Facts, name: string): InstanceRecord | null {
  const { provider, instance, settings, before, offer, volumes } = facts;
  const state = adoptedState(instance.state);
  if (state === null) return null;
  const now = fleet.clock.now();
  const spec = adoptedSpec(facts, name);
  const { region, zone, type, billing, providerId } = instance;
  const gpu = instance.gpu.count > 0 ? instance.gpu : (before?.gpu ?? offer?.gpu ?? instance.gpu);
  const missing = missingOf(facts, spec);
  const createdAt = Math.min(instance.createdAt ?? now, now);
  const fresh = newRecord(fleet, spec, { ...NO_OFFER, provider, region, zone, type, gpu, billing });
  return {
    ...fresh,
    ...state,
    rawState: instance.rawState,
    providerId,
    price: priceOf(facts),
    onDemandPrice: before?.onDemandPrice ?? offer?.onDemandPrice ?? null,
    createdAt,
    readyAt: state.desired === "running" ? createdAt : null,
    protectedUntil: instance.protectedUntil,
    dataKeptUntil: instance.dataKeptUntil,
    account: facts.account,
    volumes: volumes.map(({ record }) => ({ name: record.name, id: record.id, mount: spec.volume?.mount ?? "/data" })),
    ssh: instance.reach?.kind === "ssh" ? { host: instance.reach.host, port: instance.reach.port, user: instance.reach.user } : null,
    endpoints: instance.endpoints,
    ttlEndsAt: settings?.ttlEndsAt == null ? (before?.ttlEndsAt ?? null) : settings.ttlEndsAt * 1000,
    reason: missing.length === 0 ? "taken over" : `taken over; not known: ${missing.join("; ")}`,
  };
}

/** A record begins with an offer; of a machine that is there already the rest is told by itself. */
const NO_OFFER = {
  vcpus: 0,
  memoryGb: 0,
  price: { micros: 0n, currency: "USD" },
  onDemandPrice: null,
  stock: "unknown",
  noticeSeconds: 0,
  protectionSeconds: 0,
  interruptionsPerHour: null,
  source: "live",
  observedAt: 0,
} as const;

/** The promise that would have been written, had it been ours: from now on its token is known. */
export function keptPromise(
  fleet: Fleet,
  kind: "launch" | "volume-create" | "volume-snapshot",
  provider: string,
  token: string,
  detail: IntentRecord["detail"],
  instanceId: string | null = null,
): IntentRecord {
  const at = fleet.clock.now();
  const id = newId("n", fleet.rng);
  return { id, kind, instanceId, provider, token, createdAt: at, status: "done", closedAt: at, detail: { ...detail, adopted: true } };
}

/** What it has cost since it is there, at the price of now; what was paid for it before is not counted twice. */
export function adoptedInterval(record: InstanceRecord, { paidUntil }: Facts): LedgerRecord | null {
  if (record.providerId === null) return null;
  return openedInterval(record, record.providerId, Math.max(record.createdAt, paidUntil ?? record.createdAt));
}

export function adoptedVolume(fleet: Fleet, provider: string, volume: ProviderVolume, name: string, account: Account | null): VolumeRecord {
  const { providerId, region, zone, sizeGb, pricePerHour } = volume;
  const whose = account === null ? {} : { account: account.id };
  const common = { name, provider, providerId, region, zone, sizeGb, pricePerHour, ...whose };
  return { ...common, id: newId("v", fleet.rng), state: "available", createdAt: fleet.clock.now() };
}

/** `fleet`: of the instance that the disk is on; null for one of its own. */
export function diskInterval(volume: VolumeRecord, fleet: string | null): readonly LedgerRecord[] {
  const { id, name, provider, providerId, createdAt, pricePerHour: rate } = volume;
  if (rate === null || providerId === null) return [];
  const common = { instanceId: null, instance: name, fleet, provider, providerId, kind: "disk", billing: "on-demand" } as const;
  return [{ ...common, id: `${id}/${createdAt}`, from: createdAt, to: null, rate, onDemandRate: rate, billed: null }];
}
