import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { type FakePpio, fakePpio } from "../clouds/ppio/fake.ts";
import { fakeVerda } from "../clouds/verda/verda.ts";
import { spot, type TestWorldParts, testWorld } from "../world.ts";
import { data } from "./cloud.ts";

async function ppio(vendor: "ppio" | "novita" = "ppio"): Promise<FakePpio> {
  const cloud = await fakePpio({ clock: systemClock, vendor });
  onTestFinished(() => cloud.close());
  return cloud;
}

async function verda() {
  const cloud = await fakeVerda({ clock: systemClock });
  onTestFinished(() => cloud.close());
  return cloud;
}

/** A world that knows where the cloud is, and no credentials of it. */
function worldOf(url: Readonly<Record<string, string>>, parts: TestWorldParts = {}) {
  return testWorld({ columns: 200, ...parts, env: { ...url, ...parts.env } });
}

const fileOf = (home: string) => join(home, "credentials.json");

test("login tries a key, keeps it for this user only, and from then on the cloud is asked; logout forgets it", async () => {
  const cloud = await ppio();
  const world = worldOf({ PPIO_API_URL: cloud.url }, { stdin: `${cloud.credential}\n` });
  const login = await spot(world, "provider", "login", "ppio", "--stdin");
  expect([login.code, login.stderr]).toEqual([0, expect.not.stringContaining("warning")]);
  expect(login.stdout).toBe(
    `the credentials of PPIO are kept in ${fileOf(world.home)} (accepted, 0 instances in the account)\nnext: spot offers --provider ppio\n`,
  );
  expect(statSync(fileOf(world.home)).mode & 0o777).toBe(0o600);
  expect(JSON.parse(readFileSync(fileOf(world.home), "utf8"))).toEqual({ PPIO_API_KEY: cloud.credential });

  const rows = await data(world, "provider", "ls");
  const row = rows.find(({ provider }: { provider: string }) => provider === "ppio");
  expect(row).toMatchObject({
    title: "PPIO",
    configured: true,
    credentials: { from: "stored", variables: [{ variable: "PPIO_API_KEY", from: "stored" }] },
    endpoint: { url: cloud.url, from: "environment", variable: "PPIO_API_URL" },
    capabilities: { hibernate: "park", machine: "container" },
  });
  const offers = await data(world, "offers", "--billing", "any", "--source", "live");
  expect(new Set(offers.map(({ provider }: { provider: string }) => provider))).toEqual(new Set(["ppio"]));
  expect((await spot(world, "config", "get", "provider")).stdout).toBe("ppio\n");

  const logout = await spot(world, "provider", "logout", "ppio");
  expect([logout.code, logout.stdout]).toEqual([0, "the credentials of PPIO are forgotten\n"]);
  expect(existsSync(fileOf(world.home))).toBe(false);
  expect((await spot(world, "provider", "logout", "ppio")).stdout).toBe("nothing was stored for PPIO\n");
  expect((await spot(world, "config", "get", "provider")).stdout).toBe("local\n");
  expect(world.written() + world.said()).not.toContain(cloud.credential);
});

test("two variables, in their order or by their names", async () => {
  const cloud = await verda();
  const { VERDA_CLIENT_ID: id = "", VERDA_CLIENT_SECRET: secret = "", VERDA_API_URL: url = "" } = cloud.env;
  for (const stdin of [`${id}\n${secret}\n`, `VERDA_CLIENT_SECRET=${secret}\nVERDA_CLIENT_ID=${id}\n`]) {
    const world = worldOf({ VERDA_API_URL: url }, { stdin });
    const { code, stdout } = await spot(world, "provider", "login", "verda", "--stdin", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      schema: "spot.provider/1",
      data: {
        provider: "verda",
        configured: true,
        stored: ["VERDA_CLIENT_ID", "VERDA_CLIENT_SECRET"],
        checked: true,
        instances: 0,
        file: fileOf(world.home),
      },
    });
    expect(world.written() + world.said()).not.toContain(secret);
  }
});

test("a key that the cloud refuses is not kept: exit 4; a cloud that does not answer is not taken for a refusal", async () => {
  const cloud = await ppio();
  const wrong = worldOf({ PPIO_API_URL: cloud.url }, { stdin: "canary-wrong-key" });
  const refused = await spot(wrong, "provider", "login", "ppio", "--stdin");
  expect([refused.code, refused.stdout]).toEqual([4, ""]);
  expect(refused.stderr).toContain("PPIO refuses these credentials");
  expect(refused.stderr).toContain("nothing was kept");
  expect(refused.stderr).not.toContain("canary-wrong-key");
  expect(existsSync(fileOf(wrong.home))).toBe(false);

  await cloud.close();
  const deaf = worldOf({ PPIO_API_URL: cloud.url }, { stdin: "canary-some-key" });
  const unanswered = await spot(deaf, "provider", "login", "ppio", "--stdin");
  expect(unanswered.code).toBe(1);
  expect(unanswered.stderr).toContain("the credentials could not be tried");
  expect(unanswered.stderr).toContain("next: spot provider login ppio --no-check");
  expect(existsSync(fileOf(deaf.home))).toBe(false);
  const untried = await spot(deaf, "provider", "login", "ppio", "--stdin", "--no-check");
  expect([untried.code, untried.stdout]).toEqual([0, expect.stringContaining("(not tried)")]);
  expect(await data(deaf, "config", "get", "provider")).toMatchObject({ value: "ppio", origin: "default" });
});

