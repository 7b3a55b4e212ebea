import { expect, test } from "vitest";
import { spot } from "../world.ts";
import { cloudWorld, data, machines, must } from "./cloud.ts";

const nextLines = (stderr: string) => stderr.slice(stderr.indexOf("next:"));

test("a command that fails at once: up says so, what bills and what ends it, exits 6; ls, show and the log have it", async () => {
  const world = await cloudWorld();
  const up = await spot(world, "up", "--name", "a", "--yes", "--ttl", "2h", "--", "sh", "-c", "echo no such model; exit 3");
  expect([up.code, up.stdout]).toEqual([6, ""]);
  expect(up.stderr).toContain("error: a: its command ended with exit code 3\n");
  expect(up.stderr).toMatch(/its machine runs on and bills at about \$\d.*\/hour until its TTL is over, in (2h|1h 59m)/);
  expect(nextLines(up.stderr)).toContain("spot logs a\n        spot down a");
  expect(await machines(world)).toBe(1);
  const [listed] = await data(world, "ls");
  expect(listed).toMatchObject({ state: "running", workloadEnd: { exitCode: 3, at: expect.any(String) } });
  expect((await must(world, "ls")).stdout).toMatch(/running, ended 3, .* ago/);
  expect((await must(world, "show", "a")).stdout).toMatch(/workload +ended 3, .* ago; its machine runs on/);
  expect((await data(world, "show", "a")).workloadEnd).toEqual(listed.workloadEnd);
  expect((await must(world, "logs", "a")).stdout).toContain("no such model");
  // Whoever runs it again changes nothing, and is told.
  const again = await spot(world, "up", "--name", "a", "--yes", "--ttl", "2h", "--", "sh", "-c", "echo no such model; exit 3");
  expect(again.code).toBe(0);
  expect(again.stderr).toContain("warning: a: its command has ended with exit code 3; its machine runs on");
});

test("a command that ends before it is ready ends the waiting, of up and of wait; one that ends well left a service running, perhaps", async () => {
  const world = await cloudWorld();
  const never = ["--ready-cmd", "false"];
  const up = await spot(world, "up", "--name", "a", "--yes", "--json", ...never, "--timeout", "10m", "--", "sh", "-c", "exit 7");
  expect([up.code, up.stdout]).toEqual([6, ""]);
  expect(JSON.parse(up.stderr.trim().split("\n").at(-1) ?? "").error).toMatchObject({
    code: "SPOT_E_WORKLOAD_ENDED",
    message: "a: its command ended with exit code 7 before it was ready",
    next: ["spot logs a", "spot down a"],
  });
  expect(await data(world, "ls")).toMatchObject([{ state: "provisioning", workloadEnd: { exitCode: 7 } }]);
  const wait = await spot(world, "wait", "a", "--for", "running", "--timeout", "10m");
  expect([wait.code, wait.stderr.includes("ended with exit code 7 before it was ready")]).toEqual([1, true]);
  // There is nothing to wait for: whoever looks after the fleet is told, at once.
  const pass = await spot(world, "reconcile", "--timeout", "10m", "--json");
  expect(pass.code).toBe(6);
  expect(pass.stdout).toContain("its command ended with exit code 7 before it was ready");
  // A command that starts a service and ends: what is asked for readiness decides.
  const service = ["--ready-cmd", 'test -f "$SPOT_CHECKPOINT_DIR/up"', "--", "sh", "-c", '(sleep 2; touch "$SPOT_CHECKPOINT_DIR/up") &'];
  expect(await data(world, "up", "--name", "b", "--yes", ...service)).toMatchObject([{ state: "running", workloadEnd: { exitCode: 0 } }]);
});

test("a command that is over at once, and well, is a success that says so", async () => {
  const world = await cloudWorld();
  const up = await must(world, "up", "--name", "a", "--yes", "--idle", "1h", "--", "true");
  expect(up.stderr).toMatch(/a: its command has ended with exit code 0; its machine runs on and bills .* until it has been idle for 1h/);
  expect(await data(world, "ls")).toMatchObject([{ state: "running", workloadEnd: { exitCode: 0 } }]);
  const finished = await spot(world, "wait", "a", "--for", "finished");
  expect(finished.code).toBe(0);
});

test("a command that fails as it comes back: restore ends, asleep again, with the end of the log", async () => {
  const world = await cloudWorld();
  const once =
    'if [ -f "$SPOT_VOLUME_DIR/once" ]; then echo the disk is full of cats; exit 5; fi; touch "$SPOT_VOLUME_DIR/once"; exec sleep 600';
  await must(
    world,
    "up",
    "--name",
    "a",
    "--yes",
    "--volume",
    "a:1",
    "--ready-cmd",
    'test -f "$SPOT_VOLUME_DIR/once"',
    "--",
    "sh",
    "-c",
    once,
  );
  await must(world, "hibernate", "a", "--yes");
  const back = await spot(world, "restore", "a", "--yes");
  expect([back.code, back.stdout]).toEqual([1, ""]);
  expect(back.stderr).toContain("a: its command ended with exit code 5");
  expect(back.stderr).toContain("it is hibernated again and its GPU is not billed");
  expect(back.stderr).toContain("the disk is full of cats");
  expect(await data(world, "ls")).toMatchObject([{ state: "hibernated", workloadEnd: null }]);
});
