import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { eventually } from "../guest/machine.ts";
import { startWatch } from "./watching.ts";

const HOSTILE = "x; touch pwned; $(touch pwned) `touch pwned` '\"\n-n";
const fromNow = (watch: { readonly world: { readonly clock: { now(): number } } }, ms: number) => watch.world.clock.now() + ms;

const until = (path: string, lines: number) =>
  eventually(`${lines} lines`, () => (existsSync(path) && readFileSync(path, "utf8").split("\n").length > lines ? true : undefined));

test("a command runs once for each notice, with the event on stdin and in its environment; no name is read by the shell", async () => {
  const command =
    'printf "%s|%s|%s|%s|%s\\n" "$SPOT_EVENT_TYPE" "$SPOT_EVENT_SEQ" "$SPOT_EVENT_PROVIDER" "$SPOT_EVENT_KIND" "$SPOT_EVENT_DEADLINE" >> told; cat >> stdin; printf %s "$SPOT_EVENT_INSTANCE" > name; echo heard "$SPOT_EVENT_INSTANCE"';
  const watch = await startWatch({}, "--exec", command);
  const deadline = fromNow(watch, 60_000);
  await watch.write(
    { type: "state", instance: "other" },
    { type: "notice", instance: HOSTILE, provider: "aws", data: { kind: "reclaim", source: "guest", deadline } },
  );
  const home = watch.world.home;
  await until(join(home, "stdin"), 1);
  await eventually("its words", () => (watch.world.said().includes("heard") ? true : undefined));
  expect(readFileSync(join(home, "told"), "utf8")).toBe(`notice|2|aws|reclaim|${Math.floor(deadline / 1000)}\n`);
  expect(readFileSync(join(home, "name"), "utf8")).toBe(HOSTILE);
  expect(JSON.parse(readFileSync(join(home, "stdin"), "utf8"))).toMatchObject({
    schema: "spot.event/1",
    seq: 2,
    instance: HOSTILE,
    deadline: new Date(deadline).toISOString(),
  });
  expect(existsSync(join(home, "pwned"))).toBe(false);
  expect(watch.world.said()).toMatch(/^\[x; touch pwned; .* notice 2\] heard x; touch pwned/m);
  await watch.stop();
});

test("--on chooses, order is kept for each instance, and others do not wait for one that is slow", async () => {
  // The first one of `slow` waits until the events of the others have come.
  const command =
    'if [ "$SPOT_EVENT_SEQ" = 1 ]; then while [ ! -f go ]; do sleep 0.05; done; fi; echo "$SPOT_EVENT_INSTANCE $SPOT_EVENT_SEQ" >> order';
  const watch = await startWatch({}, "--exec", command, "--on", "state,warning");
  await watch.write(
    { type: "state", instance: "slow" },
    { type: "state", instance: "slow" },
    { type: "notice", instance: "slow" },
    ...Array.from({ length: 10 }, (_, index) => ({ type: "state" as const, instance: `i${index}` })),
  );
  const order = join(watch.world.home, "order");
  await until(order, 10);
  expect(readFileSync(order, "utf8")).not.toContain("slow");
  writeFileSync(join(watch.world.home, "go"), "");
  await until(order, 12);
  const slow = readFileSync(order, "utf8")
    .split("\n")
    .filter((line) => line.startsWith("slow"));
  expect(slow).toEqual(["slow 1", "slow 2"]);
  await watch.stop();
});

test("a command that hangs is ended with its children, one that fails is a warning, and neither stops the watch", async () => {
  const command =
    "case $SPOT_EVENT_INSTANCE in hangs) sleep 300 & echo $! > child; wait ;; fails) exit 3 ;; late) touch late ;; *) touch well ;; esac";
  const watch = await startWatch({}, "--exec", command, "--exec-timeout", "500ms", "--on", "notice,warning");
  await watch.write(
    { type: "notice", instance: "hangs", data: { kind: "reclaim", deadline: fromNow(watch, 60_000) } },
    { type: "notice", instance: "fails", data: { kind: "reclaim", deadline: fromNow(watch, 60_000) } },
    { type: "notice", instance: "late", data: { kind: "reclaim", deadline: fromNow(watch, -60_000) } },
    { type: "notice", instance: "well", data: { withdrawn: true } },
  );
  const warnings = () => watch.events().filter(({ type }) => type === "warning");
  await eventually("three warnings", () => (warnings().length >= 3 ? true : undefined));
  await eventually("the others", () => (existsSync(join(watch.world.home, "well")) ? true : undefined));
  const said = Object.fromEntries(warnings().map(({ instance, message }) => [instance, message]));
  expect(said).toEqual({
    hangs: "--exec for event 1 (notice) was ended after 0.5s",
    fails: "--exec for event 2 (notice) ended with exit code 3",
    late: expect.stringMatching(/^--exec for event 3 \(notice\) was not run: its deadline passed 1m ago/),
  });
  const child = readFileSync(join(watch.world.home, "child"), "utf8").trim();
  await eventually("the end of its child", () => (isAlive(child) ? undefined : true));
  expect(existsSync(join(watch.world.home, "late"))).toBe(false);
  // A warning that a hook has brought about starts no hook.
  await watch.write({ type: "notice", instance: "well" });
  await watch.world.clock.sleep(500);
  expect(warnings()).toHaveLength(3);
  await watch.stop();
});

/** A zombie has ended; nobody has asked yet how. */
function isAlive(pid: string): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
