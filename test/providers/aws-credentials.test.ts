import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { stripControl } from "../../src/platform/terminal.ts";
import { awsProvider } from "../../src/providers/aws/provider.ts";
import { type FakeAnswer, fakeServer } from "../clouds/fake-server.ts";
import { hurried } from "./aws-bench.ts";

const context = { signal: new AbortController().signal };

async function worldOf(more: Readonly<Record<string, string>> = {}, files: Readonly<Record<string, string>> = {}) {
  const home = mkdtempSync(join(tmpdir(), "spot-aws-keys-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(home, name), text);
  const server = await fakeServer({ handle: () => ({ status: 500 }) });
  onTestFinished(() => server.close());
  const found = { AWS_SHARED_CREDENTIALS_FILE: join(home, "keys"), AWS_CONFIG_FILE: join(home, "config"), HOME: home };
  const names = Array.from({ length: 20 }, (_, at) => `xx-test-${at + 1}`).join(",");
  const env = { AWS_ENDPOINT_URL: server.url, SPOT_AWS_REGIONS: names, ...found, ...more };
  return { server, world: { env, home, clock: hurried } };
}

describe("who gives the keys", () => {
  test("a metadata address that hangs, on a machine that is nobody's: auth, after seconds, however many regions there are", async () => {
    const silent = await fakeServer({ handle: () => new Promise<FakeAnswer>(() => undefined) });
    onTestFinished(() => silent.close());
    vi.stubEnv("AWS_EC2_METADATA_SERVICE_ENDPOINT", silent.url);
    onTestFinished(() => void vi.unstubAllEnvs());
    const { server, world } = await worldOf();
    const warned = vi.spyOn(process, "emitWarning");
    await expect((await awsProvider(world)).list(context)).rejects.toMatchObject({ fault: { kind: "auth" } });
    expect(silent.requests.length).toBeLessThan(5);
    expect(server.requests).toEqual([]);
    expect(warned.mock.calls.flat().map(String)).not.toEqual(expect.arrayContaining([expect.stringContaining("MaxListeners")]));
  });

  test("keys in the environment ask nobody", async () => {
    const imds = await fakeServer({ handle: () => ({ status: 404 }) });
    onTestFinished(() => imds.close());
    vi.stubEnv("AWS_EC2_METADATA_SERVICE_ENDPOINT", imds.url);
    onTestFinished(() => void vi.unstubAllEnvs());
    const { world } = await worldOf({ AWS_ACCESS_KEY_ID: "AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY: "canary-secret" });
    await expect((await awsProvider(world)).list(context)).rejects.toMatchObject({ fault: { kind: "unavailable" } });
    expect(imds.requests).toEqual([]);
  });

  const ROLE = {
    keys: "[base]\naws_access_key_id = AKIDOFBASE\naws_secret_access_key = canary-of-base\n",
    config: "[profile work]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = base\nregion = us-east-1\n",
  };

  test.each([
    [503, "ServiceUnavailable", "unavailable"],
    [400, "Throttling", "unavailable"],
    [403, "AccessDenied", "auth"],
    [403, "ExpiredToken", "auth"],
  ])("an STS that answers %i %s is %s", async (status, code, kind) => {
    const body = `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code><Message>no</Message></Error><RequestId>r</RequestId></ErrorResponse>`;
    const sts = await fakeServer({ handle: () => ({ status, headers: { "content-type": "text/xml" }, body }) });
    onTestFinished(() => sts.close());
    vi.stubEnv("AWS_ENDPOINT_URL_STS", sts.url);
    onTestFinished(() => void vi.unstubAllEnvs());
    const { world } = await worldOf({ AWS_PROFILE: "work" }, ROLE);
    await expect((await awsProvider(world)).list(context)).rejects.toMatchObject({ fault: { kind } });
  });

  test("what a program of the person's says when it fails is not shown line by line", async () => {
    const config = `[profile tool]\ncredential_process = sh -c "printf 'a\\033[31m\\nb\\n' >&2; exit 1"\n`;
    const { world } = await worldOf({ AWS_PROFILE: "tool" }, { config });
    const error = await (await awsProvider(world)).list(context).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ fault: { kind: "auth" } });
    const { message } = error as Error;
    expect(stripControl(message).replaceAll("\n", "")).toBe(message);
  });
});
