import { durationText } from "../model/duration.ts";
import type { Capabilities, CredentialExpiry } from "../providers/provider.ts";
import type { InstanceSpec } from "../state/records.ts";

/** When somebody has to log in again; null when nobody ever has to. For people. */
export function expiryText({ expiresAt, renews, why }: CredentialExpiry, now: number): string {
  if (expiresAt === null) return why;
  const left = expiresAt <= now ? "expired" : `${renews ? "renewed" : "expire"} in ${durationText(expiresAt - now)}`;
  return `${left}; ${why}`;
}

/**
 * What to say before machines are rented with credentials that end before they do; null when there is nothing to say. Pure.
 * @param specs what is to be rented at this provider.
 */
export function expiryWarning(
  provider: string,
  { expiresAt, renews, why }: CredentialExpiry,
  { machine, endsAtTtl }: Pick<Capabilities, "machine" | "endsAtTtl">,
  specs: readonly Pick<InstanceSpec, "name" | "ttlMs">[],
  now: number,
): string | null {
  if (renews) return null;
  const outlasting = specs.filter(({ ttlMs }) => expiresAt === null || ttlMs === null || now + ttlMs > expiresAt);
  if (outlasting.length === 0) return null;
  const names = outlasting.map(({ name }) => name).join(", ");
  const when =
    expiresAt === null
      ? "are not renewed by themselves, and nobody says when they end"
      : `expire ${expiresAt <= now ? "now" : `in ${durationText(expiresAt - now)}, at ${new Date(expiresAt).toISOString().slice(0, 16)}Z`}, and are not renewed by themselves`;
  return `${provider}: the credentials (${why}) ${when}: spot could not end ${names} after that; ${whatElseEnds(outlasting, machine.endsItself, endsAtTtl)}`;
}

/** What ends a machine when we cannot. */
function whatElseEnds(specs: readonly Pick<InstanceSpec, "ttlMs">[], endsItself: boolean, endsAtTtl: boolean): string {
  const some = specs.some(({ ttlMs }) => ttlMs === null);
  if (some) return "give it a --ttl, or log in again in time";
  if (endsItself) return "its TTL on the box still does";
  return endsAtTtl ? "the cloud still does, some minutes after its TTL" : "nothing there ends it by itself, so log in again in time";
}
