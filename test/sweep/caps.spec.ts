import { expect, test } from "vitest";
import { hangAt, STAGES } from "../wire-sweep/caps.ts";
import { EACH_CLOUD } from "../wire-sweep/clouds.ts";
import { LOCAL_TEMPO, localCloudOnTheWire } from "../wire-sweep/local.ts";

for (const [cloud, make] of Object.entries(EACH_CLOUD))
  test(`${cloud}: wherever it hangs, a restore is over at its cap, and nothing is charged after that`, async () => {
    const damage: string[] = [];
    let stages = 0;
    for (const stage of STAGES) {
      const broken = await hangAt(make, stage);
      if (broken !== undefined) stages += 1;
      damage.push(...(broken ?? []).map((what) => `${stage.name}: ${what}`));
    }
    process.stdout.write(`  ${cloud}: ${stages} stages\n`);
    expect(damage).toEqual([]);
    expect(stages).toBeGreaterThan(5);
  });

test("local: wherever it hangs, a restore is over at its cap, and nothing is charged after that", async () => {
  const damage: string[] = [];
  let stages = 0;
  for (const stage of STAGES) {
    const broken = await hangAt(localCloudOnTheWire, stage, { capMs: 2_000, tempo: LOCAL_TEMPO });
    if (broken !== undefined) stages += 1;
    damage.push(...(broken ?? []).map((what) => `${stage.name}: ${what}`));
  }
  process.stdout.write(`  local: ${stages} stages\n`);
  expect(damage).toEqual([]);
  expect(stages).toBeGreaterThan(5);
});
