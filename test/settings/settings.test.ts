import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { settingLayers } from "../../src/commands/setting-layers.ts";
import { requireSettingKey } from "../../src/model/setting-keys.ts";
import { currentContext, findSetting, readStoredSettings, settingVariable, writeStoredSettings } from "../../src/platform/settings.ts";

function temporaryHome(): string {
  const folder = mkdtempSync(join(tmpdir(), "spot-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "home");
}

const stored = {
  values: { gpu: "T4", ttl: "1h", billing: "auto", context: "work" },
  contexts: { work: { gpu: "A100", ttl: "2h" }, play: { gpu: "L4" } },
};

test("flag, environment, context, file, default: the loudest wins and says where it stands", () => {
  const home = "/home/me/.spot";
  const all = { home, env: { SPOT_GPU: "H100" }, stored };
  expect(findSetting("gpu", all, "B200")).toEqual({ key: "gpu", value: "B200", origin: "flag", where: "--gpu" });
  expect(findSetting("gpu", all)).toEqual({ key: "gpu", value: "H100", origin: "environment", where: "SPOT_GPU" });
  expect(findSetting("gpu", { ...all, env: { SPOT_GPU: "" } })).toEqual({ key: "gpu", value: "A100", origin: "context", where: "work" });
  expect(findSetting("gpu", { ...all, env: { SPOT_CONTEXT: "play" } }).value).toBe("L4");
  expect(findSetting("billing", all)).toEqual({ key: "billing", value: "auto", origin: "config", where: `${home}/config.json` });
  expect(findSetting("onReclaim", all, undefined, "replace")).toEqual({ key: "onReclaim", value: "replace", origin: "default", where: "" });
  expect(findSetting("image", all)).toEqual({ key: "image", value: null, origin: "default", where: "" });
});

test("names of variables and keys", () => {
  expect([settingVariable("maxPrice"), settingVariable("gpu")]).toEqual(["SPOT_MAX_PRICE", "SPOT_GPU"]);
  expect(["maxPrice", "max-price", "MAX_PRICE"].map((text) => requireSettingKey(text).key)).toEqual(["maxPrice", "maxPrice", "maxPrice"]);
  expect(() => requireSettingKey("maxprise")).toThrow(expect.objectContaining({ exit: 2, hint: 'did you mean "maxPrice"?' }));
});

test("a context that does not exist is refused", () => {
  const sources = { home: "/x", env: { SPOT_CONTEXT: "wrk" }, stored };
  expect(() => currentContext(sources)).toThrow('there is no context "wrk"');
  expect(currentContext({ ...sources, env: {} })).toBe("work");
});

test("what is written is read again, by its owner only", async () => {
  const home = temporaryHome();
  expect(await readStoredSettings(home)).toEqual({ values: {}, contexts: {} });
  await writeStoredSettings(home, stored);
  expect(await readStoredSettings(home)).toEqual(stored);
  expect((statSync(join(home, "config.json")).mode & 0o777).toString(8)).toBe("600");
  await writeStoredSettings(home, { values: { gpu: "H100" }, contexts: {} });
  expect(JSON.parse(readFileSync(join(home, "config.json"), "utf8"))).toEqual({ gpu: "H100" });
});

test("a file that is no JSON is refused and left alone; odd values are read as text or left out", async () => {
  const home = temporaryHome();
  mkdirSync(home);
  const file = join(home, "config.json");
  for (const content of ["{ gpu: ", "[1]", "null", '"x"']) {
    writeFileSync(file, content);
    await expect(readStoredSettings(home)).rejects.toMatchObject({ code: "SPOT_E_CONFIG", exit: 2, next: [`mv ${file} ${file}.damaged`] });
    expect(readFileSync(file, "utf8")).toBe(content);
  }
  writeFileSync(file, '{"maxPrice": 2.5, "gpu": null, "ttl": {"a": 1}, "contexts": {"a": {"gpu": 4}, "b": 5}}');
  expect(await readStoredSettings(home)).toEqual({ values: { maxPrice: "2.5" }, contexts: { a: { gpu: "4" }, b: {} } });
});

test("a home that cannot be made is said, with what to do", async () => {
  const home = temporaryHome();
  writeFileSync(home, "a file");
  await expect(writeStoredSettings(join(home, "below"), stored)).rejects.toMatchObject({
    code: "SPOT_E_CONFIG",
    exit: 1,
    next: ["spot doctor"],
  });
});

test("the environment stands above a fleet file, context and file below it", async () => {
  const home = temporaryHome();
  await writeStoredSettings(home, stored);
  expect(await settingLayers({ home, env: { SPOT_MAX_PRICE: "3" } }, ["local"])).toEqual({
    above: { maxPrice: "3" },
    below: { gpu: "A100", ttl: "2h", billing: "auto" },
  });
});

test("a setting that makes no sense is told by its own name", async () => {
  const home = temporaryHome();
  await expect(settingLayers({ home, env: { SPOT_TTL: "8 hours" } }, ["local"])).rejects.toMatchObject({
    message: 'SPOT_TTL: "8 hours" is not a duration (expected e.g. 90s, 30m, 8h)',
    exit: 2,
  });
  await writeStoredSettings(home, { values: {}, contexts: { work: { provider: "lcoal" } } });
  await expect(settingLayers({ home, env: { SPOT_CONTEXT: "work" } }, ["local"])).rejects.toMatchObject({
    message: 'provider (from context work): "lcoal" is not a provider; did you mean "local"?',
  });
});
