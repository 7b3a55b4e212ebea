import { expect, onTestFinished } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { openState } from "../../src/state/open.ts";
import { fakeAws } from "../clouds/aws/aws.ts";
import { onMoto } from "../providers/aws-bench.ts";
import { sampleInstance } from "../state/sample-records.ts";
import { spot, testWorld } from "../world.ts";

async function ec2() {
  const cloud = await fakeAws({ clock: systemClock });
  onTestFinished(() => cloud.close());
  return cloud;
}

onMoto(
  "credentials that end before the machine does are said before it is rented, to people and to scripts",
  async () => {
    const cloud = await ec2();
    const ends = new Date(Date.now() + 2 * 3_600_000).toISOString();
    const world = testWorld({
      columns: 200,
      env: { ...cloud.env, ...(await cloud.temporary()), AWS_CREDENTIAL_EXPIRATION: ends, SPOT_AWS_REGIONS: "us-east-1" },
    });
    const up = (...more: readonly string[]) => spot(world, "up", "--provider", "aws", "--name", "a", "--gpu", "T4", "--dry-run", ...more);
    const long = await up("--ttl", "8h", "--json");
    expect([long.code, long.stderr]).toEqual([0, expect.anything()]);
    const { warnings } = JSON.parse(long.stdout);
    expect(warnings).toEqual([
      expect.stringMatching(
        /^aws: the credentials \(temporary, from the environment\) expire in (2h|1h 5\dm), at .*Z, and are not renewed by themselves: spot could not end a after that; its TTL on the box still does$/,
      ),
    ]);
    expect((await up("--ttl", "8h")).stderr).toContain("spot could not end a after that");
    expect(JSON.parse((await up("--ttl", "1h", "--json")).stdout).warnings).toBeUndefined();
    const rows = JSON.parse((await spot(world, "provider", "ls", "--json")).stdout).data;
    expect(rows.find(({ provider }: { provider: string }) => provider === "aws")).toMatchObject({
      account: { id: expect.stringMatching(/^21\d{10}$/), name: null },
      expiry: { expiresAt: ends, renews: false, why: "temporary, from the environment" },
    });
    expect(rows.find(({ provider }: { provider: string }) => provider === "ppio")).toMatchObject({ account: null, expiry: null });
    expect((await spot(world, "provider", "ls")).stdout).toMatch(/aws .* 21\d{10} +(2h|1h 5\dm)/);
    const doctor = JSON.parse((await spot(world, "doctor", "--json")).stdout).data;
    expect(doctor.find(({ check }: { check: string }) => check === "aws")).toMatchObject({
      status: "warn",
      detail: expect.stringMatching(/^credentials accepted, account 21\d{10}, 0 instances, .*; its credentials: expire in/),
    });
  },
  60_000,
);

onMoto(
  "after a change of profile reconcile takes nothing for reclaimed, and says whose the instance is",
  async () => {
    const [ours, theirs] = [await ec2(), await ec2()];
    const world = testWorld({ env: { ...ours.env, SPOT_AWS_REGIONS: "us-east-1" } });
    const id = async (env: Readonly<Record<string, string>>) =>
      JSON.parse((await spot({ ...world, env: { ...world.env, ...env } }, "provider", "ls", "--json")).stdout).data.find(
        ({ provider }: { provider: string }) => provider === "aws",
      ).account.id;
    const account = { id: await id({}), name: null };
    const state = await openState(`${world.home}/state.db`);
    const record = sampleInstance("train", {
      provider: "aws",
      providerId: "us-east-1/i-0123456789abcdef0",
      readyAt: 1_700_000_000_000,
      account,
    });
    await state.commit({ addInstance: record });
    await state.close();
    const other = { ...world, env: { ...world.env, ...theirs.env } };
    const passed = await spot(other, "reconcile", "--json");
    expect(passed.code).toBe(4);
    expect(JSON.parse(passed.stdout).data).toMatchObject([
      {
        what: "train",
        outcome: "stuck",
        why: `train: it belongs to account ${account.id} of aws, and the credentials now are of ${await id(theirs.env)}`,
      },
    ]);
    expect((await spot(other, "ls", "--refresh", "--json")).code).toBe(0);
    const shown = JSON.parse((await spot(other, "show", "train", "--json")).stdout).data;
    expect(shown).toMatchObject({ state: "running", desired: "running", account, events: [] });
    expect((await spot(other, "show", "train")).stdout).toMatch(new RegExp(`account +${account.id}`));
    expect(theirs.server.requests.some(({ body }) => body.includes("Action=RunInstances"))).toBe(false);
  },
  60_000,
);
