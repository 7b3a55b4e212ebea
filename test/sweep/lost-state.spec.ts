import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { fakeHyperstack } from "../clouds/hyperstack/hyperstack.ts";
import { machineRoom, machineRoomAvailable } from "../clouds/machine-room.ts";
import { fakePpio } from "../clouds/ppio/fake.ts";
import { cloudWorld, data, must } from "../command/cloud.ts";
import { spot, type TestWorld, testWorld } from "../world.ts";

/** The workload keeps something worth a checkpoint. */
const KEEPS = 'echo 7 >"$SPOT_CHECKPOINT_DIR/count"; sleep 1000';
const COUNT = 5;
/** Longer than some clouds take with a token behind it. */
const NAME = "llama-finetune-of-november";

interface Cloud {
  readonly world: TestWorld;
  living(): Promise<number>;
}

const novita = async (): Promise<Cloud> => {
  const room = await machineRoom();
  const fake = await fakePpio({ clock: systemClock, vendor: "novita", machines: room });
  onTestFinished(async () => {
    await fake.close();
    await room.close();
  });
  return { world: testWorld({ env: fake.env }), living: async () => fake.living().length };
};

const CLOUDS: Readonly<Record<string, () => Promise<Cloud>>> = {
  local: async () => {
    const world = await cloudWorld();
    return { world, living: async () => (await data(world, "local", "status")).instances.running ?? 0 };
  },
  hyperstack: async () => {
    const room = await machineRoom();
    const fake = await fakeHyperstack({ clock: systemClock, machines: room, switches: { requestsPerMinute: 100_000 } });
    onTestFinished(async () => {
      await fake.close();
      await room.close();
    });
    return { world: testWorld({ env: fake.env }), living: async () => fake.living().length };
  },
  novita,
};

const names = Array.from({ length: COUNT }, (_, index) => `${NAME}-${index + 1}`);

async function fleetOn(world: TestWorld): Promise<void> {
  const order = [
    "--name",
    NAME,
    "--count",
    String(COUNT),
    "--volume",
    `${NAME}-data:10:/data`,
    "--env",
    "TOKEN=canary",
    "--label",
    "team=vision",
  ];
  await must(
    world,
    "up",
    ...order,
    "--ttl",
    "3h",
    "--checkpoint-hook",
    "true",
    "--on-reclaim",
    "replace",
    "--yes",
    "--",
    "sh",
    "-c",
    KEEPS,
  );
  for (const name of names) {
    for (let looks = 0; (await data(world, "checkpoints", "ls", name)).length === 0; looks++) {
      if (looks > 100) throw new Error(`${name} was never sealed`);
      await spot(world, "snapshot", name);
    }
  }
}

function lose(world: TestWorld, alsoKeys: boolean): void {
  for (const suffix of ["", "-wal", "-shm"]) rmSync(join(world.home, `state.db${suffix}`), { force: true });
  if (alsoKeys) rmSync(join(world.home, "ssh"), { recursive: true, force: true });
}

interface Row {
  readonly kind: string;
  readonly name: string;
  readonly outcome: string;
  readonly missing: readonly string[];
}

for (const [id, make] of Object.entries(CLOUDS))
  test.runIf(id === "local" || machineRoomAvailable())(
    `${id}: the state of a fleet of ${COUNT} is lost, and adopt --all brings it back`,
    async () => {
      const { world, living } = await make();
      await fleetOn(world);
      const before = await data(world, "ls");
      lose(world, false);
      expect((await data(world, "orphans")).length).toBe(2 * COUNT);

      const adopted = (await data(world, "adopt", "--all", "--yes")) as Row[];
      expect(adopted.filter(({ outcome }) => outcome !== "adopted")).toEqual([]);
      const machines = adopted.filter(({ kind }) => kind === "machine");
      expect(machines.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
      process.stdout.write(`  ${id}: missing afterwards: ${JSON.stringify([...new Set(machines.flatMap(({ missing }) => missing))])}\n`);
      const after = await data(world, "ls");
      const brief = (rows: readonly Record<string, unknown>[]) =>
        rows
          .map(({ name, state, providerId, type, zone, billing, gpu, labels }) =>
            JSON.stringify({ name, state, providerId, type, zone, billing, gpu, labels }),
          )
          .toSorted();
      expect(brief(after)).toEqual(brief(before));
      for (const row of after) {
        const old = before.find(({ name }: Row) => name === row.name);
        expect(row.volumes).toMatchObject([{ name: old.volumes[0].name, mount: "/data" }]);
        expect(Math.abs(Date.parse(row.ttlEndsAt) - Date.parse(old.ttlEndsAt))).toBeLessThan(5_000);
      }
      for (const name of names) {
        expect((await data(world, "checkpoints", "ls", name)).length).toBeGreaterThan(0);
        const { spec } = await data(world, "show", name);
        expect(spec).toMatchObject({ command: ["sh", "-c", KEEPS], checkpointHook: "true", env: {} });
        // Nobody could give another machine its environment.
        expect(spec.onReclaim).toBe("hibernate");
      }
      expect(await data(world, "orphans")).toEqual([]);
      await must(world, "reconcile");
      await must(world, "snapshot", names[0] ?? "");
      expect(await living()).toBe(COUNT);
      await must(world, "down", "--all", "--volumes", "--yes");
      expect(await living()).toBe(0);
      expect(await data(world, "orphans")).toEqual([]);
    },
  );

test.runIf(machineRoomAvailable())(
  "the keys are lost with the state: tags alone bring machines and volumes back, and what is not known is said",
  async () => {
    const { world, living } = await novita();
    await fleetOn(world);
    lose(world, true);
    const adopted = (await data(world, "adopt", "--all", "--yes")) as Row[];
    const machines = adopted.filter(({ kind }) => kind === "machine");
    expect(machines.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
    for (const { missing } of machines) expect(missing.join("; ")).toContain("its agent was not reached");
    for (const name of names) {
      const { spec, state } = await data(world, "show", name);
      expect([state, spec.command, spec.onReclaim]).toEqual(["running", [], "hibernate"]);
    }
    await spot(world, "reconcile", "--timeout", "20s");
    expect(await living()).toBe(COUNT);
    await must(world, "down", "--all", "--no-snapshot", "--volumes", "--yes");
    expect(await living()).toBe(0);
    expect(await data(world, "orphans")).toEqual([]);
  },
);
