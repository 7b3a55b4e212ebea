import type { InstanceState } from "../../model/instance.ts";
import type { Money } from "../../model/money.ts";
import type { Leftover, LeftoverKind, Provider, ProviderInstance, ProviderSnapshot, ProviderVolume } from "../../providers/provider.ts";
import type { InstanceRecord, IntentRecord, VolumeRecord } from "../../state/records.ts";

export type ResourceKind = "machine" | "volume" | "snapshot" | LeftoverKind;

/** `bills`: costs as long as it is there. `respawns`: may bring a machine back. `harmless`: merely lies around. */
export type ResourceClass = Leftover["class"];

/** Whether work may lie on it: then it is ended only when that was asked for in so many words. */
export function holdsWork({ kind }: { readonly kind: ResourceKind }): boolean {
  return kind === "volume" || kind === "snapshot" || kind === "root-disk" || kind === "trashed-volume";
}

/** One thing at a provider, whatever it is, as far as it matters for whose it is. Times are epoch milliseconds. */
export interface Resource {
  readonly provider: string;
  readonly kind: ResourceKind;
  readonly class: ResourceClass;
  readonly providerId: string;
  readonly name: string;
  readonly region: string;
  readonly zone: string;
  /** A machine's state in our words; null for everything else. */
  readonly state: InstanceState | null;
  readonly rawState: string;
  readonly token: string | null;
  readonly createdAt: number | null;
  /** Per hour, as it is now, as far as the provider says. */
  readonly price: Money | null;
  readonly sizeGb: number | null;
  /** The provider's id of the machine that has it. */
  readonly attachedTo: string | null;
  /** Made for every launch of ours there and not for one: a key pair, a security group. It carries no token. */
  readonly shared: boolean;
}

export const WHYS = ["no-record", "closed", "record-gone", "forgotten", "replaced", "in-flight"] as const;

/**
 * Why no record of ours stands for it. `no-record`: made from another state, or the state was lost. `closed`: its promise was
 * given up, and it arrived late. `record-gone`: its record says that it is over. `forgotten`: by its owner's wish. `replaced`:
 * its record has another machine by now, or none. `in-flight`: its promise is still open.
 */
export type Why = (typeof WHYS)[number];

export interface Orphan extends Resource {
  readonly why: Why;
  /** The name of the record that once stood for it. */
  readonly instance: string | null;
}

type Owner = Pick<InstanceRecord, "id" | "name" | "provider" | "providerId" | "state" | "forgottenAt">;

/** What our state knows that may explain a resource. */
export interface Books {
  /** By token; the tokens of all resources in question were asked for. */
  readonly intents: ReadonlyMap<string, Pick<IntentRecord, "kind" | "status" | "instanceId" | "detail">>;
  /** By our own id; everybody whom one of the intents names. */
  readonly owners: ReadonlyMap<string, Owner>;
  /** The living records by what `placeKey` says of their machine. */
  readonly machines: ReadonlyMap<string, Owner>;
  /** Our volumes by `placeKey`, deleted ones included; a living one before a deleted one. */
  readonly volumes: ReadonlyMap<string, Pick<VolumeRecord, "name" | "state">>;
  /** Where something of ours lives: what every launch there shares is needed. */
  readonly inUse: ReadonlySet<string>;
}

export function placeKey(provider: string, providerId: string): string {
  return `${provider} ${providerId}`;
}

export type Verdict =
  /** It carries no tag of ours. */
  | { readonly kind: "foreign" }
  | { readonly kind: "explained" }
  | { readonly kind: "orphan"; readonly why: Why; readonly instance: string | null };

const FOREIGN: Verdict = { kind: "foreign" };
const EXPLAINED: Verdict = { kind: "explained" };
const orphan = (why: Why, instance: string | null = null): Verdict => ({ kind: "orphan", why, instance });

/** Whose a resource is. Pure: the same resource and the same books always give the same answer. */
export function explain(resource: Resource, books: Books): Verdict {
  const { provider, providerId, token } = resource;
  if (resource.shared) return books.inUse.has(provider) ? EXPLAINED : orphan("no-record");
  if (token === null) return FOREIGN;
  if (books.machines.has(placeKey(provider, providerId))) return EXPLAINED;
  const intent = books.intents.get(token);
  switch (resource.kind) {
    case "snapshot":
      return explainSnapshot(intent);
    case "volume":
      return explainVolume(resource, intent, books);
    case "machine":
      return intent?.kind === "launch" ? explainByOwner(intent, books) : orphan("no-record");
    default:
      return explainPart(resource, intent, books);
  }
}

