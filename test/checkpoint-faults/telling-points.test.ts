import { afterEach, expect, test } from "vitest";
import type { ToolFault } from "./faulty-tools.ts";
import { nextSeal } from "./seal-scenarios.ts";
import type { Player } from "./walk.ts";

const open: Player<ToolFault>[] = [];
afterEach(async () => {
  for (const player of open.splice(0)) await player.end();
});

interface Telling {
  readonly fault: ToolFault;
  /** Which of the calls that fit is struck. */
  readonly which: "first" | "last";
  readonly only: string;
  readonly why: string;
}

/** Of all that test/sweep/checkpoints.spec.ts walks through, points where something once went wrong or easily could. */
const TELLING: readonly Telling[] = [
  { fault: "failed", which: "first", only: "awk *kind = *", why: "a list that could not be made is no empty folder" },
  { fault: "failed", which: "last", only: "awk *NR > 1* $0 }", why: "a link's target that could not be written down is not sealed" },
  { fault: "failed", which: "first", only: "date -u*", why: "a name without a time would be the oldest of all" },
  { fault: "half-done", which: "first", only: "od *", why: "a name is as long as all others, or later ones do not sort after it" },
  { fault: "half-done", which: "last", only: "*s*256*", why: "half a hash is not told for one" },
  { fault: "half-done", which: "first", only: "cp *", why: "half a copy is not sealed" },
  { fault: "volume-gone", which: "last", only: "cut -c1-64", why: "nothing is told of a manifest that cannot be read" },
  { fault: "killed-after", which: "last", only: "mv *MANIFEST", why: "a manifest in a partial checkpoint seals nothing" },
  { fault: "done-but-failed", which: "last", only: "mv *checkpoints/c-*", why: "what was sealed and not reported is whole" },
];

test.each(TELLING)("$fault at the $which $only: $why", async ({ fault, which, only }) => {
  const player = await nextSeal.begin();
  open.push(player);
  const { steps } = await player.play({ at: 0, fault, only });
  const played = await player.play({ at: which === "first" ? 1 : steps, fault, only });
  expect(played.step).toBeDefined();
  expect(played.damage).toEqual([]);
});
