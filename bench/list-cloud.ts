// A cloud with many machines, in a process of its own; started by list.mjs. Arguments: how many machines, how many of them
// are ours, the home whose records know those, and whether their ledger has been begun (`settled`). It says where it is, and how much it was asked whenever it is asked that.
import { join } from "node:path";
import { systemClock } from "../src/platform/clock.ts";
import { openState } from "../src/state/open.ts";
import { fakePpio } from "../test/clouds/ppio/fake.ts";
import { sampleInstance, sampleLedger, sampleSpec } from "../test/state/sample-records.ts";

const [count = 0, ours = 0] = process.argv.slice(2, 4).map(Number);
const home = process.argv[4] ?? "";
const isSettled = process.argv[5] === "settled";
const say = (message: unknown) => process.send?.(message);

const cloud = await fakePpio({ clock: systemClock, vendor: "ppio" });
const state = await openState(join(home, "state.db"));
const written: Promise<unknown>[] = [];
for (let number = 0; number < count; number++) {
  // Ours lie scattered among the strangers.
  const mine = Math.floor((number * ours) / count) !== Math.floor(((number + 1) * ours) / count);
  const name = `bench-${String(number).padStart(5, "0")}`;
  const providerId = cloud.addStranger(mine ? `${name}-t-${number.toString(36).padStart(6, "0")}` : `theirs-${number}`, "spot");
  if (!mine) continue;
  const at = Date.now();
  const record = sampleInstance(name, {
    spec: sampleSpec(name, { providers: ["ppio"], volume: null }),
    provider: "ppio",
    providerId,
    createdAt: at,
    changedAt: at,
    readyAt: at,
    volumes: [],
  });
  const begun = sampleLedger(`l-${name}`, { instanceId: record.id, instance: name, provider: "ppio", providerId, from: at });
  written.push(state.commit({ addInstance: record, ...(isSettled ? { ledger: [begun] } : {}) }));
}
await Promise.all(written);
await state.close();
// They come up within moments.
for (let left = 1; left > 0; ) {
  await cloud.settle();
  left = cloud.living().filter(({ status }) => status !== "running").length;
  await systemClock.sleep(50);
}
let before = 0;
let [first, last] = [0, 0];
cloud.server.disturb({
  what: { do: "reset-before" },
  // Strikes nothing; it keeps the time.
  match: () => {
    last = performance.now();
    first ||= last;
    return false;
  },
});
process.on("message", () => {
  say({ requests: cloud.server.requests.length - before, seconds: (last - first) / 1000 });
  before = cloud.server.requests.length;
  first = 0;
});
say({ env: cloud.env });
