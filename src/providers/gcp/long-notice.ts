import * as v from "valibot";
import { keptAnswers } from "../kept-answers.ts";
import { PROVIDER } from "./codes.ts";
import type { GcpWorld, Settings } from "./settings.ts";

/** The notice of 120 s: a preview, which a project may or may not have. */
export interface LongNotice {
  /** What a launch would be promised now: asked for, and not refused lately. */
  isPromised(): boolean;
  /** The project was refused it, and got the machine without: nothing is promised for a day, to other processes neither. */
  noteRefusal(): Promise<void>;
}

const A_DAY_MS = 24 * 3_600_000;
const refusal = v.object({ refused: v.literal(true) });

export async function longNotice(world: GcpWorld, { wantsNotice }: Settings): Promise<LongNotice> {
  const kept = keptAnswers(PROVIDER, world);
  const recall = () => kept.recent("notice", refusal, { maxAgeMs: A_DAY_MS, staleMs: 0 }, () => Promise.reject(new Error("not refused")));
  let isRefused =
    wantsNotice &&
    (await recall().then(
      () => true,
      () => false,
    ));
  return {
    isPromised: () => wantsNotice && !isRefused,
    async noteRefusal() {
      isRefused = true;
      await kept.recent("notice", refusal, { maxAgeMs: -1, staleMs: 0 }, async () => ({ refused: true as const }));
    },
  };
}
