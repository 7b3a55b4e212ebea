/** What a resource of ours carries, so that it is found again by whoever lost its answer. */
export const TOKEN_TAG = "spot-fleet-token";
export const NAME_TAG = "spot-fleet-name";
/** On a root disk: it goes with its machine, so that the machine's own token would only mislead. */
export const OWN_MACHINE_TAG = "spot-fleet-machine";
/** On an instance whose spot request is persistent: it is cancelled before the instance is ended. */
const REQUEST_TAG = "spot-fleet-request";

export interface Tag {
  readonly Key?: string | undefined;
  readonly Value?: string | undefined;
}

type Marks = { readonly name: string; readonly token: string; readonly labels?: Readonly<Record<string, string>> };

const LONGEST_KEY = 128;
const LONGEST_VALUE = 256;
/** Of the 50 that a resource may have some are ours, and some are for whoever owns the account. */
const MOST_LABELS = 40;
const OURS = /^(?:aws:|spot-fleet-|Name$)/i;

/** Letters, digits, spaces and `+-=._:/@` are taken everywhere (User Guide, tag restrictions). */
function safe(text: string, longest: number): string {
  return text.replaceAll(/[^\p{L}\p{N} +\-=._:/@]+/gu, "-").slice(0, longest);
}

function labelTags(labels: Readonly<Record<string, string>> = {}): readonly Tag[] {
  return Object.entries(labels)
    .map(([key, value]) => ({ Key: safe(key, LONGEST_KEY), Value: safe(value, LONGEST_VALUE) }))
    .filter(({ Key }, at, all) => Key !== "" && !OURS.test(Key) && all.findIndex((other) => other.Key === Key) === at)
    .slice(0, MOST_LABELS);
}

const nameTag = (name: string): Tag => ({ Key: "Name", Value: safe(name, LONGEST_VALUE) });

/** For instances, data volumes, snapshots and spot requests. */
export function tagsOf({ name, token, labels }: Marks, waits = false): Tag[] {
  return [
    nameTag(name),
    { Key: TOKEN_TAG, Value: token },
    { Key: NAME_TAG, Value: safe(name, LONGEST_VALUE) },
    ...(waits ? [{ Key: REQUEST_TAG, Value: "persistent" }] : []),
    ...labelTags(labels),
  ];
}

/** For what lives and dies with a machine: its root disk, its network interface. */
export function partTags({ name, token, labels }: Marks): Tag[] {
  return [nameTag(name), { Key: OWN_MACHINE_TAG, Value: token }, ...labelTags(labels)];
}

function tagged(tags: readonly Tag[] | undefined, key: string): string | null {
  return tags?.find((tag) => tag.Key === key)?.Value ?? null;
}

export function tokenIn(tags: readonly Tag[] | undefined): string | null {
  return tagged(tags, TOKEN_TAG) || null;
}

/** Of a machine's own disk: the token of its machine. */
export function machineTokenIn(tags: readonly Tag[] | undefined): string | null {
  return tagged(tags, OWN_MACHINE_TAG) || null;
}

/** Ours, else the one that its owner gave it. */
export function nameIn(tags: readonly Tag[] | undefined): string {
  return tagged(tags, NAME_TAG) ?? tagged(tags, "Name") ?? "";
}

export function isPersistent(tags: readonly Tag[] | undefined): boolean {
  return tagged(tags, REQUEST_TAG) === "persistent";
}
