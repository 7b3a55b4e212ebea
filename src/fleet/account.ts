import { type Account, accountText } from "../model/account.ts";
import { EXIT } from "../model/exit-codes.ts";
import { Problem } from "../model/problem.ts";
import type { Provider } from "../providers/provider.ts";
import type { InstanceRecord, VolumeRecord } from "../state/records.ts";
import type { CloudView } from "./deciding/decision.ts";
import { call, type Fleet } from "./fleet.ts";

/**
 * Whose account the credentials are of now. `unknown`: it could not be found out this time. Null: there is no telling at this
 * cloud. Never fatal, but for credentials that are refused: whatever is asked next says that.
 */
export async function presentAccount(provider: Pick<Provider, "credentials">, signal: AbortSignal): Promise<Account | null | "unknown"> {
  const { credentials } = provider;
  if (credentials === undefined) return null;
  try {
    return await call(signal, (context) => credentials.account(context));
  } catch (error) {
    if (signal.aborted) throw error;
    return "unknown";
  }
}

/** What a new machine there remembers: in whose account it is; null when nobody can tell. */
export async function accountFor(fleet: Fleet, provider: string, signal: AbortSignal): Promise<Account | null> {
  const found = await presentAccount(await fleet.provider(provider), signal);
  return found === "unknown" ? null : found;
}

/**
 * What was seen of a record's machine, unless it was looked for in another account than its own: then it is not gone, and
 * nothing at all is known. Asked after the look, so that credentials that changed in between are the newer ones.
 * `wasLookedFor`: there is, or may be, a machine.
 */
export async function inItsAccount(
  fleet: Fleet,
  record: InstanceRecord,
  seen: CloudView,
  wasLookedFor: boolean,
  signal: AbortSignal,
): Promise<CloudView> {
  const { account: own } = record;
  if (own === null || seen.kind === "silent") return seen;
  const now = await presentAccount(await fleet.provider(record.provider), signal);
  if (now !== null && now !== "unknown") return now.id === own.id ? seen : otherAccount(record, own, now);
  // Nobody can tell whose credentials these are: a machine that is there is there, and one that is missing may be elsewhere.
  const isMissing = wasLookedFor && (seen.kind === "none" || (seen.kind === "gone" && seen.instance === null));
  if (!isMissing || now === null) return seen;
  const why = `it is missing, and ${record.provider} does not say now whose account the credentials are of`;
  const problem = new Problem({
    code: "SPOT_E_UNAVAILABLE",
    message: `${record.name}: ${why}`,
    exit: EXIT.failed,
    hint: `it was left as it is; it belongs to account ${accountText(own)}`,
    next: ["spot doctor"],
    retryable: true,
  });
  return { kind: "silent", why, problem };
}

function otherAccount(record: InstanceRecord, own: Account, now: Account): CloudView {
  const why = `it belongs to account ${accountText(own)} of ${record.provider}, and the credentials now are of ${accountText(now)}`;
  const problem = new Problem({
    code: "SPOT_E_OTHER_ACCOUNT",
    message: `${record.name}: ${why}`,
    exit: EXIT.credentials,
    hint: "it was left as it is: nothing is concluded from another account's machines; use the credentials that it was rented with",
    next: ["spot provider ls", `spot show ${record.name}`],
  });
  return { kind: "silent", why, problem };
}

/** @throws Problem when a volume is in another account than the credentials are of: what they show says nothing about it. */
export async function requireAccount(
  fleet: Fleet,
  volume: Pick<VolumeRecord, "name" | "provider" | "account">,
  signal: AbortSignal,
): Promise<void> {
  const { name, provider, account: own } = volume;
  if (own === undefined) return;
  const now = await presentAccount(await fleet.provider(provider), signal);
  if (now === null || (now !== "unknown" && now.id === own)) return;
  if (now === "unknown")
    throw new Problem({
      code: "SPOT_E_UNAVAILABLE",
      message: `the volume ${name} belongs to account ${own} of ${provider}, which does not say now whose the credentials are`,
      exit: EXIT.failed,
      next: ["spot doctor"],
      retryable: true,
    });
  throw new Problem({
    code: "SPOT_E_OTHER_ACCOUNT",
    message: `the volume ${name} belongs to account ${own} of ${provider}, and the credentials now are of ${accountText(now)}`,
    exit: EXIT.credentials,
    hint: "it was left as it is; use the credentials that it was made with",
    next: ["spot provider ls", "spot volumes ls"],
  });
}
