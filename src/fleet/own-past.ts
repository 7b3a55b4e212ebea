import { type Experience, medianOf } from "../pricing/interruption-rate.ts";
import type { InstanceRecord, LedgerRecord } from "../state/records.ts";
import { offerKey } from "./deciding/offer-choice.ts";
import { SEEN_EVERY_MS } from "./ledger.ts";

/** What is older says little of the market now. */
export const REMEMBERED_MS = 30 * 86_400_000;
/** A record remembers no more reclaims than these (`deciding/history.ts`): of a time before the oldest nothing is known. */
const RECLAIMS_OF_A_RECORD = 16;
/** From so many measurements on they are believed. */
const ENOUGH = 3;

type PastRecord = Pick<InstanceRecord, "id" | "provider" | "providerId" | "region" | "zone" | "type" | "billing" | "outlook">;
type PastInterval = Pick<LedgerRecord, "instanceId" | "provider" | "providerId" | "kind" | "billing" | "from" | "to" | "seenAt">;

/** What our own machines tell of interruptions and of the time they take. */
export interface OwnPast {
  readonly history: readonly Experience[];
  /** The median time from the answer to a launch until it served, by provider, in seconds. */
  readonly restarts: readonly { readonly provider: string; readonly seconds: number }[];
  /** The median of what a checkpoint of a rented machine took when there was a notice, in seconds; null while too few were measured. */
  readonly checkpointSeconds: number | null;
}

/** The kind of a pool, which is `provider/region/zone/type/billing`. */
function kindOf(pool: string): Pick<Experience, "provider" | "region" | "type"> {
  const [provider = "", region = "", , ...rest] = pool.split("/");
  return { provider, region, type: rest.slice(0, -1).join("/") };
}

/**
 * Until when the machine of an interval is known to have lived: until it was last found; and until its end, where that was learnt so
 * soon after that somebody was looking. Null where nobody ever found it.
 */
function knownUntil({ to, seenAt }: Pick<PastInterval, "to" | "seenAt">): number | null {
  if (seenAt === undefined) return null;
  return to !== null && to - seenAt <= 2 * SEEN_EVERY_MS ? to : seenAt;
}

/**
 * How spot machines of ours fared in the last thirty days: their hours by the ledger up to when they were last found, whoever ended
 * them, and the reclaims that the records of their instances remember, gone ones included; of a machine that nobody ever found,
 * neither. Of one that was taken back its pool is known; any other is taken to have been of the kind that its instance has now, or
 * had last. Pure.
 */
function experienceOf(records: readonly PastRecord[], ledger: readonly PastInterval[], now: number): readonly Experience[] {
  const since = now - REMEMBERED_MS;
  const found = new Set(ledger.flatMap(({ kind, providerId, seenAt }) => (kind === "gpu" && seenAt !== undefined ? [providerId] : [])));
  const pools = new Map<string, string>();
  const byId = new Map<string, { readonly record: PastRecord; readonly since: number }>();
  const kinds = new Map<string, ReturnType<typeof kindOf> & { reclaims: number; readonly machines: Map<string, number> }>();
  const byPool = new Map<string, NonNullable<ReturnType<typeof kinds.get>>>();
  const kind = (pool: string) => {
    const seen = byPool.get(pool);
    if (seen !== undefined) return seen;
    const key = JSON.stringify(kindOf(pool));
    const known = kinds.get(key) ?? { ...kindOf(pool), reclaims: 0, machines: new Map<string, number>() };
    kinds.set(key, known);
    byPool.set(pool, known);
    return known;
  };
  for (const record of records) {
    const { reclaims } = record.outlook;
    const oldest = reclaims.length < RECLAIMS_OF_A_RECORD ? since : Math.max(since, reclaims[0]?.at ?? since);
    byId.set(record.id, { record, since: oldest });
    for (const { machine, pool, at } of reclaims) {
      pools.set(machine, pool);
      // Its hours are not counted either.
      const isKnown = found.has(machine) && at > oldest && at <= now;
      if (isKnown && pool.endsWith("/spot")) kind(pool).reclaims += 1;
    }
  }
  for (const interval of ledger) {
    const { instanceId, provider, providerId, kind: what, billing, from } = interval;
    const known = instanceId === null ? undefined : byId.get(instanceId);
    const until = knownUntil(interval);
    if (known === undefined || until === null || what !== "gpu" || billing !== "spot") continue;
    const ranMs = Math.min(now, until) - Math.max(known.since, from);
    const pool = pools.get(providerId) ?? (known.record.provider === provider ? offerKey(known.record) : undefined);
    if (ranMs <= 0 || pool === undefined) continue;
    const { machines } = kind(pool);
    machines.set(providerId, (machines.get(providerId) ?? 0) + ranMs / 3_600_000);
  }
  return [...kinds.values()].map(({ machines, ...one }) => ({ ...one, runs: [...machines.values()] }));
}

/** @param records gone ones included; @param ledger what it holds since `now - REMEMBERED_MS`. */
export function ownPastOf(records: readonly PastRecord[], ledger: readonly PastInterval[], now: number): OwnPast {
  const starts = new Map<string, number[]>();
  const seals: number[] = [];
  const isRecent = (at: number) => at > now - REMEMBERED_MS;
  for (const { provider, outlook } of records) {
    const { changeoverMs, changeoverOf: of, early } = outlook;
    if (changeoverMs !== null && changeoverMs > 0 && of !== undefined && isRecent(of.at))
      starts.set(of.provider, [...(starts.get(of.provider) ?? []), changeoverMs / 1000]);
    // A rehearsal on this computer says nothing of the time that a rented machine takes.
    if (early?.tookMs != null && early.tookMs > 0 && isRecent(early.at) && provider !== "local") seals.push(early.tookMs / 1000);
  }
  const restarts = [...starts].flatMap(([provider, all]) => {
    const seconds = medianOf(all, ENOUGH);
    return seconds === null ? [] : [{ provider, seconds }];
  });
  return { history: experienceOf(records, ledger, now), restarts, checkpointSeconds: medianOf(seals, ENOUGH) };
}
