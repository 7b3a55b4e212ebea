import type { Parameters } from "./parameters.ts";
import { regionNamed } from "./places.ts";
import { invalid, notFound, Refusal } from "./refusal.ts";
import type { Site } from "./site.ts";
import { checkedTags, hasTags } from "./tags.ts";

const MOST_RESOURCES = 50;
const MOST_TAGS = 20;
const MOST_ROWS = 50;

interface Tagged {
  readonly region: { readonly id: string };
  readonly tags: Map<string, string>;
}

function resourcesOf(site: Site, kind: string): ReadonlyMap<string, Tagged> {
  const living = [...site.instances].filter(([, { isGone }]) => !isGone);
  const kinds: Readonly<Record<string, () => Iterable<readonly [string, Tagged]>>> = {
    instance: () => living,
    disk: () => site.disks,
    snapshot: () => site.snapshots,
    securitygroup: () => site.securityGroups,
    keypair: () => site.keyPairs.map((one) => [one.name, one] as const),
  };
  const found = kinds[kind.toLowerCase()];
  if (found === undefined) throw invalid("ResourceType");
  return new Map(found());
}

function asked(site: Site, found: Parameters): readonly Tagged[] {
  const region = regionNamed(found);
  const resources = resourcesOf(site, found.text("ResourceType") ?? "");
  const ids = found.list("ResourceId");
  if (ids.length > MOST_RESOURCES) throw invalid("ResourceId");
  return ids.map((id) => {
    const one = resources.get(id);
    if (one === undefined || one.region !== region) throw notFound("ResourceId", "ResourceId");
    return one;
  });
}

/** All of them or none. */
export function tagResources(site: Site, found: Parameters): unknown {
  const tags = checkedTags(found.structures("Tag"));
  const resources = asked(site, found);
  for (const { tags: had } of resources)
    if (new Set([...had.keys(), ...tags.keys()]).size > MOST_TAGS)
      throw new Refusal(403, "QuotaExceed.TagPerResource", "More than 20 tags.");
  for (const { tags: had } of resources) for (const [key, value] of tags) had.set(key, value);
  return {};
}

export function untagResources(site: Site, found: Parameters): unknown {
  const keys = found.list("TagKey");
  for (const { tags } of asked(site, found))
    for (const key of found.flag("All") === true && keys.length === 0 ? [...tags.keys()] : keys) tags.delete(key);
  return {};
}

export function listTagResources(site: Site, found: Parameters): unknown {
  const region = regionNamed(found);
  const kind = found.text("ResourceType") ?? "";
  const ids = found.list("ResourceId");
  const tags = found.structures("Tag");
  if (ids.length === 0 && tags.length === 0) throw new Refusal(400, "MissingParameter", "ResourceId or Tag must be given.");
  const rows = [...resourcesOf(site, kind)]
    .filter(([id, one]) => one.region === region && (ids.length === 0 || ids.includes(id)) && hasTags(one.tags, tags))
    .flatMap(([ResourceId, one]) => [...one.tags].map(([TagKey, TagValue]) => ({ ResourceId, ResourceType: kind, TagKey, TagValue })));
  const start = Number(found.text("NextToken") ?? 0);
  const end = start + MOST_ROWS;
  return { NextToken: end < rows.length ? String(end) : "", TagResources: { TagResource: rows.slice(start, end) } };
}
