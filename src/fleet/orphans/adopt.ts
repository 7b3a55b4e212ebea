import type { Account } from "../../model/account.ts";
import type { Provider, ProviderInstance, ProviderVolume } from "../../providers/provider.ts";
import type { InstanceRecord } from "../../state/records.ts";
import { accountFor } from "../account.ts";
import { call, type Fleet } from "../fleet.ts";
import { whileHolding } from "../leases/lease.ts";
import { isBilled } from "../observe.ts";
import { syncCheckpoints, syncRecordCheckpoints } from "../volumes/checkpoint-sync.ts";
import {
  adoptedInterval,
  adoptedRecord,
  adoptedState,
  adoptedVolume,
  diskInterval,
  type Facts,
  freeName,
  keptPromise,
  missingOf,
} from "./adopt-record.ts";
import { booksOf } from "./orphan-search.ts";
import { explain, machineResource, type Orphan, type Resource, volumeResource } from "./orphans.ts";
import { resourceLease } from "./strays.ts";

export interface Adopted {
  readonly row: Orphan;
  readonly outcome: "adopted" | "skipped";
  /** Under which name it is ours now. */
  readonly name: string | null;
  readonly why: string | null;
  /** What is not known of it, and what follows from that. */
  readonly missing: readonly string[];
}

const AT_ONCE = 8;
const skipped = (row: Orphan, why: string): Adopted => ({ row, outcome: "skipped", name: null, why, missing: [] });

/**
 * Takes orphans over into our records: machines with their volumes first, then the volumes and snapshots that are left. Nothing
 * is asked of a cloud but to be looked at, so nothing is made twice.
 */
export async function adopt(fleet: Fleet, rows: readonly Orphan[], signal: AbortSignal): Promise<readonly Adopted[]> {
  const survey = surveyOf(fleet, signal);
  const done: Adopted[] = [];
  const machines = rows.filter(({ kind }) => kind === "machine");
  for (let at = 0; at < machines.length; at += AT_ONCE) {
    // Asked side by side, since agents take their time; written one after the other, since names are taken once.
    const chunk = machines.slice(at, at + AT_ONCE);
    const met = await Promise.all(chunk.map((row) => meet(fleet, row, survey, signal)));
    for (const [index, row] of chunk.entries()) {
      const found = met[index];
      done.push(
        found === undefined || typeof found === "string"
          ? skipped(row, found ?? "it is gone")
          : await takeOver(fleet, row, found, survey, signal),
      );
    }
  }
  for (const row of rows.filter(({ kind }) => kind === "volume")) done.push(await takeVolume(fleet, row, survey, signal));
  for (const row of rows.filter(({ kind }) => kind === "snapshot")) done.push(await takeSnapshot(fleet, row));
  for (const row of rows.filter(({ kind }) => !["machine", "volume", "snapshot"].includes(kind)))
    done.push(skipped(row, `a ${row.kind} is nothing that could be taken over; it is known again with its machine`));
  const order = new Map(rows.map((row, index) => [row, index]));
  return done.sort((a, b) => (order.get(a.row) ?? 0) - (order.get(b.row) ?? 0));
}

/** What is asked of a provider once for all of its machines. */
interface Survey {
  volumes(provider: Provider): Promise<readonly ProviderVolume[]>;
  account(provider: Provider): Promise<Account | null>;
  offer(provider: Provider, instance: ProviderInstance): Promise<Facts["offer"]>;
}

function surveyOf(fleet: Fleet, signal: AbortSignal): Survey {
  const volumes = new Map<string, Promise<readonly ProviderVolume[]>>();
  const accounts = new Map<string, Promise<Account | null>>();
  const offers = new Map<string, ReturnType<Provider["offers"]>>();
  const once = <Value>(known: Map<string, Promise<Value>>, key: string, ask: () => Promise<Value>): Promise<Value> => {
    const found = known.get(key) ?? ask();
    known.set(key, found);
    return found;
  };
  return {
    volumes: (provider) => once(volumes, provider.id, () => call(signal, async (context) => (await provider.volumes?.list(context)) ?? [])),
    account: (provider) => once(accounts, provider.id, () => accountFor(fleet, provider.id, signal)),
    async offer(provider, { region, type, zone, billing, gpu }) {
      fleet.say(`asking ${provider.id} what such a machine costs`);
      const ask = () => call(signal, (context) => provider.offers({ gpuCount: Math.max(1, gpu.count), regions: [region] }, context));
      // A price is no reason to leave a machine alone.
      const all = await once(offers, `${provider.id} ${region} ${gpu.count}`, ask).catch(() => {
        signal.throwIfAborted();
        return [];
      });
      const same = all.filter((offer) => offer.type === type && offer.billing === billing);
      return same.find((offer) => offer.zone === zone) ?? same[0];
    },
  };
}

type Met = Omit<Facts, "volumes">;

