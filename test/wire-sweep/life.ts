import type { Fleet } from "../../src/fleet/fleet.ts";
import { putToSleep, takeDown } from "../../src/fleet/park.ts";
import { reconcile } from "../../src/fleet/pass.ts";
import { wakeUp } from "../../src/fleet/waking.ts";
import type { InstanceRecord } from "../../src/state/records.ts";
import { up } from "../simulation/scenarios.ts";
import type { WireWorld } from "./wire-world.ts";

const never = () => new AbortController().signal;
const LIMIT_MS = 3_600_000;

/** One step of a life, done by a process of its own; how it ends is not asked here, only what is left behind it. */
export type Step = (world: WireWorld, fleet: Fleet) => Promise<void>;

async function named(fleet: Fleet): Promise<InstanceRecord> {
  const record = await fleet.state.instanceByName("train");
  if (record === undefined || record.state === "gone") throw new Error("there is no living train");
  return record;
}

const pass: Step = async (_world, fleet) => void (await reconcile(fleet, { signal: never(), limitMs: LIMIT_MS }));

const rent: Step = async ({ spec }, fleet) => void (await up(fleet, spec));

/** A notice where the cloud gives one, and what `watch --act` does about it: the policy is to hibernate. */
const notice: Step = async (world, fleet) => {
  if (!(await world.cloud.giveNotice(world.tempo.noticeSeconds))) return;
  await pass(world, fleet);
  await fleet.clock.sleep(world.tempo.betweenMs / 12);
  await pass(world, fleet);
};

const checkpoint: Step = async ({ guests }, fleet) => {
  const { provider, providerId } = await named(fleet);
  const instance = providerId === null ? undefined : await (await fleet.provider(provider)).get(providerId, { signal: never() });
  if (instance?.reach != null && instance.state === "running") await guests.door.snapshot(instance.reach, "manual", null, never());
};

const park: Step = async (_world, fleet) =>
  void (await putToSleep(fleet, await named(fleet), { signal: never(), limitMs: LIMIT_MS, snapshot: true }));

const restore: Step = async (_world, fleet) =>
  void (await wakeUp(fleet, await named(fleet), { signal: never(), capMs: LIMIT_MS, sleepLimitMs: LIMIT_MS }));

const down: Step = async (_world, fleet) =>
  void (await takeDown(fleet, await named(fleet), { signal: never(), limitMs: LIMIT_MS, snapshot: true }));

/** up → checkpoint → notice → park → restore → down */
export const LIFE: readonly Step[] = [rent, checkpoint, notice, park, restore, down];
