import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { readCatalogue } from "../../src/checkpoints/catalogue.ts";
import { verifyCheckpoint } from "../../src/checkpoints/verify.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { seededRng } from "../../src/platform/rng.ts";
import { type Machine, spawnMarked } from "./machine.ts";
import { workingMachine } from "./own-machine.ts";

const partialsOf = ({ sealedFolder }: Machine) => readdirSync(sealedFolder).filter((name) => name.startsWith(".partial-"));

/** `npm run test:shells` takes more of them. */
const KILLS = process.env["SPOT_TEST_SHELLS"] === "all" ? 45 : 15;

test(`kill -9 in the middle of ${KILLS} seals leaves only checkpoints that verify, and the next seal clears the rest`, {
  timeout: 120_000,
}, async () => {
  const seed = 20_261_121;
  const rng = seededRng(seed);
  const machine = await workingMachine();
  for (let file = 0; file < 24; file++) writeFileSync(join(machine.checkpointFolder, `file ${file}`), Buffer.alloc(20_000, file));
  const whole = systemClock.monotonic();
  await machine.verb("snapshot", "manual");
  const sealMs = systemClock.monotonic() - whole;
  let partials = 0;
  const verified = new Set<string>();
  for (let kill = 0; kill < KILLS; kill++) {
    writeFileSync(join(machine.checkpointFolder, "STEP"), `${kill}`);
    const before = new Set(partialsOf(machine));
    const begun = () => partialsOf(machine).some((name) => !before.has(name));
    const seal = spawnMarked(machine, ["snapshot", "manual"]);
    // Every other one as soon as it writes, however slow this computer is at the moment.
    if (kill % 2 === 1) await vi.waitUntil(begun, { timeout: 10_000, interval: 1 }).catch(() => undefined);
    else await systemClock.sleep(rng.next() * sealMs);
    await seal.kill();
    if (begun()) partials += 1;
    const { sealed, damaged } = await readCatalogue(machine.volume);
    expect(damaged, `seed ${seed}, kill ${kill}`).toEqual([]);
    for (const { id } of sealed) {
      if (verified.has(id)) continue;
      expect((await verifyCheckpoint(join(machine.sealedFolder, id))).problems, `seed ${seed}, kill ${kill}`).toEqual([]);
      verified.add(id);
    }
  }
  expect(partials, "kills that struck while data was being written").toBeGreaterThan(3);
  expect((await machine.verb("snapshot", "manual")).code).toBe(0);
  expect(readdirSync(machine.sealedFolder).filter((name) => !name.startsWith("c-"))).toEqual([]);
  const [newest] = (await readCatalogue(machine.volume)).sealed;
  expect(newest?.step).toBe(`${KILLS - 1}`);
});

test("kill -9 in the middle of putting back leaves nothing that could be taken for a checkpoint", { timeout: 60_000 }, async () => {
  const rng = seededRng(7);
  const machine = await workingMachine();
  for (let file = 0; file < 60; file++) writeFileSync(join(machine.checkpointFolder, `file ${file}`), Buffer.alloc(20_000, file));
  await machine.verb("snapshot", "manual");
  await machine.kill();
  machine.newRoot();
  for (let kill = 0; kill < 20; kill++) {
    machine.boot();
    await systemClock.sleep(rng.next() * 250);
    await machine.kill();
    const inside = readdirSync(machine.root, { recursive: true, encoding: "utf8" }).filter((name) =>
      name.startsWith("var/lib/spot/checkpoint/"),
    );
    expect([0, 60]).toContain(inside.length);
    if (inside.length > 0) rmSync(machine.checkpointFolder, { recursive: true });
  }
});
