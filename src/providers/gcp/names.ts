import { createHash } from "node:crypto";
import { taggedName } from "../tagged-name.ts";

/** Labels of ours. Google's take no colon and no capital letter. */
export const TOKEN_LABEL = "spot-fleet-token";
export const NAME_LABEL = "spot-fleet-name";
/** `root` on the disk that a machine boots from, which goes with it. */
export const ROLE_LABEL = "spot-fleet-role";
export const ROOT_ROLE = "root";

/** RFC 1035: how long the name of a resource may be. */
const LONGEST_NAME = 63;
const LONGEST_LABEL = 63;
/** 64 labels to a resource. */
const MOST_LABELS = 64;

/** `us-central1-a/name` → its two parts; null for what is no id of this cloud. */
export function placed(providerId: string): { readonly zone: string; readonly name: string } | null {
  const [, zone, name] = /^([a-z]+(?:-[a-z0-9]+){2,})\/([a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)$/.exec(providerId) ?? [];
  return zone === undefined || name === undefined ? null : { zone, name };
}

/** `us-central1-a`, and the zones for AI: `us-central1-ai1a` (compute/docs/regions-zones/ai-zones). */
export function regionOf(zone: string): string {
  return zone.replace(/-[a-z0-9]+$/, "");
}

/** The last part of a reference, whole URL or partial: `…/zones/us-central1-a` → `us-central1-a`. */
export function lastOf(reference: string): string {
  return reference.slice(reference.lastIndexOf("/") + 1);
}

/** `…/zones/Z/disks/D` → `Z/D`; null for what is in no zone. */
export function placedIn(reference: string): string | null {
  const [, zone, name] = /\/zones\/([^/]+)\/[a-zA-Z]+\/([^/]+)$/.exec(`/${reference}`) ?? [];
  return zone === undefined || name === undefined ? null : `${zone}/${name}`;
}

/** The name of a resource that carries our token: unique in its zone, and so a second way to be found. */
export function resourceName(name: string, token: string): string {
  const plain = name.toLowerCase().replaceAll(/[^a-z0-9-]+/g, "-");
  return taggedName(/^[a-z]/.test(plain) ? plain : `s-${plain}`, token, LONGEST_NAME);
}

function labelText(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]+/g, "-")
    .slice(0, LONGEST_LABEL);
}

/** Ours, and a person's own as far as there is room and they can be written; ours are never overridden. */
export function labelsOf(name: string, token: string, own: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const ours = { [TOKEN_LABEL]: labelText(token), [NAME_LABEL]: labelText(name) };
  const theirs = Object.entries(own)
    .map(([key, value]) => [labelText(key), labelText(value)] as const)
    .filter(([key]) => /^[a-z]/.test(key) && key !== ROLE_LABEL && !Object.hasOwn(ours, key));
  return { ...Object.fromEntries(theirs.slice(0, MOST_LABELS - 3)), ...ours };
}

/** A UUID that is always the same for the same words: version 5 in form, of SHA-256. Google refuses all zeros only. */
export function requestId(...words: readonly string[]): string {
  const hex = createHash("sha256").update(words.join("\n")).digest("hex");
  const variant = ((Number.parseInt(hex.slice(16, 18), 16) & 0x3f) | 0x80).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(18, 20)}-${hex.slice(20, 32)}`;
}

/** Under which a machine sees a disk of ours: short, and told by the disk's own name, so that nobody has to ask the machine. */
export function deviceName(disk: string): string {
  return `spot-${createHash("sha256").update(disk).digest("hex").slice(0, 12)}`;
}
