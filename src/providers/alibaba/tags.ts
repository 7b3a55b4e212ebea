import type { LaunchSpec } from "../provider.ts";

export const TOKEN_TAG = "spot-fleet-token";
export const NAME_TAG = "spot-fleet-name";
/** Ports that were asked for: the security group is shared by all machines, so it does not tell whose they are. */
export const PORTS_TAG = "spot-fleet-ports";

/** A tag as it is sent; answers say `TagKey` and `TagValue`. */
export interface Tag extends Readonly<Record<string, string>> {
  readonly Key: string;
  readonly Value: string;
}

/** As answers have them. */
export type Tags = readonly { readonly TagKey: string; readonly TagValue: string }[];

const MOST_TAGS = 20;
const OWN = [TOKEN_TAG, NAME_TAG, PORTS_TAG];
/** Up to 128 characters; neither may hold a URL, and keys of the cloud's own begin with `aliyun` or `acs:`. */
const KEY = /^(?!aliyun|acs:)[A-Za-z0-9][A-Za-z0-9_.:@+=-]{0,127}$/;
const VALUE = /^[A-Za-z0-9_.:@+=, -]{0,128}$/;

export function ownTags(name: string, token: string): readonly Tag[] {
  return [
    { Key: TOKEN_TAG, Value: token },
    { Key: NAME_TAG, Value: name },
  ];
}

/** Ours, then the labels of a person as far as the cloud takes them. */
export function launchTags({ name, token, ports, labels }: Pick<LaunchSpec, "name" | "token" | "ports" | "labels">): readonly Tag[] {
  const list = ports.map(({ port }) => port).join("-");
  const own = [...ownTags(name, token), ...(list === "" || list.length > 128 ? [] : [{ Key: PORTS_TAG, Value: list }])];
  const theirs = Object.entries(labels).filter(([key, value]) => KEY.test(key) && VALUE.test(value) && !OWN.includes(key));
  return [...own, ...theirs.slice(0, MOST_TAGS - own.length).map(([Key, Value]) => ({ Key, Value }))];
}

export function tagIn(tags: Tags, key: string): string | null {
  return tags.find(({ TagKey }) => TagKey === key)?.TagValue ?? null;
}

export function portsIn(tags: Tags): readonly number[] {
  const ports = (tagIn(tags, PORTS_TAG) ?? "").split("-").map(Number);
  return ports.filter((port) => Number.isInteger(port) && port > 0 && port < 65_536);
}

/**
 * A visible name as this cloud takes it: 2 to 128 characters, letters, digits and `:_.-`, a letter first. Snapshots must not
 * begin with `auto`. The tag says the real one.
 */
export function visibleName(name: string): string {
  const legal = name.replaceAll(/[^A-Za-z0-9:_.-]+/g, "-").slice(0, 120);
  return /^(?!auto|https?:)[A-Za-z]./i.test(legal) ? legal : `spot-${legal}`;
}
