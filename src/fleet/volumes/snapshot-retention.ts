import { type Retainable, type RetentionRules, retain } from "../../checkpoints/retention.ts";
import type { Provider, ProviderSnapshot } from "../../providers/provider.ts";
import { ownTokens } from "../climbing/own-snapshot.ts";
import { call, type Fleet } from "../fleet.ts";
import { endOrder } from "./end-promise.ts";
import { snapshotsOf } from "./volume-snapshots.ts";

/** One snapshot, what becomes of it by the rules, and why. */
export interface SnapshotVerdict {
  readonly provider: string;
  readonly snapshot: ProviderSnapshot;
  readonly kept: boolean;
  /** Why it stays; empty when it goes. */
  readonly because: readonly string[];
}

interface Candidate extends Retainable {
  readonly provider: string;
  readonly snapshot: ProviderSnapshot;
}

const GOES_BY_ITSELF = "made for a way back, and deleted once that is over";

const key = ({ provider, snapshot }: Pick<Candidate, "provider" | "snapshot">) => `${provider} ${snapshot.providerId}`;

/**
 * Weighs the snapshots of each volume by the rules: one that has the name of an earlier volume is another volume. What our own records did not make is not ours to thin out; what is not
 * ready, or of no known age, is left alone and counts for nothing; the newest ready one always stays.
 * @param name of the volume; null for every one.
 */
export async function weighSnapshots(
  fleet: Fleet,
  providers: readonly Provider[],
  { name, rules }: { readonly name: string | null; readonly rules: RetentionRules },
  signal: AbortSignal,
): Promise<readonly SnapshotVerdict[]> {
  const candidates: Candidate[] = [];
  const left: SnapshotVerdict[] = [];
  const own = await ownTokens(fleet);
  for (const provider of providers) {
    if (provider.volumes?.snapshots === undefined) continue;
    for (const snapshot of await call(signal, (context) => snapshotsOf(provider).list(context))) {
      if (name !== null && snapshot.name !== name) continue;
      const why = (await whyForeign(fleet, snapshot)) ?? (own.has(snapshot.token ?? "") ? GOES_BY_ITSELF : whyUnweighed(snapshot));
      const one = { provider: provider.id, snapshot };
      if (why !== null) left.push({ ...one, kept: true, because: [why] });
      else candidates.push({ ...one, id: key(one), createdAt: snapshot.createdAt ?? 0, group: await groupOf(fleet, one) });
    }
  }
  const rows = retain(candidates, rules, fleet.clock.now(), await inUse(fleet, candidates));
  return [...rows.map(({ item: { provider, snapshot }, kept, because }) => ({ provider, snapshot, kept, because })), ...left];
}

/**
 * Why it is not ours; null where our own records made it. A token alone says nothing: who makes backups of a volume may copy its
 * tags, and the token in them is the volume's own.
 */
export async function whyForeign({ state }: Pick<Fleet, "state">, { token }: Pick<ProviderSnapshot, "token">): Promise<string | null> {
  if (token === null) return "not made by spot";
  const promise = await state.intentByToken(token);
  if (promise === undefined) return "made from another state";
  return promise.kind === "volume-snapshot" ? null : "not made by spot";
}

/** Why the rules say nothing of one of ours; null where they do. */
function whyUnweighed({ state, createdAt }: ProviderSnapshot): string | null {
  if (state !== "ready") return state;
  return createdAt === null ? "nobody says when it was made" : null;
}

/** The volume it was made of. By our own record first: some clouds' ids of volumes are made of names, and come again. */
async function groupOf(fleet: Fleet, { provider, snapshot }: Pick<Candidate, "provider" | "snapshot">): Promise<string> {
  const promise = await fleet.state.intentByToken(snapshot.token ?? "");
  const ours = promise?.detail["volumeId"];
  return `${provider} ${typeof ours === "string" ? ours : (snapshot.volumeId ?? snapshot.name)}`;
}

/** What somebody waits for or comes back from. */
async function inUse(fleet: Fleet, candidates: readonly Candidate[]): Promise<ReadonlyMap<string, string>> {
  const awaited = new Map((await fleet.state.pendingIntents()).map((intent) => [endOrder(intent)?.snapshot, "its volume is about to go"]));
  const wanted = new Map(
    (await fleet.state.instances()).flatMap(({ name, outlook }) => {
      const { snapshot } = outlook.comeback ?? {};
      return snapshot == null ? [] : [[snapshot.id, `${name} comes back from it`] as const];
    }),
  );
  return new Map(
    candidates.flatMap(({ id, snapshot }) => {
      const why = awaited.get(snapshot.token ?? "") ?? wanted.get(snapshot.providerId);
      return why === undefined ? [] : [[id, why] as const];
    }),
  );
}

/**
 * Deletes what goes, and writes down each. Interrupted, it is begun again: what is gone is gone.
 * @throws ProviderError when the provider does not let one go; those before it are gone.
 */
export async function removeSnapshots(fleet: Fleet, verdicts: readonly SnapshotVerdict[], signal: AbortSignal): Promise<void> {
  for (const { provider, snapshot } of verdicts.filter(({ kept }) => !kept)) {
    const operations = snapshotsOf(await fleet.provider(provider));
    await call(signal, (context) => operations.remove(snapshot.providerId, context));
    const data = { action: "snapshot-remove", volume: snapshot.name, providerId: snapshot.providerId };
    await fleet.state.commit({ events: [{ at: fleet.clock.now(), type: "action", instance: null, provider, data }] });
  }
}
