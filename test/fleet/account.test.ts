import { expect, onTestFinished, test } from "vitest";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { look } from "../../src/fleet/hearing/look.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { removeVolume } from "../../src/fleet/volumes/volume-removal.ts";
import { EXIT } from "../../src/model/exit-codes.ts";
import type { CredentialOperations, Provider } from "../../src/providers/provider.ts";
import { type PaperCloud, paperCloud } from "../simulation/paper-cloud.ts";
import { type PaperWorld, paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { down, up } from "../simulation/scenarios.ts";

const HOUR = 3_600_000;
const never = () => new AbortController().signal;

/** Who is logged in at the cloud now: the account's name, or nobody knows. */
type Who = "ours" | "theirs" | "?";

interface TwoAccounts {
  readonly on: PaperWorld;
  readonly theirs: PaperCloud;
  /** A process of ours with such credentials. */
  as(who: Who, seesOurs?: boolean): Fleet;
}

async function twoAccounts(): Promise<TwoAccounts> {
  const on = await paperWorld();
  onTestFinished(() => on.state.close());
  const theirs = paperCloud(on.clock);
  const credentials = (who: Who): CredentialOperations => ({
    async account() {
      if (who === "?") throw new Error("whoever knows does not answer");
      return { id: who, name: null };
    },
    expiry: async () => ({ expiresAt: null, renews: true, why: "on paper" }),
  });
  return {
    on,
    theirs,
    as(who, seesOurs = who === "ours") {
      const { fleet } = on.start();
      const provider: Provider = { ...(seesOurs ? on.cloud : theirs).provider, credentials: credentials(who) };
      return { ...fleet, provider: async () => provider };
    },
  };
}

const pass = (on: PaperWorld, fleet: Fleet) => on.clock.run(reconcile(fleet, { signal: never(), limitMs: 10_000 }));

test("with another account's credentials nothing is concluded: the record, its ledger and both clouds stay as they are", async () => {
  const { on, theirs, as } = await twoAccounts();
  await on.clock.run(up(as("ours"), paperSpec()));
  const before = await on.state.instanceByName("train");
  expect(before?.account).toEqual({ id: "ours", name: null });
  await on.clock.pass(HOUR);
  const [seq, ledger] = [await on.state.lastSeq(), await on.state.ledger()];
  for (let passes = 0; passes < 3; passes++) {
    const { items, strays } = await pass(on, as("theirs"));
    expect(items).toMatchObject([{ outcome: "stuck", problem: { code: "SPOT_E_OTHER_ACCOUNT", exit: EXIT.credentials } }]);
    expect(items[0]?.why).toBe("train: it belongs to account ours of paper, and the credentials now are of theirs");
    expect(strays).toEqual([]);
    await on.clock.run(look(as("theirs"), never()));
    await on.clock.pass(HOUR);
  }
  expect(await on.state.instanceByName("train")).toEqual(before);
  expect([await on.state.lastSeq(), await on.state.ledger()]).toEqual([seq, ledger]);
  expect([on.cloud.living().length, theirs.living().length]).toEqual([1, 0]);
  expect((await pass(on, as("ours"))).items).toMatchObject([{ outcome: "settled" }]);
});

test("an end that is asked for with the wrong credentials says so at once, and is done with the right ones", async () => {
  const { on, as } = await twoAccounts();
  await on.clock.run(up(as("ours"), paperSpec()));
  await expect(on.clock.run(down(as("theirs")))).rejects.toMatchObject({ code: "SPOT_E_OTHER_ACCOUNT", exit: EXIT.credentials });
  expect((await on.state.instanceByName("train"))?.state).not.toBe("gone");
  expect(on.cloud.living()).toHaveLength(1);
  await pass(on, as("ours"));
  expect((await on.state.instanceByName("train"))?.state).toBe("gone");
  expect(on.cloud.living()).toEqual([]);
});

test("a launch whose answer was lost is not given up in another account", async () => {
  const { on, as } = await twoAccounts();
  const ours = as("ours");
  const provider = await ours.provider("paper");
  const lost: Fleet = {
    ...ours,
    provider: async () => ({
      ...provider,
      async launch(spec, context) {
        await provider.launch(spec, context);
        throw new Error("killed");
      },
    }),
  };
  await on.clock.run(up(lost, paperSpec()).catch(() => undefined)).catch(() => undefined);
  const record = await on.state.instanceByName("train");
  if (record !== undefined && record.desired === "gone")
    await on.state.commit({ instance: { id: record.id, version: record.version, set: { desired: "running" } } });
  await on.clock.pass(HOUR);
  const open = await on.state.pendingIntents();
  await pass(on, as("theirs"));
  expect(await on.state.pendingIntents()).toEqual(open);
  await pass(on, as("ours"));
  expect(on.cloud.living()).toHaveLength(1);
  expect((await on.state.instanceByName("train"))?.state).toBe("running");
});

test("when nobody can say whose the credentials are, what is there is there, and what is missing is not gone", async () => {
  const { on, as } = await twoAccounts();
  await on.clock.run(up(as("ours"), paperSpec()));
  expect((await pass(on, as("?", true))).items).toMatchObject([{ outcome: "settled" }]);
  const before = await on.state.instanceByName("train");
  expect((await pass(on, as("?", false))).items).toMatchObject([
    { outcome: "stuck", problem: { code: "SPOT_E_UNAVAILABLE", retryable: true } },
  ]);
  expect(await on.state.instanceByName("train")).toEqual(before);
});

test("an instance whose account nobody ever knew is looked at as before", async () => {
  const { on, as } = await twoAccounts();
  await on.clock.run(up(as("?", true), paperSpec()));
  expect((await on.state.instanceByName("train"))?.account).toBeNull();
  expect((await pass(on, as("ours"))).items).toMatchObject([{ outcome: "settled" }]);
});

test("a volume of another account is neither deleted, nor taken for deleted, nor given to a machine", async () => {
  const { on, theirs, as } = await twoAccounts();
  await on.clock.run(up(as("ours"), paperSpec()));
  await on.clock.run(down(as("ours")));
  const [volume] = await on.state.volumes();
  if (volume === undefined) throw new Error("no volume");
  expect(volume.account).toBe("ours");
  const other = { code: "SPOT_E_OTHER_ACCOUNT", exit: EXIT.credentials };
  await expect(on.clock.run(removeVolume(as("theirs"), volume, never()))).rejects.toMatchObject(other);
  await expect(on.clock.run(removeVolume(as("?"), volume, never()))).rejects.toMatchObject({ code: "SPOT_E_UNAVAILABLE" });
  await expect(on.clock.run(up(as("theirs"), paperSpec()))).rejects.toMatchObject(other);
  expect(await on.state.volumes()).toEqual([volume]);
  expect([on.cloud.volumes.size, theirs.living().length]).toEqual([1, 0]);
  await on.clock.run(removeVolume(as("ours"), volume, never()));
  expect([on.cloud.volumes.size, (await on.state.volumes()).length]).toEqual([0, 0]);
});
