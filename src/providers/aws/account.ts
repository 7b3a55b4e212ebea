import type { Account } from "../../model/account.ts";
import { ProviderError } from "../errors.ts";
import type { CallContext, CredentialExpiry, CredentialOperations } from "../provider.ts";
import type { Api } from "./api.ts";
import type { Identity } from "./chain.ts";
import { PROVIDER } from "./codes.ts";

const VERSION = "2011-06-15";

/** STS in the region that the person works in; China's has a name of its own. */
function originOf(api: Api, region: string): string {
  return api.endpoint("STS") ?? `https://sts.${region}.amazonaws.com${region.startsWith("cn-") ? ".cn" : ""}`;
}

/** Asks who the keys are of (GetCallerIdentity): nothing has to be allowed for that. */
async function callerOf(api: Api, { signal }: CallContext): Promise<Account> {
  const region = api.env["AWS_REGION"]?.trim() || api.env["AWS_DEFAULT_REGION"]?.trim() || "us-east-1";
  const answer = await api.wire.send({
    service: "sts",
    region,
    origin: originOf(api, region),
    path: "/",
    action: "GetCallerIdentity",
    effect: "read",
    content: { form: { Action: "GetCallerIdentity", Version: VERSION }, headers: { accept: "text/xml" } },
    signal,
  });
  const [, id] = /<Account>(\d{12})<\/Account>/.exec(answer.text) ?? [];
  if (id === undefined) throw new ProviderError(PROVIDER, { kind: "protocol" }, "GetCallerIdentity names no account");
  return { id, name: null };
}

/** Where somebody has to log in again: renewed by themselves only as long as that login lasts. */
const BY_A_PERSON = /SSO|LOGIN/;

/** Which credentials these are, and when they end. Pure. */
export function expiryOf({ sessionToken, expiration, $source }: Identity): CredentialExpiry {
  const expiresAt = expiration === undefined || Number.isNaN(expiration.getTime()) ? null : expiration.getTime();
  if (sessionToken === undefined) return { expiresAt: null, renews: true, why: "an access key, which lasts until it is revoked" };
  const sources = Object.keys($source ?? {});
  if (sources.some((source) => BY_A_PERSON.test(source)))
    return { expiresAt, renews: false, why: "of a login (aws sso login, aws login), renewed by themselves only while that lasts" };
  if (sources.includes("CREDENTIALS_ENV_VARS") || sources.length === 0)
    return { expiresAt, renews: false, why: "temporary, from the environment" };
  if (expiresAt === null) return { expiresAt, renews: false, why: "temporary, from a file, and nobody says when they end" };
  return { expiresAt, renews: true, why: "of a role, renewed by themselves" };
}

export function credentialsOf(api: Api): CredentialOperations {
  const known = new Map<string, Promise<Account>>();
  return {
    async account(context) {
      const { accessKeyId } = await api.identity(context.signal);
      // With EC2 moved elsewhere, AWS's own STS does not know whose account that is.
      if (api.endpoint("EC2") !== undefined && api.endpoint("STS") === undefined) return null;
      const asked = known.get(accessKeyId) ?? callerOf(api, context);
      known.set(accessKeyId, asked);
      try {
        return await asked;
      } catch (error) {
        // What failed now may be answered later.
        if (known.get(accessKeyId) === asked) known.delete(accessKeyId);
        throw error;
      }
    },
    expiry: async ({ signal }) => expiryOf(await api.identity(signal)),
  };
}
