import { expect, test } from "vitest";
import { knownProviders } from "../../src/providers/registry.ts";
import { spot, testWorld } from "../world.ts";
import { data } from "./cloud.ts";

test("provider ls says what each provider can do, and what is missing, without asking anybody", async () => {
  const world = testWorld({ columns: 200 });
  const rows = await data(world, "provider", "ls");
  expect(rows.map((row: { provider: string }) => row.provider)).toEqual(knownProviders());
  expect(rows[0]).toEqual({
    provider: "local",
    title: "embedded cloud",
    configured: true,
    credentials: { from: "none needed", variables: [] },
    endpoint: null,
    // Whose it is: this home's; another computer on the same state has another one.
    account: { id: expect.stringMatching(/^acct-/), name: expect.any(String) },
    expiry: { expiresAt: null, renews: true, why: expect.stringMatching(/./) },
    capabilities: {
      noticeSeconds: expect.any(Number),
      protectionSeconds: expect.any(Number),
      hibernate: "native",
      volumes: true,
      keepsRoot: false,
      retainsAddress: expect.any(Boolean),
      machine: "process",
      whyNoStop: expect.stringMatching(/./),
    },
  });
  // Nothing was started for it.
  expect((await spot(world, "local", "stop")).stdout).toContain("not running");
});

test.each([
  [["login", "local"], "local needs no credentials"],
  [["logout", "local"], "local needs no credentials"],
  [["login", "ppoi"], 'there is no provider "ppoi"'],
])("provider %j is refused with exit 2", async (argv, message) => {
  const { code, stdout, stderr } = await spot(testWorld(), "provider", ...argv);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toContain(message);
  expect(stderr).toContain("spot provider ls");
});
