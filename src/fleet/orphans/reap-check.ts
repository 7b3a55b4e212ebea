import type { Provider } from "../../providers/provider.ts";
import { call, type Fleet } from "../fleet.ts";
import { booksOf } from "./orphan-search.ts";
import {
  explain,
  leftoverResource,
  machineResource,
  type Orphan,
  type Resource,
  snapshotResource,
  type Verdict,
  volumeResource,
} from "./orphans.ts";

/** Two looks at one thing may tell its age by clocks that differ by so much. */
const SAME_AGE_MS = 60_000;

/** The thing as it is at this moment; undefined when it is not there any more. */
export async function lookAgain(provider: Provider, row: Orphan, signal: AbortSignal): Promise<Resource | undefined> {
  const { volumes, leftovers, id } = provider;
  const isIt = ({ providerId }: { readonly providerId: string }) => providerId === row.providerId;
  switch (row.kind) {
    case "machine": {
      const instance = await call(signal, (context) => provider.get(row.providerId, context));
      return instance === undefined || instance.state === "gone" ? undefined : machineResource(provider, instance);
    }
    case "volume": {
      const found = (await call(signal, async (context) => (await volumes?.list(context)) ?? [])).find(isIt);
      return found === undefined ? undefined : volumeResource(id, found);
    }
    case "snapshot": {
      const found = (await call(signal, async (context) => (await volumes?.snapshots?.list(context)) ?? [])).find(isIt);
      return found === undefined ? undefined : snapshotResource(id, found);
    }
    default: {
      const options = { harmless: row.class === "harmless" };
      const all = await call(signal, async (context) => (await leftovers?.list(context, options)) ?? []);
      const found = all.find((one) => isIt(one) && one.kind === row.kind);
      return found === undefined ? undefined : leftoverResource(id, found);
    }
  }
}

const RESTING: readonly (Resource["state"] | undefined)[] = ["hibernated", "stopped"];
const WORKING: readonly (Resource["state"] | undefined)[] = ["running", "reclaiming", "restoring"];

/**
 * Why what is there now is not what the plan names, or may not be ended by it; null when it may. Pure. `mayHold`: the machines
 * that the same plan ends, of which it may still be a part.
 */
export function refusalNow(
  row: Orphan,
  now: Resource,
  verdict: Verdict,
  { madeAt, mayHold }: { readonly madeAt: number; readonly mayHold: ReadonlySet<string> },
): string | null {
  if (now.token !== row.token) return "it carries another token by now";
  if (verdict.kind === "foreign") return "it carries no tag of ours";
  if (verdict.kind === "explained") return "a record of ours explains it by now";
  if (verdict.why === "in-flight") return "a promise of ours for it is open";
  if (now.createdAt !== null && now.createdAt > madeAt + SAME_AGE_MS) return "it is younger than the plan";
  if (now.createdAt !== null && row.createdAt !== null && now.createdAt - row.createdAt > SAME_AGE_MS)
    return "something younger has its name by now";
  if (RESTING.includes(row.state) && WORKING.includes(now.state)) return `it was ${row.state}, and somebody has it running now`;
  if (now.attachedTo !== null && !mayHold.has(now.attachedTo)) return `it is attached to ${now.attachedTo}, which goes on`;
  return null;
}

export type Check =
  | { readonly kind: "gone" }
  | { readonly kind: "changed"; readonly why: string }
  | { readonly kind: "may-end"; readonly now: Resource };

/** Asks for it once more, reads our books once more, and says whether it may be ended. */
export async function checkAgain(
  fleet: Fleet,
  row: Orphan,
  against: { readonly madeAt: number; readonly mayHold: ReadonlySet<string> },
  signal: AbortSignal,
): Promise<Check> {
  const now = await lookAgain(await fleet.provider(row.provider), row, signal);
  if (now === undefined) return { kind: "gone" };
  const why = refusalNow(row, now, explain(now, await booksOf(fleet.state, [now])), against);
  return why === null ? { kind: "may-end", now } : { kind: "changed", why };
}