type Promised = NonNullable<ReturnType<Books["intents"]["get"]>>;

/** A snapshot is made on purpose and kept until somebody deletes it: the promise that was kept is its record. */
function explainSnapshot(intent: Promised | undefined): Verdict {
  if (intent?.kind !== "volume-snapshot") return orphan("no-record");
  const instance = typeof intent.detail["name"] === "string" ? intent.detail["name"] : null;
  if (intent.status === "pending") return orphan("in-flight", instance);
  return intent.status === "failed" ? orphan("closed", instance) : EXPLAINED;
}

function explainVolume(resource: Resource, intent: Promised | undefined, books: Books): Verdict {
  const record = books.volumes.get(placeKey(resource.provider, resource.providerId));
  // An open promise goes before what was written down earlier: whoever keeps it settles what becomes of the volume.
  if (record?.state === "gone") return orphan(intent?.status === "pending" ? "in-flight" : "record-gone", record.name);
  if (record !== undefined) return EXPLAINED;
  // The disk that a machine boots from carries the token of the launch.
  if (intent?.kind === "launch") return explainPart(resource, intent, books);
  if (intent?.kind !== "volume-create") return orphan("no-record");
  const name = typeof intent.detail["name"] === "string" ? intent.detail["name"] : null;
  if (intent.status === "pending") return orphan("in-flight", name);
  return orphan(intent.status === "failed" ? "closed" : "record-gone", name);
}

/** What came into the world with a machine: its spot request, its own disk, its script. */
function explainPart({ provider, attachedTo }: Resource, intent: Promised | undefined, books: Books): Verdict {
  if (attachedTo !== null && books.machines.has(placeKey(provider, attachedTo))) return EXPLAINED;
  if (intent?.kind !== "launch") return orphan("no-record");
  const machine = intent.detail["providerId"];
  if (typeof machine === "string" && books.machines.has(placeKey(provider, machine))) return EXPLAINED;
  return explainByOwner(intent, books);
}

function explainByOwner(intent: Promised, books: Books): Verdict {
  const owner = intent.instanceId === null ? undefined : books.owners.get(intent.instanceId);
  const name = owner?.name ?? null;
  if (intent.status === "pending") return orphan("in-flight", name);
  if (intent.status === "failed") return orphan("closed", name);
  if (owner === undefined || owner.state === "gone")
    return orphan(owner !== undefined && owner.forgottenAt !== null ? "forgotten" : "record-gone", name);
  return orphan("replaced", name);
}

/** What reconcile ends by itself: its token is ours, and we know that it should be over. */
export function shouldBeOver(verdict: Verdict): boolean {
  return verdict.kind === "orphan" && ["closed", "record-gone", "replaced"].includes(verdict.why);
}

/** A hibernated machine has a price that nobody pays, and a stopped one has at some clouds. */
function priceNow({ state, price }: ProviderInstance, { capabilities }: Pick<Provider, "capabilities">): Money | null {
  if (state === "hibernated" || state === "gone") return null;
  return state === "stopped" && !capabilities.stoppedBillsGpu ? null : price;
}

export function machineResource(provider: Pick<Provider, "id" | "capabilities">, instance: ProviderInstance): Resource {
  const { providerId, name, region, zone, state, rawState, token, createdAt } = instance;
  const common = { providerId, name, region, zone, state, rawState, token, createdAt };
  const price = priceNow(instance, provider);
  return { provider: provider.id, kind: "machine", class: "bills", ...common, price, sizeGb: null, attachedTo: null, shared: false };
}

export function volumeResource(provider: string, volume: ProviderVolume): Resource {
  const { providerId, name, region, zone, rawState, token, sizeGb, attachedTo, pricePerHour: price } = volume;
  const common = { providerId, name, region, zone, rawState, token, sizeGb, attachedTo, price };
  return { provider, kind: "volume", class: "bills", ...common, state: null, createdAt: null, shared: false };
}

export function snapshotResource(provider: string, snapshot: ProviderSnapshot): Resource {
  const { providerId, name, region, rawState, token, sizeGb, createdAt } = snapshot;
  const common = { providerId, name, region, zone: region, rawState, token, sizeGb, createdAt };
  return { provider, kind: "snapshot", class: "bills", ...common, state: null, price: null, attachedTo: null, shared: false };
}

export function leftoverResource(provider: string, leftover: Leftover): Resource {
  return { provider, state: null, sizeGb: null, ...leftover, shared: leftover.token === null };
}
