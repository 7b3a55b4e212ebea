import { invalid } from "./refusal.ts";
import { PROJECT } from "./site.ts";

const NAME = /^[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?$/;

/** @throws Refusal for what is no name of a resource. */
export function checkedName(name: unknown, field = "resource.name"): string {
  if (typeof name === "string" && NAME.test(name)) return name;
  const given = typeof name === "string" ? name : "";
  throw invalid(`Invalid value for field '${field}': '${given}'. Must be a match of regex '(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)'`);
}

const LABEL_KEY = /^[a-z][a-z0-9_-]{0,62}$/;
const LABEL_VALUE = /^[a-z0-9_-]{0,63}$/;
const MOST_LABELS = 64;

/** @throws Refusal for labels with upper case, colons and the like, and for too many. */
export function checkedLabels(labels: unknown): Readonly<Record<string, string>> {
  const given = (labels ?? {}) as Readonly<Record<string, string>>;
  for (const [key, value] of Object.entries(given)) {
    if (!LABEL_KEY.test(key))
      throw invalid(`Invalid value for field 'resource.labels': ''. Label key '${key}' violates format constraints.`);
    if (!LABEL_VALUE.test(value))
      throw invalid(`Invalid value for field 'resource.labels': ''. Label value '${value}' violates format constraints.`);
  }
  if (Object.keys(given).length > MOST_LABELS) throw invalid("Invalid value for field 'resource.labels': ''. Too many labels.");
  return { ...given };
}

const LARGEST_VALUE = 256 * 1024;
const LARGEST_METADATA = 512 * 1024;

/** @throws Refusal for a bad or repeated key, a value of more than 256 kB, or more than 512 kB of them all. */
export function checkedMetadata(metadata: unknown): readonly { readonly key: string; readonly value: string }[] {
  const items = ((metadata ?? {}) as { readonly items?: readonly { readonly key?: string; readonly value?: string }[] }).items ?? [];
  const seen = new Set<string>();
  let size = 0;
  return items.map(({ key = "", value = "" }) => {
    if (!/^[a-zA-Z0-9_-]{1,128}$/.test(key)) throw invalid(`Invalid value for field 'resource.metadata.items[0].key': '${key}'.`);
    if (seen.has(key)) throw invalid(`Metadata has duplicate key: ${key}`);
    seen.add(key);
    if (Buffer.byteLength(value) > LARGEST_VALUE)
      throw invalid(
        `Value for field 'resource.metadata.items[${seen.size - 1}].value' is too large: maximum size 262144 character(s); actual size ${value.length}.`,
      );
    size += Buffer.byteLength(key) + Buffer.byteLength(value);
    if (size > LARGEST_METADATA) throw invalid("Invalid value for field 'resource.metadata': ''. Metadata size exceeds 512 KB.");
    return { key, value };
  });
}

export interface Reference {
  readonly project: string;
  /** `zones/us-central1-a`, `regions/us-central1` or `global`. */
  readonly scope: string;
  readonly name: string;
}

/**
 * A full URL, or what is below `projects/{p}/` of one; a bare name is none.
 * @throws Refusal for anything else
 */
export function referenceTo(kind: string, text: unknown, field: string): Reference {
  const given = typeof text === "string" ? text : "";
  const path = given.replace(/^https?:\/\/[^/]+\/compute\/(?:v1|beta)\//, "").replace(/^\/+/, "");
  const match = new RegExp(`^(?:projects/([a-z0-9-]+)/)?(zones/[a-z0-9-]+|regions/[a-z0-9-]+|global)/${kind}/([^/]+(?:/[^/]+)?)$`).exec(
    path,
  );
  if (match === null || /^https?:/.test(path)) throw invalid(`Invalid value for field '${field}': '${given}'. The URL is malformed.`);
  const [, project = PROJECT, scope = "", name = ""] = match;
  return { project, scope, name };
}

export const missing = (field: string, value: unknown): Error =>
  invalid(`Invalid value for field '${field}': '${String(value)}'. The referenced resource does not exist.`);

/** Of a field that is a string of digits or a number. */
export function int64(value: unknown): number | null {
  return value === undefined || value === null ? null : Number(value);
}
