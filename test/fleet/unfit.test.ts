import { expect, onTestFinished, test } from "vitest";
import type { Fleet, SnapshotOutcome } from "../../src/fleet/fleet.ts";
import { look } from "../../src/fleet/hearing/look.ts";
import { noteUnfit } from "../../src/fleet/steps/unfit.ts";
import { unfitText } from "../../src/model/checkpoint-fit.ts";
import { eventText } from "../../src/output/event-text.ts";
import { plainPainter } from "../../src/output/painter.ts";
import { type PaperWorld, paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { down, hibernate, up } from "../simulation/scenarios.ts";

const FIT = {
  bytes: 12_400_000_000,
  bytesPerSecond: 200_000_000,
  neededSeconds: 95,
  leftSeconds: 30,
  fits: false,
  begun: false,
  stands: "c-20261121T021400Z-0000abcd",
};

/** A fleet whose agents answer a seal so; the deadlines that they were given, in epoch seconds. */
async function running(answer: SnapshotOutcome): Promise<{ world: PaperWorld; fleet: Fleet; deadlines: (number | null)[] }> {
  const world = await paperWorld({ hibernates: "park" });
  onTestFinished(() => world.state.close());
  const deadlines: (number | null)[] = [];
  const { fleet: base } = world.start();
  const guest: Fleet["guest"] = {
    ...base.guest,
    async snapshot(_reach, _reason, deadline) {
      deadlines.push(deadline);
      return deadline === null ? { kind: "nothing-to-seal" } : answer;
    },
  };
  const fleet = { ...base, guest };
  await world.clock.run(up(fleet, paperSpec()));
  return { world, fleet, deadlines };
}

async function noticed({ world, fleet }: Awaited<ReturnType<typeof running>>): Promise<void> {
  const [record] = await world.state.instances();
  world.cloud.reclaim(record?.providerId ?? "", 60_000);
  await world.clock.run(look(fleet, new AbortController().signal));
  expect((await world.state.instances())[0]?.notice?.kind).toBe("reclaim");
}

const skipped = async ({ state }: PaperWorld) =>
  (await state.events({})).filter(({ type, data }) => type === "checkpoint" && data["skipped"] === true);

test.each([
  ["down", down, "gone"],
  ["hibernate", hibernate, "hibernated"],
] as const)("under a notice %s goes on without a checkpoint that does not fit, and says so", async (_, command, state) => {
  const all = await running({ kind: "does-not-fit", fit: FIT });
  await noticed(all);
  const [before] = await all.world.state.instances();
  await all.world.clock.run(command(all.fleet));
  expect((await all.world.state.instances({ includeGone: true }))[0]?.state).toBe(state);
  expect(all.deadlines).toEqual([Math.floor((before?.notice?.deadline ?? 0) / 1000) - 1]);
  const [event, ...more] = await skipped(all.world);
  expect(more).toEqual([]);
  expect(event?.data).toMatchObject({ bytes: FIT.bytes, neededSeconds: 95, leftSeconds: 30, stands: FIT.stands });
});

test("without a notice there is always time", async () => {
  const all = await running({ kind: "does-not-fit", fit: FIT });
  await all.world.clock.run(down(all.fleet));
  expect(all.deadlines).toEqual([null]);
  expect(await skipped(all.world)).toEqual([]);
});

test("a failed checkpoint still ends nothing, notice or not", async () => {
  const all = await running({ kind: "failed", why: "the disk is full" });
  await noticed(all);
  await expect(all.world.clock.run(down(all.fleet))).rejects.toMatchObject({ code: "SPOT_E_CHECKPOINT" });
  expect((await all.world.state.instances())[0]?.state).toBe("reclaiming");
});

test("it is an event once for each notice, whoever says it, and none when it was begun", async () => {
  const all = await running({ kind: "does-not-fit", fit: FIT });
  await noticed(all);
  const [record] = await all.world.state.instances();
  if (record === undefined) throw new Error("no record");
  const told = [];
  for (const fit of [
    null,
    { ...FIT, begun: true, stands: null },
    FIT,
    { ...FIT, leftSeconds: 20 },
    { ...FIT, stands: "c-20261121T031400Z-0000abcd" },
  ])
    told.push(await noteUnfit(all.fleet, record, fit));
  expect(told).toEqual([false, false, true, false, true]);
  expect(await skipped(all.world)).toHaveLength(2);
});

test("the words", async () => {
  expect(unfitText(FIT)).toBe("12.4 GB need 95 s, 30 s are left: not started; c-20261121T021400Z-0000abcd of 02:14Z stands");
  expect(unfitText({ ...FIT, stands: null })).toBe("12.4 GB need 95 s, 30 s are left: not started; nothing is sealed");
  const data = { skipped: true, bytes: 1_000_000, neededSeconds: 9, leftSeconds: 3, stands: "c-1\u001b[2J" };
  const event = { seq: 1, at: Date.UTC(2026, 10, 21, 2, 20, 1), type: "checkpoint", instance: "train", provider: "paper", data } as const;
  expect(eventText(event, plainPainter)).toBe("02:20:01  train         checkpoint: 1 MB need 9 s, 3 s are left: not started; c-1 stands");
});