test("without a terminal login names --stdin; with a terminal on stdin --stdin names the question", async () => {
  const world = worldOf({});
  const { code, stderr } = await spot(world, "provider", "login", "verda");
  expect(code).toBe(2);
  expect(stderr).toContain("cannot ask for VERDA_CLIENT_ID and VERDA_CLIENT_SECRET without a terminal");
  expect(stderr).toContain("pipe it in with --stdin");
  const typed = await spot({ ...world, stdinIsTTY: true }, "provider", "login", "verda", "--stdin");
  expect([typed.code, typed.stderr]).toEqual([2, expect.stringContaining("leave it away to be asked unseen")]);
});

test("a variable of the environment wins over what is kept, and that is said", async () => {
  const cloud = await ppio();
  const world = worldOf({ PPIO_API_URL: cloud.url }, { stdin: cloud.credential, env: { PPIO_API_KEY: "canary-older" } });
  const login = await spot(world, "provider", "login", "ppio", "--stdin");
  expect(login.code).toBe(0);
  expect(login.stderr).toContain("PPIO_API_KEY is set in the environment and still wins");
  const logout = await spot(world, "provider", "logout", "ppio");
  expect(logout.stderr).toContain("PPIO_API_KEY is set in the environment and still wins");
});

test("doctor asks each configured cloud: one is well and its clock is off, one refuses, one lacks half", async () => {
  const [good, bad] = [await ppio(), await ppio("novita")];
  good.skewClock(600_000);
  const env = { ...good.env, ...bad.env, NOVITA_API_KEY: "canary-wrong", VERDA_CLIENT_ID: "canary-half" };
  const { code, stdout } = await spot(worldOf(env), "doctor", "--json");
  const found = JSON.parse(stdout).data as { check: string; status: string; detail: string; hint: string }[];
  const of = (name: string) => found.find(({ check }) => check === name);
  expect(code).toBe(1);
  expect(of("ppio")).toMatchObject({
    status: "warn",
    detail: expect.stringMatching(/^credentials accepted, 0 instances.*its clock is 10m ahead/),
  });
  expect(of("novita")).toMatchObject({ status: "fail", detail: expect.stringContaining("refuses the credentials") });
  expect(of("verda")).toMatchObject({ status: "fail", detail: "VERDA_CLIENT_SECRET missing", hint: "spot provider login verda" });
  expect(of("hyperstack")).toBeUndefined();
  expect(stdout).not.toContain("canary");
});

test("offers of a yuan cloud and a dollar cloud stand in one order, which the rate decides; each keeps its currency", async () => {
  const [yuan, dollars] = [await ppio(), await ppio("novita")];
  const world = worldOf({ ...yuan.env, ...dollars.env });
  const firstAt = async (fx: string) => {
    const rows = await data({ ...world, env: { ...world.env, SPOT_FX_CNY: fx } }, "offers", "--sort", "price", "--source", "live");
    const currencies = rows.map(({ price }: { price: { currency: string } }) => price.currency);
    expect(new Set(currencies)).toEqual(new Set(["CNY", "USD"]));
    for (const row of rows) expect(row.effectivePrice.currency).toBe(row.price.currency);
    const worth = rows
      .filter(({ stock }: { stock: unknown }) => stock !== 0)
      .map(
        ({ gpuPrice }: { gpuPrice: { amount: string; currency: string } }) =>
          Number(gpuPrice.amount) / (gpuPrice.currency === "CNY" ? Number(fx) : 1),
      );
    expect(worth).toEqual(worth.toSorted((a: number, b: number) => a - b));
    return currencies[0];
  };
  expect(await firstAt("100")).toBe("CNY");
  expect(await firstAt("0.1")).toBe("USD");
  const { stdout } = await spot(world, "offers");
  expect(stdout).toContain("Currencies are compared at 1 USD for 6.77 CNY");
  const bad = await spot({ ...world, env: { ...world.env, SPOT_FX_CNY: "six" } }, "offers");
  expect([bad.code, bad.stderr]).toEqual([2, expect.stringContaining('fxCny: "six" is not how many CNY one USD is')]);
});

test("up says who has to be awake for a notice and the time to live to take effect", async () => {
  const cloud = await ppio();
  const world = worldOf({ PPIO_API_URL: cloud.url, PPIO_API_KEY: cloud.credential });
  const up = await spot(world, "up", "--name", "job", "--gpu", "RTX4090:1", "--ttl", "1h", "--no-wait", "--yes", "--", "sleep", "1000");
  expect(up.stderr).toContain("ppio: its notices and --ttl take effect only while spot watch --act runs, or spot reconcile each minute");
  expect(up.code).toBe(8);
});
