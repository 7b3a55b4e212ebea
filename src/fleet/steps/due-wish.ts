import type { Change, InstanceRecord } from "../../state/records.ts";
import type { Observation } from "../deciding/decision.ts";
import { UNSEALED_GRACE_MS } from "../deciding/policy.ts";

/** Wishes that follow from the time that has passed, or from what is to come. */
type DueWish = "let-expire" | "sleep" | "leave-dear" | "give-up-waking";

/** What each of them changes. `because`: why it was decided. Pure. */
export function dueWish(
  what: DueWish,
  { outlook }: InstanceRecord,
  seen: Observation,
  because: string | null,
): NonNullable<Change["instance"]>["set"] {
  switch (what) {
    case "let-expire":
      return {
        desired: "gone",
        skipSnapshot: false,
        reason: "its time is up",
        outlook: { ...outlook, endsUnsealedAt: endsUnsealedAt(seen) },
      };
    case "sleep":
      return { desired: "hibernated", skipSnapshot: false, reason: because, outlook: { ...outlook, early: null } };
    case "leave-dear":
      return { desired: "hibernated", skipSnapshot: false, reason: because };
    case "give-up-waking":
      return { desired: "hibernated", skipSnapshot: true, wakeBy: null, reason: "it was not serving by its cap" };
  }
}

/** An agent that says `expired` has tried to seal and has ended the work: nothing is gained by waiting. */
function endsUnsealedAt({ guest, now }: Observation): number {
  return guest?.phase === "expired" ? now : now + UNSEALED_GRACE_MS;
}
