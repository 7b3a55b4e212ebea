import { expect, test } from "vitest";
import { cloudWorld, data, must } from "./cloud.ts";

test("show --why says what was done about an instance, and why; no decision is told as a secret", async () => {
  const world = await cloudWorld();
  await must(
    world,
    "up",
    "--name",
    "trainer",
    "--gpu",
    "A10G",
    "--volume",
    "trainer:1:/data",
    "--env",
    "TOKEN=s3cret",
    "--yes",
    "--",
    "sleep",
    "600",
  );
  await must(world, "local", "reclaim", "trainer", "--notice", "0s");
  await must(world, "reconcile");
  const decisions = await data(world, "show", "trainer", "--why");
  const words = decisions.map(({ action }: { action: string }) => action);
  expect(words).toEqual(expect.arrayContaining(["launch", "lost"]));
  const lost = decisions.find(({ action }: { action: string }) => action === "lost");
  expect(lost).toMatchObject({
    because: expect.stringContaining("gone"),
    inputs: { next: "replace", taken: true, pool: expect.stringMatching(/^local\/.*\/spot$/) },
    nextLook: null,
  });
  const again = decisions.findLast(({ action }: { action: string }) => action === "launch");
  expect(again.because).toMatch(/^it has no machine \(.+\)/);
  const document = JSON.parse((await must(world, "show", "trainer", "--why", "--json")).stdout);
  expect(document).toMatchObject({ schema: "spot.decisions/1", instance: "trainer", state: "running", waiting: null });
  const { stdout } = await must(world, "show", "trainer", "--why");
  expect(stdout).toContain("lost\n");
  expect(stdout + JSON.stringify(document)).not.toContain("s3cret");
});
