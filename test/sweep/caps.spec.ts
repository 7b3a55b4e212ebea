import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { askCloud, clearHome, dataOf, markedProcesses, runSpot, startSpot } from "../processes/spot.ts";
import { type CapTempo, hangAt, STAGES } from "../wire-sweep/caps.ts";
import { EACH_CLOUD } from "../wire-sweep/clouds.ts";
import { type Finisher, killedWake } from "../wire-sweep/killed-wakes.ts";
import { LOCAL_TEMPO, localCloudOnTheWire } from "../wire-sweep/local.ts";

/** Every stage of each cloud, or every n-th: other ones of each, so that all clouds together have them all. */
const STRIDE = Number(process.env["SPOT_CAP_STRIDE"] ?? "1");

type Make = Parameters<typeof hangAt>[0];

const CLOUDS: readonly { readonly cloud: string; readonly make: Make; readonly tempo?: CapTempo }[] = [
  ...Object.entries(EACH_CLOUD).map(([cloud, make]) => ({ cloud, make })),
  { cloud: "local", make: localCloudOnTheWire, tempo: { capMs: 2_000, tempo: LOCAL_TEMPO } },
];
const FINISHERS: readonly Finisher[] = ["reconcile", "watch"];

const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;

describe.each(CLOUDS.map((each, index) => ({ ...each, index })))("$cloud", ({ cloud, make, tempo, index }) => {
  test("wherever it hangs, a restore is over at its cap, and nothing is charged after that", async () => {
    const damage: string[] = [];
    const late: number[] = [];
    for (const stage of STAGES.filter((_, at) => (at + index) % STRIDE === 0)) {
      const hung = await hangAt(make, stage, tempo);
      if (hung === undefined) continue;
      damage.push(...hung.broken.map((what) => `${stage.name}: ${what}`));
      late.push(stage.isUnconfirmed === true ? 0 : hung.lateMs);
    }
    process.stdout.write(`  ${cloud}: ${late.length} stages, over at most ${seconds(Math.max(...late))} after the cap\n`);
    expect(damage).toEqual([]);
    expect(late.length).toBeGreaterThan(9 / STRIDE - 2);
  });

  test.each(FINISHERS)("a restore that is killed at nine tenths of its cap is ended past it by a %s", async (finisher) => {
    const { broken, lateMs } = await killedWake(make, finisher, tempo);
    process.stdout.write(`  ${cloud}: killed; ended by a ${finisher} ${seconds(lateMs)} after the cap that was written down\n`);
    expect(broken).toEqual([]);
  });
});

const CAP_SECONDS = 12;
/** Serves unless its volume has a file `cold`. */
const IS_WARM = 'test ! -e "$SPOT_VOLUME_DIR/cold"';

/** For how long the embedded cloud has charged GPUs by now, in milliseconds, and whether it goes on. */
async function gpuBill(home: string): Promise<{ readonly ms: number; readonly isOpen: boolean }> {
  const { items } = await askCloud(home, "/v1/bill");
  const gpu = (items as readonly { kind: string; from: number; to: number | null }[]).filter(({ kind }) => kind === "gpu");
  return { ms: gpu.reduce((sum, { from, to }) => sum + (to ?? 0) - from, 0), isOpen: gpu.some(({ to }) => to === null) };
}

test.each(FINISHERS)(
  "the program itself, kill -9 while its restore waits: a %s ends what it left behind, and the bill stands still",
  async (finisher) => {
    const home = mkdtempSync(join(tmpdir(), "spot-cap-"));
    onTestFinished(() => clearHome(home));
    const must = async (...argv: readonly string[]) => {
      const { code, stderr } = await runSpot(home, argv);
      expect([argv[0], code, stderr]).toEqual([argv[0], 0, expect.anything()]);
    };
    await must("local", "market", "--provisioning", "200ms", "--hibernate", "200ms", "--restore", "200ms");
    const work = ["--", "/bin/sh", "-c", "echo 1 >$SPOT_CHECKPOINT_DIR/n; sleep 1000"];
    await must("up", "--name", "job", "--gpu", "A10G", "--volume", "job:1:/data", "--yes", "--ready-cmd", IS_WARM, ...work);
    await must("exec", "job", "--", "sh", "-c", ': >"$SPOT_VOLUME_DIR/cold"');
    await must("hibernate", "job");
    const watch = finisher === "watch" ? startSpot(home, ["watch", "--act", "--json"]) : undefined;
    onTestFinished(() => void watch?.kill());
    const restore = startSpot(home, ["restore", "job", "--cap", `${CAP_SECONDS}s`]);
    await expect.poll(() => markedProcesses(home).size, { timeout: CAP_SECONDS * 1_000 }).toBe(1);
    expect(restore.kill()).toBe(true);
    await restore.ended;
    const state = async () => {
      if (finisher === "reconcile") await runSpot(home, ["reconcile"]);
      return dataOf(await runSpot(home, ["ls", "--json"]))[0]?.["state"];
    };
    await expect.poll(state, { timeout: 120_000, interval: 1_000 }).toBe("hibernated");
    expect(markedProcesses(home).size).toBe(0);
    const before = await gpuBill(home);
    expect(before.isOpen).toBe(false);
    await runSpot(home, ["reconcile"]);
    await runSpot(home, ["ls", "--refresh"]);
    expect(await gpuBill(home)).toEqual(before);
  },
);
