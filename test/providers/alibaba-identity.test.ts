import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { alibabaProvider } from "../../src/providers/alibaba/provider.ts";
import { type AccessKey, gate } from "../clouds/alibaba/acs3.ts";
import { Refusal } from "../clouds/alibaba/refusal.ts";
import { fakeServer } from "../clouds/fake-server.ts";
import { hurried } from "./aws-bench.ts";

const context = { signal: new AbortController().signal };
const LASTING: AccessKey = { id: "LTAIEXAMPLE", secret: "canary-secret", securityToken: null };
const TEMPORARY: AccessKey = { ...LASTING, securityToken: "canary-token" };

/** An STS that knows one key, and checks every signature. */
async function stsFor(key: AccessKey, accountId: unknown = "1968132000121234") {
  const guard = gate(() => [key]);
  const sts = await fakeServer({
    handle(request) {
      try {
        guard.check(request, Date.now());
      } catch (error) {
        if (error instanceof Refusal) return { status: error.status, body: { Code: error.code, Message: error.message, RequestId: "R" } };
        throw error;
      }
      const { "x-acs-action": action, "x-acs-version": version } = request.headers;
      if (action !== "GetCallerIdentity" || version !== "2015-04-01")
        return { status: 404, body: { Code: "InvalidAction.NotFound", Message: "no", RequestId: "R" } };
      return {
        status: 200,
        body: { IdentityType: "RAMUser", AccountId: accountId, RequestId: "R", Arn: "acs:ram::1968132000121234:user/u" },
      };
    },
  });
  onTestFinished(() => sts.close());
  return sts;
}

async function credentialsAt(url: string, key: AccessKey, more: Readonly<Record<string, string>> = {}) {
  const home = mkdtempSync(join(tmpdir(), "spot-alibaba-id-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const token = key.securityToken === null ? {} : { ALIBABA_CLOUD_SECURITY_TOKEN: key.securityToken };
  const env = {
    ALIBABA_CLOUD_ACCESS_KEY_ID: key.id,
    ALIBABA_CLOUD_ACCESS_KEY_SECRET: key.secret,
    ...token,
    SPOT_ALIBABA_STS_URL: url,
    ...more,
  };
  const { credentials } = await alibabaProvider({ env, home, clock: hurried });
  if (credentials === undefined) throw new Error("no credentials");
  return credentials;
}

test.each([
  ["an access key", LASTING, true],
  ["a security token", TEMPORARY, false],
])("STS says whose %s is, once, by a request that is signed as all others are", async (_, key, renews) => {
  const sts = await stsFor(key);
  const credentials = await credentialsAt(sts.url, key);
  for (let times = 0; times < 3; times++) expect(await credentials.account(context)).toEqual({ id: "1968132000121234", name: null });
  expect(sts.requests).toHaveLength(1);
  expect(await credentials.expiry(context)).toMatchObject({ expiresAt: null, renews });
});

test("an answer without an account is none; where the endpoint is moved, Alibaba's own STS is not asked", async () => {
  const sts = await stsFor(LASTING, "");
  await expect((await credentialsAt(sts.url, LASTING)).account(context)).rejects.toMatchObject({ fault: { kind: "protocol" } });
  expect(await (await credentialsAt("", LASTING, { SPOT_ALIBABA_API_URL: sts.url })).account(context)).toBeNull();
});
