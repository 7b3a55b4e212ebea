import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { commandContext } from "../../src/command-context.ts";
import { testWorld } from "../world.ts";

test("what a cloud calls its things is no order to the terminal in a question either", async () => {
  const stop = new AbortController();
  const world = testWorld({ isTTY: true, signal: stop.signal });
  const screen = new PassThrough();
  let shown = "";
  const asked = new Promise<void>((resolve) => {
    screen.on("data", (chunk) => {
      shown += String(chunk);
      if (shown.includes("of it")) resolve();
    });
  });
  const stderr = { ...world.stderr, node: screen as unknown as NodeJS.WriteStream };
  const flags = { format: { kind: "table" }, color: false, quiet: true, verbose: false, yes: false, machine: false } as never;
  const { context, close } = await commandContext({ ...world, stdinIsTTY: true, stderr }, [], {}, flags);
  const answer = context.confirm("Delete the snapshot x\u001b]0;owned\u0007\u001b[2J of it?", "--yes").catch(() => "stopped");
  await asked;
  stop.abort();
  expect(await answer).toBe("stopped");
  await close();
  expect(shown).toContain("Delete the snapshot x of it?");
  expect(shown).not.toContain("owned");
});
