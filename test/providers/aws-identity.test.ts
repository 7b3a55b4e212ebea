import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { awsProvider } from "../../src/providers/aws/provider.ts";
import { fakeServer } from "../clouds/fake-server.ts";
import { awsOn, hurried, onMoto } from "./aws-bench.ts";

const context = { signal: new AbortController().signal };

onMoto("AWS says whose the keys are: asked once for each of them, however often it is wanted", async () => {
  const [one, other] = [await awsOn(), await awsOn()];
  const account = await one.provider.credentials?.account(context);
  expect(account).toEqual({ id: expect.stringMatching(/^21\d{10}$/), name: null });
  expect(await one.provider.credentials?.account(context)).toEqual(account);
  expect(one.sent("GetCallerIdentity")).toHaveLength(1);
  expect((await other.provider.credentials?.account(context))?.id).not.toBe(account?.id);
  // Temporary keys of the same account are other keys, and the same account.
  const temporary = await one.again(await one.cloud.temporary());
  expect(await temporary.credentials?.account(context)).toEqual(account);
  expect(await temporary.credentials?.expiry(context)).toMatchObject({ expiresAt: null, renews: false });
});

onMoto("where EC2 alone is moved, AWS's own STS is not asked about it", async () => {
  const { again, cloud, sent } = await awsOn();
  const provider = await again({ AWS_ENDPOINT_URL: undefined, AWS_ENDPOINT_URL_EC2: cloud.url });
  expect(await provider.credentials?.account(context)).toBeNull();
  expect(sent("GetCallerIdentity")).toHaveLength(0);
});

test("an account that could not be told is asked for again", async () => {
  let isThere = false;
  const body = (id: string) =>
    `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:iam::${id}:user/u</Arn><UserId>U</UserId><Account>${id}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`;
  const sts = await fakeServer({
    handle: () =>
      isThere ? { status: 200, headers: { "content-type": "text/xml" }, body: body("123456789012") } : { status: 403, body: "no" },
  });
  onTestFinished(() => sts.close());
  const home = mkdtempSync(join(tmpdir(), "spot-aws-id-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const env = { AWS_ACCESS_KEY_ID: "AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY: "canary-secret", AWS_ENDPOINT_URL_STS: sts.url };
  const { credentials } = await awsProvider({ env, home, clock: hurried });
  await expect(credentials?.account(context)).rejects.toThrow();
  isThere = true;
  expect(await credentials?.account(context)).toEqual({ id: "123456789012", name: null });
});

test("a role that a profile assumes says when it ends, and is renewed without anybody", async () => {
  const home = mkdtempSync(join(tmpdir(), "spot-aws-role-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  writeFileSync(join(home, "keys"), "[base]\naws_access_key_id = AKIDOFBASE\naws_secret_access_key = canary-of-base\n");
  writeFileSync(
    join(home, "config"),
    "[profile work]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\nregion = us-east-1\n",
  );
  const ends = new Date(Math.ceil(Date.now() / 1000) * 1000 + 3_600_000);
  const body = `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/r/s</Arn><AssumedRoleId>A:s</AssumedRoleId></AssumedRoleUser><Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>canary-role</SecretAccessKey><SessionToken>canary-token</SessionToken><Expiration>${ends.toISOString()}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`;
  const sts = await fakeServer({ handle: () => ({ status: 200, headers: { "content-type": "text/xml" }, body }) });
  onTestFinished(() => sts.close());
  vi.stubEnv("AWS_ENDPOINT_URL_STS", sts.url);
  onTestFinished(() => void vi.unstubAllEnvs());
  const env = { AWS_PROFILE: "work", AWS_SHARED_CREDENTIALS_FILE: join(home, "keys"), AWS_CONFIG_FILE: join(home, "config"), HOME: home };
  const { credentials } = await awsProvider({ env, home, clock: hurried });
  expect(await credentials?.expiry(context)).toEqual({ expiresAt: ends.getTime(), renews: true, why: "of a role, renewed by themselves" });
});
