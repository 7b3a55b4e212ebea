// A process of its own that commits until it is told how often, or killed. Bundled by processes.test.ts.
import { openState } from "../../src/state/open.ts";
import { openPostgresState } from "../../src/state/open-postgres.ts";
import { statePlace } from "../../src/state/state-place.ts";
import { sampleEvent, sampleInstance, sampleIntent, sampleLedger, sampleVolume } from "./sample-records.ts";

const [path = "", writer = "", rounds = "0"] = process.argv.slice(2);
const place = statePlace("", path.includes("://") ? { SPOT_STATE_URL: path } : {});
const state = place.kind === "postgres" ? await openPostgresState(place) : await openState(path);
process.send?.("open");

for (let round = 0; round < Number(rounds); round++) {
  const name = `w${writer}-${process.pid}-${round}`;
  // Four tables in one change: a test can see whether one came without the others.
  const added = await state.commit({
    addInstance: sampleInstance(name),
    openIntents: [sampleIntent(name, { instanceId: `i-${name}` })],
    volumes: [sampleVolume(name)],
    ledger: [sampleLedger(name, { instanceId: `i-${name}` })],
    events: [sampleEvent({ instance: name, data: { step: "added" } })],
  });
  if (added !== "committed") throw new Error(`${name}: ${added}`);
  // Everybody counts on one record, by its version.
  for (;;) {
    const counter = await state.instanceByName("counter");
    if (counter === undefined) throw new Error("no counter");
    const set = { generation: counter.generation + 1 };
    const counted = await state.commit({
      instance: { id: counter.id, version: counter.version, set },
      closeIntents: [{ id: name, status: "done", at: 1 }],
      events: [sampleEvent({ instance: "counter", data: { ...set, name } })],
    });
    if (counted === "committed") break;
    if (counted !== "stale") throw new Error(counted);
  }
  process.send?.(round + 1);
}
await state.close();
process.disconnect?.();
