import type { Checkpoint } from "../model/checkpoint.ts";
import type { FleetEvent } from "../model/event.ts";
import type { Gpu } from "../model/gpu.ts";
import type { Guard } from "../model/guard.ts";
import { type Money, moneyFromDecimal, moneyJson, moneyToDecimal } from "../model/money.ts";
import { type WorkloadEnd, workloadEnd } from "../model/workload-end.ts";
import type { CostSoFar } from "../pricing/instance-cost.ts";
import type { InstanceSpec, ListedRecord } from "../state/records.ts";

/** ISO-8601 UTC, or null. */
export function isoTime(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

/** An hourly rate and what it is for. */
function rateJson(rate: Money): Readonly<Record<string, unknown>> {
  return { amount: moneyToDecimal(rate), currency: rate.currency, per: "hour", of: "instance" };
}

/** A GPU with all its fields, whichever cloud it is of: `form` is null where none is known. */
export function gpuJson({ model, count, vramGb, form }: Gpu): Readonly<Record<string, unknown>> {
  return { model, count, vramGb, form: form ?? null };
}

/** One instance as `spot.instances/1` promises it. */
export function instanceJson(
  record: ListedRecord,
  cost: CostSoFar | undefined,
  guard: Guard | null = null,
): Readonly<Record<string, unknown>> {
  return {
    name: record.name,
    id: record.id,
    provider: record.provider,
    providerId: record.providerId,
    region: record.region,
    zone: record.zone,
    type: record.type,
    gpu: gpuJson(record.gpu),
    billing: record.billing,
    state: record.state,
    rawState: record.rawState,
    desired: record.desired,
    // Left out of the JSON when it is not hibernated. No spreads here: a thousand of them are felt in `ls`.
    parked: record.parked ?? undefined,
    price: record.price === null ? null : rateJson(record.price),
    createdAt: isoTime(record.createdAt),
    readyAt: isoTime(record.readyAt),
    protectedUntil: isoTime(record.protectedUntil),
    notice:
      record.notice === null
        ? null
        : {
            ...record.notice,
            seenAt: isoTime(record.notice.seenAt),
            deadline: isoTime(record.notice.deadline),
            heard: record.notice.heard === undefined ? undefined : heardJson(record.notice.heard),
          },
    volumes: record.volumes,
    fleet: record.fleet,
    ttlEndsAt: isoTime(record.ttlEndsAt),
    guard: guard === null ? null : { ...guard, heartbeatAt: isoTime(guard.heartbeatAt), silentSince: isoTime(guard.silentSince) },
    cost:
      cost === undefined
        ? null
        : { amount: moneyToDecimal(cost.amount), currency: cost.amount.currency, basis: cost.basis, also: cost.also?.map(moneyJson) },
    ssh: record.ssh,
    endpoints: record.endpoints,
    dataKeptUntil: isoTime(record.dataKeptUntil),
    labels: record.labels,
    generation: record.generation,
    account: record.account,
    reason: record.reason,
    workloadEnd: workloadEndJson(workloadEnd(record)),
  };
}

/** How its command ended; null while it has not, as far as anybody heard. */
function workloadEndJson(end: WorkloadEnd | null): unknown {
  return end === null ? null : { exitCode: end.code, at: isoTime(end.at) };
}

/** What was asked for, without the values of its environment: a token among them must not reach a log or a pipe. */
export function specJson(spec: InstanceSpec): Readonly<Record<string, unknown>> {
  return { ...spec, env: Object.fromEntries(Object.keys(spec.env).map((key) => [key, "(hidden)"])) };
}

/** One checkpoint as `spot.checkpoints/1` promises it. */
export function checkpointJson(checkpoint: Checkpoint): Readonly<Record<string, unknown>> {
  return { ...checkpoint, createdAt: isoTime(checkpoint.createdAt), verifiedAt: isoTime(checkpoint.verifiedAt) };
}

/** Since when each mouth has said a notice: the provider's list (`api`), the agent (`guest`). */
export function heardJson(heard: unknown): unknown {
  if (typeof heard !== "object" || heard === null) return heard;
  return Object.fromEntries(Object.entries(heard).map(([mouth, at]) => [mouth, typeof at === "number" ? isoTime(at) : at]));
}

/** The price of an offer in an event, which keeps it as short as a spec does (`2.5`, `18CNY`). What is none stays as it is. */
export function offerPriceJson(value: unknown): unknown {
  const [, amount, currency = "USD"] = /^(\d{1,12}(?:\.\d{1,12})?)([A-Z]{3})?$/.exec(typeof value === "string" ? value : "") ?? [];
  return amount === undefined ? value : rateJson(moneyFromDecimal(amount, currency));
}

function ownJson(key: string, value: unknown): unknown {
  if (key === "heard") return heardJson(value);
  if (key === "price") return offerPriceJson(value);
  return (key === "deadline" || key === "seenAt" || key === "endedAt") && typeof value === "number" ? isoTime(value) : value;
}

/** One event as `spot.event/1` promises it; times and prices inside its own fields too. */
export function eventJson(event: FleetEvent): Readonly<Record<string, unknown>> {
  const { data, ...head } = event;
  const own = Object.fromEntries(Object.entries(data).map(([key, value]) => [key, ownJson(key, value)]));
  // The machine's type has the name of the event's own.
  const machine = typeof data["type"] === "string" ? { machineType: data["type"] } : {};
  return { schema: "spot.event/1", ...own, ...machine, ...head, at: isoTime(event.at) };
}