/** Looks at a machine once more, and asks its agent. @returns why it cannot be taken over, or what is known of it. */
async function meet(fleet: Fleet, row: Orphan, survey: Survey, signal: AbortSignal): Promise<Met | string> {
  const provider = await fleet.provider(row.provider);
  const instance = await call(signal, (context) => provider.get(row.providerId, context));
  if (instance === undefined || instance.state === "gone") return "it is gone";
  if (instance.token !== row.token) return "it carries another token by now";
  if (adoptedState(instance.state) === null) return whyNot(instance);
  const intent = instance.token === null ? undefined : await fleet.state.intentByToken(instance.token);
  const before = intent?.instanceId == null ? undefined : await fleet.state.instance(intent.instanceId);
  const isUp = instance.state === "running" || instance.state === "reclaiming";
  fleet.say(`${row.provider}: asking the agent of ${row.providerId}`);
  const settings =
    !isUp || instance.reach === null ? undefined : await fleet.guest.settings?.(instance.reach, signal).catch(() => undefined);
  signal.throwIfAborted();
  const paid = (await fleet.state.ledger()).filter((entry) => entry.provider === row.provider && entry.providerId === row.providerId);
  const offer = instance.price === null || before === undefined ? await survey.offer(provider, instance) : undefined;
  const account = await survey.account(provider);
  const ends = paid.flatMap(({ to }) => to ?? []);
  return { provider: row.provider, instance, settings, before, offer, account, paidUntil: ends.length === 0 ? null : Math.max(...ends) };
}

function whyNot({ state, rawState, reason }: ProviderInstance): string {
  if (state === "terminating") return "it is being ended";
  if (state === "failed") return `it failed${reason === null ? "" : ` (${reason})`}: there is nothing to take over, end it with spot reap`;
  if (state === "unknown") return `its cloud says ${JSON.stringify(rawState)}, which this version does not know`;
  return `it is ${state}, on its way to something else: run spot adopt again when it has arrived`;
}

async function takeOver(fleet: Fleet, row: Orphan, met: Met, survey: Survey, signal: AbortSignal): Promise<Adopted> {
  const lease = resourceLease(row.provider, row.providerId);
  const result = await whileHolding(fleet, lease, signal, (held) => takeHeld(held.fleet, row, met, survey, held.signal));
  return result ?? skipped(row, "another command works on it");
}

/** Why there is nothing to take over by what our books say at this moment; null when there is. */
async function whyKnown(fleet: Fleet, resource: Resource): Promise<string | null> {
  const verdict = explain(resource, await booksOf(fleet.state, [resource]));
  if (verdict.kind === "foreign") return "it carries no tag of ours";
  if (verdict.kind !== "orphan") return "a record of ours explains it by now";
  return verdict.why === "in-flight" ? "a promise of ours for it is open: spot reconcile settles it" : null;
}

/** Two writers may take one name at once; then the next one is tried. */
const MOST_TRIES = 5;

async function takeHeld(fleet: Fleet, row: Orphan, met: Met, survey: Survey, signal: AbortSignal): Promise<Adopted> {
  const provider = await fleet.provider(row.provider);
  const { instance, settings } = met;
  const disks = (await survey.volumes(provider)).filter(({ providerId }) => instance.volumeIds.includes(providerId));
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    // Read again each time: who was faster may have taken over this very machine.
    const known = await whyKnown(fleet, machineResource(provider, instance));
    if (known !== null) return skipped(row, known);
    const volumes = await volumesFor(fleet, met, disks);
    const taken = new Set((await fleet.state.instances()).map(({ name }) => name));
    const said = met.before?.name ?? settings?.instance ?? instance.name;
    const facts: Facts = { ...met, volumes };
    const record = adoptedRecord(fleet, facts, freeName(said, "adopted", taken));
    if (record === null) return skipped(row, whyNot(instance));
    if ((await commitMachine(fleet, facts, record, disks)) !== "committed") continue;
    await syncRecordCheckpoints(fleet, record, signal, instance.reach ?? undefined).catch(() => signal.throwIfAborted());
    const names = volumes.flatMap(({ record: volume, isTaken }) =>
      isTaken ? [`the checkpoints on its volume, which is ${volume.name} here, since its name was taken`] : [],
    );
    return { row, outcome: "adopted", name: record.name, why: null, missing: [...missingOf(facts, record.spec), ...names] };
  }
  return skipped(row, "its names were taken again and again: another command works beside this one");
}

