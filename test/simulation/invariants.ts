import { mayBillGpu } from "../../src/model/instance.ts";
import { deletesVolume, isVolumePolicy } from "../../src/model/volume-policy.ts";
import type { InstanceRecord } from "../../src/state/records.ts";
import { brokenDecisions } from "./decision-invariants.ts";
import type { PaperMachine } from "./paper-cloud.ts";
import type { PaperWorld } from "./paper-world.ts";

/** Whether what a record says is what the cloud says. */
function truthOf(record: InstanceRecord, machine: PaperMachine | undefined): boolean {
  switch (record.state) {
    case "gone":
      return machine === undefined || machine.state === "gone";
    case "hibernated":
      return record.parked === "native" ? machine?.state === "hibernated" : record.providerId === null;
    case "running":
    case "reclaiming":
      return machine?.state === "running";
    case "requested":
      return record.providerId === null;
    default:
      return false;
  }
}

/** Everything that must hold once nothing is under way any more. Returns what does not. */
export async function brokenWhenQuiet(world: PaperWorld): Promise<readonly string[]> {
  const { cloud, state } = world;
  const broken: string[] = [];
  const records = await state.instances({ includeGone: true });
  const living = records.filter((record) => record.state !== "gone");
  const machines = cloud.living();
  for (const machine of machines) {
    const owners = living.filter(({ providerId, outlook }) => [providerId, outlook.successor?.providerId].includes(machine.id));
    if (owners.length !== 1) broken.push(`${machine.id} (${machine.state}) is the machine of ${owners.length} living records`);
  }
  for (const record of records) {
    const machine = record.providerId === null ? undefined : cloud.machine(record.providerId);
    if (!truthOf(record, machine))
      broken.push(
        `${record.name} is ${record.state} (${record.parked}), its machine ${record.providerId} is ${machine?.state}; ${record.reason}`,
      );
  }
  const names = living.map((record) => record.name);
  if (new Set(names).size !== names.length) broken.push(`two living records of one name: ${names}`);
  for (const intent of await state.pendingIntents()) broken.push(`the ${intent.kind} intent ${intent.id} is still open`);
  broken.push(
    ...(await brokenLedger(world)),
    ...(await brokenVolumes(world)),
    ...(await brokenBeginnings(world)),
    ...(await brokenEvents(world)),
    ...(await brokenDecisions(world)),
  );
  return broken;
}

/** Nobody's work begins anew where something of it was sealed: a machine that is not held back has a checkpoint of it on its disk. */
async function brokenBeginnings({ cloud }: PaperWorld): Promise<readonly string[]> {
  const broken: string[] = [];
  const order = (id: string) => Number(id.slice("c-".length));
  for (const { id, name, state, runningSince, awaits, volumeIds } of cloud.living()) {
    const disk = cloud.volumes.get(volumeIds[0] ?? "");
    if (state !== "running" || disk === undefined) continue;
    const isHeld = awaits !== null && !disk.checkpoints.some((one) => order(one.id) >= order(awaits));
    const before = cloud.sealed.filter(({ at, machine }) => at < (runningSince ?? 0) && cloud.machine(machine)?.name === name);
    if (!isHeld && disk.checkpoints.length === 0 && before.length > 0)
      broken.push(`${id} works on ${disk.id}, which holds nothing of ${before.length} checkpoints`);
  }
  return broken;
}

async function brokenLedger({ cloud, state }: PaperWorld): Promise<readonly string[]> {
  const broken: string[] = [];
  const entries = (await state.ledger()).filter((entry) => entry.kind === "gpu");
  const open = entries.filter((entry) => entry.to === null);
  for (const entry of open) {
    const machine = cloud.machine(entry.providerId);
    if (machine === undefined || machine.state !== "running")
      broken.push(`the ledger runs for ${entry.providerId}, which is ${machine?.state}`);
  }
  for (const { providerId } of await state.instances()) {
    const machine = cloud.machine(providerId ?? "");
    const entry = open.find((one) => one.providerId === providerId);
    if (machine?.billing === "spot" && entry !== undefined && entry.rate.micros !== machine.zone.price.micros)
      broken.push(`the ledger runs for ${providerId} at ${entry.rate.micros}, and the market is at ${machine.zone.price.micros}`);
  }
  if (new Set(open.map((entry) => entry.providerId)).size !== open.length) broken.push("two open intervals for one machine");
  for (const machine of cloud.living())
    if (machine.state === "running" && !open.some((entry) => entry.providerId === machine.id))
      broken.push(`${machine.id} runs and no interval is open`);
  for (const entry of entries)
    if (entry.to !== null && entry.to < entry.from) broken.push(`an interval ends before it begins: ${entry.id}`);
  for (const id of new Set(entries.map((entry) => entry.providerId))) {
    const own = entries.filter((entry) => entry.providerId === id).sort((a, b) => a.from - b.from);
    own.forEach((entry, index) => {
      const next = own[index + 1];
      if (next !== undefined && (entry.to === null || entry.to > next.from)) broken.push(`two intervals of ${id} overlap`);
    });
  }
  return broken;
}

async function brokenVolumes({ cloud, state }: PaperWorld): Promise<readonly string[]> {
  const broken: string[] = [];
  const records = await state.volumes();
  for (const record of records)
    if (record.providerId === null || !cloud.volumes.has(record.providerId)) broken.push(`the volume record ${record.name} has no volume`);
  for (const volume of cloud.volumes.values())
    if (!records.some((record) => record.providerId === volume.id) && !cloud.isPart(volume.id))
      broken.push(`the volume ${volume.id} has no record`);
  for (const { providerId, token } of cloud.snapshots.values())
    if ((await state.intentByToken(token ?? ""))?.status !== "done") broken.push(`nobody knows of the snapshot ${providerId}`);
  if (new Set(records.map((record) => record.name)).size !== records.length) broken.push("two volumes of one name");
  const kept = new Set([...cloud.volumes.values()].flatMap(({ checkpoints }) => checkpoints.map(({ id }) => id)));
  // With a volume that somebody wanted deleted goes what is sealed on it.
  const asked = (await state.events({})).filter(({ data }) => data["intent"] === "volume-end").map(({ data }) => data["policy"]);
  const mayGo = asked.some((policy) => isVolumePolicy(policy) && deletesVolume(policy));
  for (const { id } of cloud.sealed) if (!kept.has(id) && !mayGo) broken.push(`the sealed checkpoint ${id} is on no volume any more`);
  return broken;
}

async function brokenEvents({ state }: PaperWorld): Promise<readonly string[]> {
  const broken: string[] = [];
  let last = 0;
  for (;;) {
    const events = await state.events({ afterSeq: last });
    for (const event of events) {
      if (event.seq <= last) broken.push(`event ${event.seq} after ${last}`);
      last = event.seq;
    }
    if (events.length === 0) return broken;
  }
}

/**
 * What must hold at every moment, whatever is under way: no machine that could cost money is unknown to us.
 * A machine is known by a record, or by the token of a promise of ours.
 */
export async function unknownSpenders({ cloud, state }: PaperWorld): Promise<readonly string[]> {
  const broken: string[] = [];
  for (const machine of cloud.living()) {
    const intent = await state.intentByToken(machine.token);
    if (intent === undefined && mayBillGpu(machine.state)) broken.push(`${machine.id} (${machine.state}) carries no token of ours`);
  }
  return broken;
}
