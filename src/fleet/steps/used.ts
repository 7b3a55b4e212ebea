import type { Outlook } from "../../model/outlook.ts";
import type { ProviderInstance } from "../../providers/provider.ts";
import type { InstanceRecord } from "../../state/records.ts";

/** A machine that had not begun when its end was asked for is taken to have written nothing, if it is gone so soon. */
const GONE_SOON_MS = 300_000;

/**
 * What is remembered when a machine is gone: it may have worked until this moment, also where nobody ever saw it run. Whatever
 * was copied from its volume before may lack what it wrote. Pure.
 */
export function withUse({ outlook, providerId }: Pick<InstanceRecord, "outlook" | "providerId">, now: number): Outlook {
  const { unusedAt, ...rest } = outlook;
  const hadNotBegun = unusedAt !== undefined && now >= unusedAt && now - unusedAt < GONE_SOON_MS;
  return providerId === null || hadNotBegun ? rest : { ...rest, usedUntil: now };
}

/** The same when its end is asked for: of one that has not begun, or sleeps, that is remembered. Pure. */
export function beforeEnd(outlook: Outlook, { state }: Pick<ProviderInstance, "state">, now: number): Outlook {
  const { unusedAt: _, ...rest } = outlook;
  return ["requested", "provisioning", "hibernated"].includes(state) ? { ...rest, unusedAt: now } : rest;
}
