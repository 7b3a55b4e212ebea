import { afterAll, describe, expect, test } from "vitest";
import { restoreAtBoot } from "./boot-scenarios.ts";
import type { ToolFault } from "./faulty-tools.ts";
import { nextSeal } from "./seal-scenarios.ts";
import type { Player, Scenario } from "./walk.ts";

interface Telling {
  readonly fault: ToolFault;
  /** Which of the calls that fit is struck. */
  readonly which: "first" | "last";
  readonly only: string;
  readonly why: string;
}

/** Of all that test/sweep/checkpoints.spec.ts walks through, points where something once went wrong or easily could. */
const IN_A_SEAL: readonly Telling[] = [
  { fault: "failed", which: "first", only: "awk *kind = *", why: "a list that could not be made is no empty folder" },
  { fault: "failed", which: "last", only: "awk *NR > 1* $0 }", why: "a link's target that could not be written down is not sealed" },
  { fault: "failed", which: "first", only: "date -u*", why: "a name without a time would be the oldest of all" },
  { fault: "half-done", which: "last", only: "*s*256*", why: "half a hash is not told for one" },
  { fault: "done-but-failed", which: "first", only: "getconf *", why: "whatever getconf says, a seal ends in words" },
  { fault: "half-done", which: "first", only: "cp *", why: "half a copy is not sealed" },
  { fault: "volume-gone", which: "last", only: "cut -c1-64", why: "nothing is told of a manifest that cannot be read" },
  { fault: "killed-after", which: "last", only: "mv *MANIFEST", why: "a manifest in a partial checkpoint seals nothing" },
];
const AT_BOOT: readonly Telling[] = [
  { fault: "failed", which: "first", only: "sed -n 2,10s/^instance*", why: "what cannot be read is not another's" },
  { fault: "volume-gone", which: "first", only: "ls -A *", why: "a volume that went away is not empty" },
  { fault: "failed", which: "last", only: "readlink *volume.lock", why: "a workload that runs is looked after" },
];

function strikeEach(scenario: Scenario<ToolFault>, points: readonly Telling[]): void {
  describe(scenario.name, () => {
    // One machine bears them all, as it would in its life.
    let player: Promise<Player<ToolFault>> | undefined;
    afterAll(async () => (await player)?.end());
    test.each(points)("$fault at the $which $only: $why", async ({ fault, which, only }) => {
      player ??= scenario.begin();
      const own = await player;
      const at = which === "first" ? 1 : (await own.play({ at: 0, fault, only })).steps;
      const played = await own.play({ at, fault, only });
      expect(played.step).toBeDefined();
      expect(played.damage).toEqual([]);
    });
  });
}

strikeEach(nextSeal, IN_A_SEAL);
strikeEach(restoreAtBoot, AT_BOOT);