async function commitMachine(fleet: Fleet, facts: Facts, record: InstanceRecord, disks: readonly ProviderVolume[]) {
  const { provider: id, instance, before, volumes } = facts;
  const at = fleet.clock.now();
  const { capabilities } = await fleet.provider(id);
  const { providerId, token } = instance;
  const fresh = volumes.filter(({ isNew }) => isNew).map(({ record: volume }) => volume);
  const interval = isBilled(instance, capabilities) ? adoptedInterval(record, facts) : null;
  // Its tokens are known from now on: a machine that is replaced and does not end is a stray, and no puzzle.
  const promises = [
    ...(token === null ? [] : [keptPromise(fleet, "launch", id, token, { providerId, generation: 1 }, record.id)]),
    ...disks.flatMap((disk) => {
      const volume = fresh.find((one) => one.providerId === disk.providerId);
      return volume === undefined || disk.token === null
        ? []
        : [keptPromise(fleet, "volume-create", id, disk.token, { volumeId: volume.id, name: volume.name, sizeGb: volume.sizeGb })];
    }),
  ];
  return fleet.state.commit({
    addInstance: record,
    // What was forgotten is remembered: from now on it is this record's machine, and a stray once it has another.
    ...(before !== undefined && before.forgottenAt !== null
      ? { instance: { id: before.id, version: before.version, set: { forgottenAt: null } } }
      : {}),
    volumes: fresh,
    openIntents: promises,
    ledger: [...(interval === null ? [] : [interval]), ...fresh.flatMap((volume) => diskInterval(volume, record.fleet))],
    events: [{ at, type: "action", instance: record.name, provider: id, data: { action: "adopt", providerId, reason: record.reason } }],
  });
}

/** The records of the volumes on a machine: the ones there are, or new ones. Disks without our tag are nobody's business. */
async function volumesFor(fleet: Fleet, met: Met, disks: readonly ProviderVolume[]): Promise<Facts["volumes"]> {
  const { provider, account } = met;
  const told = met.settings?.volumeName ?? null;
  const living = await fleet.state.volumes();
  const taken = new Set(living.map(({ name }) => name));
  const ours = disks.filter(({ token }) => token !== null);
  return ours.map((disk): Facts["volumes"][number] => {
    const known = living.find((volume) => volume.provider === provider && volume.providerId === disk.providerId);
    if (known !== undefined) return { record: known, isNew: false, isTaken: false };
    // A cloud may have cut its name short; the agent knows it whole, and checkpoints are found by it.
    const said = ours.length === 1 && told !== null ? told : disk.name;
    const name = freeName(said, "volume", taken);
    taken.add(name);
    return {
      record: adoptedVolume(fleet, provider, disk, name, account),
      isNew: true,
      isTaken: name !== freeName(said, "volume", new Set()),
    };
  });
}

async function takeVolume(fleet: Fleet, row: Orphan, survey: Survey, signal: AbortSignal): Promise<Adopted> {
  const provider = await fleet.provider(row.provider);
  const disk = (await survey.volumes(provider)).find(({ providerId }) => providerId === row.providerId);
  if (disk === undefined) return skipped(row, "it is gone");
  const account = await survey.account(provider);
  const lease = resourceLease(row.provider, row.providerId);
  const result = await whileHolding(fleet, lease, signal, async ({ fleet: held }): Promise<Adopted> => {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const living = await held.state.volumes();
      const known = living.find((volume) => volume.provider === row.provider && volume.providerId === row.providerId);
      // With its machine, a moment ago.
      if (known !== undefined) return { row, outcome: "adopted", name: known.name, why: null, missing: [] };
      const why = await whyKnown(held, volumeResource(row.provider, disk));
      if (why !== null) return skipped(row, why);
      const named = freeName(disk.name, "volume", new Set(living.map(({ name }) => name)));
      const volume = adoptedVolume(held, row.provider, disk, named, account);
      const { id: volumeId, name, sizeGb, createdAt: at } = volume;
      const result = await held.state.commit({
        volumes: [volume],
        openIntents: disk.token === null ? [] : [keptPromise(held, "volume-create", row.provider, disk.token, { volumeId, name, sizeGb })],
        ledger: diskInterval(volume, null),
        events: [
          {
            at,
            type: "action",
            instance: null,
            provider: row.provider,
            data: { action: "adopt", volume: name, providerId: row.providerId },
          },
        ],
      });
      if (result !== "committed") continue;
      await syncCheckpoints(held, volume, signal).catch(() => signal.throwIfAborted());
      return { row, outcome: "adopted", name, why: null, missing: ["what it cost before now"] };
    }
    return skipped(row, "its name was taken again and again");
  });
  return result ?? skipped(row, "another command works on it");
}

/** A snapshot has no record of its own: its promise is what makes it ours. */
async function takeSnapshot(fleet: Fleet, row: Orphan): Promise<Adopted> {
  if (row.token === null) return skipped(row, "it carries no tag of ours");
  const { provider, providerId, name } = row;
  if (row.why !== "no-record") return skipped(row, `its making was given up: spot volumes snapshot --rm ${providerId} deletes it`);
  await fleet.state.commit({
    openIntents: [keptPromise(fleet, "volume-snapshot", provider, row.token, { name, providerId })],
    events: [{ at: fleet.clock.now(), type: "action", instance: null, provider, data: { action: "adopt", snapshot: name, providerId } }],
  });
  return { row, outcome: "adopted", name, why: null, missing: [] };
}
