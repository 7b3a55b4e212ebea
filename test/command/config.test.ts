import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { spot, testWorld } from "../world.ts";

test("what is set is kept, shown with where it came from, and forgotten again", async () => {
  const world = testWorld({ columns: 160 });
  expect(await spot(world, "config", "set", "max-price", "2.50")).toEqual({ code: 0, stdout: "maxPrice is 2.50\n", stderr: "" });
  expect(await spot(world, "config", "get", "maxPrice")).toEqual({ code: 0, stdout: "2.50\n", stderr: "" });
  const shown = await spot(world, "config", "show", "-o", "columns=key,value,origin,where", "--no-header");
  expect(
    shown.stdout
      .split("\n")
      .find((line) => line.startsWith("maxPrice"))
      ?.split(/\s+/),
  ).toEqual(["maxPrice", "2.50", "config", join(world.home, "config.json")]);
  const json = await spot(world, "config", "get", "maxPrice", "--json");
  expect(JSON.parse(json.stdout)).toEqual({
    schema: "spot.config/1",
    data: { key: "maxPrice", value: "2.50", origin: "config", where: join(world.home, "config.json") },
  });
  expect((await spot(world, "config", "unset", "maxPrice")).stdout).toBe("maxPrice is no longer set\n");
  expect((await spot(world, "config", "unset", "maxPrice")).stdout).toBe("maxPrice was not set\n");
  expect(await spot(world, "config", "get", "maxPrice")).toEqual({
    code: 9,
    stdout: "",
    stderr: "error: maxPrice is not set\n  next: spot config set maxPrice VALUE\n",
  });
});

test("a context holds settings of its own, and the environment wins over it", async () => {
  const world = testWorld();
  await spot(world, "config", "set", "gpu", "T4");
  expect((await spot(world, "config", "set", "gpu", "A100", "--context", "work")).stdout).toBe("gpu is A100 in context work\n");
  expect((await spot(world, "config", "get", "gpu")).stdout).toBe("T4\n");
  expect((await spot(world, "config", "set", "context", "work")).stdout).toBe("context is work\n");
  expect((await spot(world, "config", "get", "gpu")).stdout).toBe("A100\n");
  const loud = { ...world, env: { ...world.env, SPOT_GPU: "H100" } };
  expect((await spot(loud, "config", "get", "gpu")).stdout).toBe("H100\n");
  expect((await spot(loud, "config", "set", "gpu", "L4")).stderr).toContain("SPOT_GPU is set and still wins");
  await spot(world, "config", "unset", "gpu", "--context", "work");
  expect(JSON.parse(readFileSync(join(world.home, "config.json"), "utf8"))).toEqual({ gpu: "L4" });
});

test.each([
  [["gpu", "H100:99"], 'gpu: "H100:99" is not a GPU (expected MODEL or MODEL:COUNT with a count of 1 to 16, e.g. H100:1)'],
  [["fx-cny", "0"], 'fxCny: "0" is not how many CNY one USD is (expected a decimal from 0.1 to 100, e.g. 6.77)\n  next: spot config show'],
  [["max-price", "0"], 'maxPrice: "0" is not a price per hour (expected more than 0 and at most 1000, e.g. 2.50)'],
  [["ttl", "8 hours"], 'ttl: "8 hours" is not a duration (expected e.g. 90s, 30m, 8h)'],
  [["provider", "lcoal"], 'provider: "lcoal" is not a provider; did you mean "local"?'],
  [["billing", ""], "billing: the value is empty\n  next: spot config unset billing"],
  [["onReclaim", "replce"], 'onReclaim: "replce" is not one of replace, hibernate, checkpoint, wait, let-go; did you mean "replace"?'],
  [["provder", "local"], 'there is no setting "provder"\n  did you mean "provider"?\n  next: spot config show'],
  [["context", "work"], 'there is no context "work"\n  known: none yet\n  next: spot config set --context work KEY VALUE'],
  [["context", "work", "--context", "work"], "a context cannot choose a context\n  leave --context away"],
])("set %j is refused", async (words, message) => {
  const world = testWorld();
  expect(await spot(world, "config", "set", ...words)).toEqual({ code: 2, stdout: "", stderr: `error: ${pointing(message)}\n` });
});

/** What names no command of its own is answered with the help of this one. */
const pointing = (message: string) => (message.includes("next: ") ? message : `${message}\n  next: spot config set --help`);

test("a settings file that is no JSON is named, and left alone", async () => {
  const world = testWorld();
  const file = join(world.home, "config.json");
  writeFileSync(file, "{ gpu");
  for (const words of [["show"], ["get", "gpu"], ["set", "gpu", "H100"]]) {
    const { code, stderr } = await spot(world, "config", ...words);
    expect(code).toBe(2);
    expect(stderr).toContain(`error: the settings file ${file} cannot be read: `);
  }
  expect(readFileSync(file, "utf8")).toBe("{ gpu");
});

test("rates of other currencies are settings of their own, checked and shown", async () => {
  const world = testWorld({ columns: 200 });
  expect((await spot(world, "config", "set", "fx.eur", "0.92@2026-06-19")).stdout).toBe("fx.EUR is 0.92@2026-06-19\n");
  const shown = await spot(world, "config", "show", "-o", "columns=key,value,origin", "--no-header");
  expect(shown.stdout).toMatch(/^fx\.EUR +0\.92@2026-06-19 +config$/m);
  const bad = await spot(world, "config", "set", "fx.EUR", "cheap");
  expect([bad.code, bad.stderr]).toEqual([2, expect.stringContaining('fx.EUR: "cheap" is not how many EUR one USD is')]);
  const future = await spot(world, "config", "set", "fx.EUR", "0.92@2099-01-01");
  expect([future.code, future.stderr]).toEqual([2, expect.stringContaining("a day that has not come")]);
  expect((await spot(world, "config", "set", "fx.USD", "1")).code).toBe(2);
  const loud = { ...world, env: { ...world.env, SPOT_FX_CHF: "0.8" } };
  expect((await spot(loud, "config", "get", "fx.CHF")).stdout).toBe("0.8\n");
  expect((await spot(world, "config", "unset", "fx.EUR")).code).toBe(0);
});
