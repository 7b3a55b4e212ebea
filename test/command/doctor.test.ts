import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type AskedCloud, cloudFindings, credentialsVerdict } from "../../src/commands/doctor-clouds.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { ProviderError } from "../../src/providers/errors.ts";
import type { Provider, ProviderInstance } from "../../src/providers/provider.ts";
import { fakeServer } from "../clouds/fake-server.ts";
import { machine } from "../fleet/samples.ts";
import { spot, temporaryFolder, testWorld } from "../world.ts";

/** A cloud whose address is a server of ours, `aheadMs` ahead, and whose list answers as told. */
async function cloud(
  name: string,
  list: Provider["list"],
  aheadMs = 0,
  status = 404,
): Promise<AskedCloud & { readonly asked: () => number; readonly stall: () => void }> {
  const server = await fakeServer({
    handle: () => ({ status, ...(status === 302 ? { headers: { location: "http://elsewhere.invalid/" } } : {}) }),
    dateOffsetMs: () => aheadMs,
  });
  onTestFinished(() => server.close());
  const access = {
    provider: name,
    title: name.toUpperCase(),
    variables: [`${name.toUpperCase()}_KEY`],
    endpoint: { variable: `${name.toUpperCase()}_URL`, url: server.url },
    obtain: `${name}.example, keys`,
  };
  return {
    access,
    missing: [],
    provider: async () => ({ list }),
    asked: () => server.requests.length,
    stall: () => server.disturb({ what: { do: "stall", ms: 20_000 }, times: 99 }),
  };
}

const world = () => ({ env: {}, clock: systemClock, signal: new AbortController().signal });
const answers = (instances: readonly ProviderInstance[]) => async () => instances;
const fails = (error: Error) => async () => {
  throw error;
};

test("a cloud that answers is fine, with its instances and its time; nothing is said of a clock that agrees", async () => {
  const one = await cloud("one", answers([machine(), machine()]));
  const [finding] = await cloudFindings([one], world());
  expect(finding).toEqual({
    check: "one",
    status: "ok",
    detail: expect.stringMatching(/^credentials accepted, 2 instances, answered in \d+ ms$/),
    hint: "",
  });
  expect(one.asked()).toBe(1);
});

test.each([
  [600_000, "its clock is 10m ahead of ours"],
  [-7_200_000, "its clock is 2h behind ours"],
])("a server %i ms off is told, also by a redirect", async (aheadMs, words) => {
  for (const status of [404, 302]) {
    const [finding] = await cloudFindings([await cloud("one", answers([]), aheadMs, status)], world());
    expect(finding).toMatchObject({ status: "warn", detail: expect.stringContaining(words) });
    expect(finding?.hint).toContain("clock");
  }
});

test("refused credentials, a broken cloud and a missing variable are findings, each with what to do", async () => {
  const refused = new ProviderError("two", { kind: "auth" }, "bad key");
  const broken = new ProviderError("three", { kind: "unavailable" }, "no route");
  const half = { ...(await cloud("four", answers([]))), missing: ["FOUR_SECRET"] };
  const clouds = [await cloud("one", answers([])), await cloud("two", fails(refused)), await cloud("three", fails(broken)), half];
  const found = await cloudFindings(clouds, world());
  expect(found.map(({ check, status }) => [check, status])).toEqual([
    ["one", "ok"],
    ["two", "fail"],
    ["three", "fail"],
    ["four", "fail"],
  ]);
  expect(found[1]).toMatchObject({ detail: "refuses the credentials: bad key", hint: "spot provider login two (two.example, keys)" });
  expect(found[2]).toMatchObject({
    detail: "does not answer as it should: no route",
    hint: "check the network and THREE_URL, then try again",
  });
  expect(found[3]).toMatchObject({ detail: "FOUR_SECRET missing", hint: "spot provider login four" });
  expect(half.asked()).toBe(0);
});

test("clouds that hang are waited for together, each for its own time", async () => {
  let asked = 0;
  const askedAtTheirEnd: number[] = [];
  const hangs: Provider["list"] = ({ signal }) => {
    asked += 1;
    return new Promise((_, reject) => {
      const end = () => {
        askedAtTheirEnd.push(asked);
        reject(new Error("stopped"));
      };
      signal.addEventListener("abort", end, { once: true });
    });
  };
  const clouds = await Promise.all(["one", "two", "three"].map((name) => cloud(name, hangs)));
  for (const { stall } of clouds) stall();
  const found = await cloudFindings([...clouds, await cloud("four", answers([]))], world(), 400);
  expect(askedAtTheirEnd).toEqual([3, 3, 3]);
  expect(found.map(({ status }) => status)).toEqual(["fail", "fail", "fail", "ok"]);
  expect(found[0]?.detail).toBe("does not answer as it should: no answer within 400 ms");
});

test("Ctrl-C ends the checks", async () => {
  const stop = new AbortController();
  const slow: Provider["list"] = async () => {
    stop.abort("SIGINT");
    return [];
  };
  await expect(cloudFindings([await cloud("one", slow)], { ...world(), signal: stop.signal })).rejects.toBe("SIGINT");
});

test("stored credentials that others may read, or nobody, are told", async () => {
  const home = temporaryFolder();
  const file = join(home, "credentials.json");
  expect(await credentialsVerdict({ home })).toEqual({ status: "ok", detail: "none stored", hint: "" });
  writeFileSync(file, '{"PPIO_API_KEY":"canary"}', { mode: 0o600 });
  expect(await credentialsVerdict({ home })).toEqual({ status: "ok", detail: `1 stored in ${file}`, hint: "" });
  chmodSync(file, 0o640);
  expect(await credentialsVerdict({ home })).toEqual({ status: "warn", detail: `others may read ${file}`, hint: `chmod 600 ${file}` });
  writeFileSync(file, "{");
  expect(await credentialsVerdict({ home })).toMatchObject({ status: "fail", detail: `${file} cannot be read` });
});

test("without ssh doctor warns while no cloud is configured", async () => {
  const home = temporaryFolder();
  const { stdout } = await spot(testWorld({ home, env: { PATH: home } }), "doctor", "--json");
  const found = JSON.parse(stdout).data as { check: string; status: string; detail: string }[];
  expect(found.find(({ check }) => check === "ssh")).toMatchObject({ status: "warn", detail: "ssh and ssh-keygen not found" });
});
