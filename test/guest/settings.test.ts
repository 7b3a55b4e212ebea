import { afterEach, beforeEach, expect, test } from "vitest";
import { guestSettings, parseGuestSettings } from "../../src/guest/settings.ts";
import { eventually, type Machine, makeMachine } from "./machine.ts";

const SECRET = "canary-of-the-environment";
const NASTY = "it's \"two\"\nspot_command() {\n  exec 'evil'\n}\n@order";

let machine: Machine;
beforeEach(async () => {
  machine = await makeMachine();
});
afterEach(() => machine.close());

const read = () => guestSettings(machine.reach, { signal: new AbortController().signal });

test("what an agent was told comes back whole; of the environment only the names", async () => {
  machine.boot({
    command: ["sh", "-c", "echo it's $HOME; sleep 1000", "", "--x=1"],
    env: { TOKEN: SECRET, EMPTY: "", NASTY },
    workdir: "/tmp",
    checkpointHook: `true\n# ${NASTY}`,
    checkpointEverySeconds: 60,
    ttlEndsAt: 1_900_000_000,
    idleSeconds: 90,
    order: '{"fleet":"night"}',
  });
  await started();
  const settings = await read();
  expect(settings).toEqual({
    instance: "train",
    volumeName: "disk",
    volumeMount: "/data",
    workdir: "/tmp",
    checkpointHook: `true\n# ${NASTY}`,
    checkpointEverySeconds: 60,
    ttlEndsAt: 1_900_000_000,
    idleSeconds: 90,
    envNames: ["EMPTY", "NASTY", "TOKEN"],
    command: ["sh", "-c", "echo it's $HOME; sleep 1000", "", "--x=1"],
    order: '{"fleet":"night"}',
  });
  expect(JSON.stringify(settings)).not.toContain(SECRET);
});

test("a machine that only waits has no command; nothing else is made up", async () => {
  machine.boot({ command: [], volumeName: null, volumeMount: null });
  await started();
  expect(await read()).toMatchObject({ command: [], envNames: [], volumeName: null, volumeMount: null, order: null, ttlEndsAt: null });
});

test("what is no such answer is refused, and a command that is not understood is none", () => {
  expect(() => parseGuestSettings("hello")).toThrow("not understood");
  const text = (command: string) => `@instance\n train\n@command\n${command}\n`;
  expect(parseGuestSettings(text("   exec 'a' b\n }")).command).toBeNull();
  expect(parseGuestSettings(text("   exec 'a' 'it'\\''s'\n }")).command).toEqual(["a", "it's"]);
});

/** Its settings are written before the agent runs. */
const started = () => eventually("the agent", () => machine.status().catch(() => undefined));

test("that no checkpoint is wanted by the clock is not the same as that nobody said", async () => {
  machine.boot({ checkpointEverySeconds: 0 });
  await started();
  expect((await read()).checkpointEverySeconds).toBe(0);
});
