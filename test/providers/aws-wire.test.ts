import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { endedBy, refusalOf, stateOf } from "../../src/providers/aws/codes.ts";
import { placed } from "../../src/providers/aws/ids.ts";
import { awsProvider } from "../../src/providers/aws/provider.ts";
import { fakeServer } from "../clouds/fake-server.ts";
import { awsOn, hurried, onMoto, sentOf } from "./aws-bench.ts";

const context = { signal: new AbortController().signal };

/** An EC2 of which only the wire counts. */
async function bareEc2(body: (action: string) => string, status = 200) {
  const server = await fakeServer({
    handle: (request) => ({ status, body: body(sentOf(request)["Action"] ?? ""), headers: { "content-type": "text/xml" } }),
  });
  onTestFinished(() => server.close());
  return server;
}

const noMachines = (action: string) =>
  action === "DescribeInstances"
    ? "<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>"
    : `<${action}Response><spotInstanceRequestSet/></${action}Response>`;

function xml(code: string, message = "because &lt;so&gt; &amp; so", status = 400) {
  const text = `<?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors><RequestID>r</RequestID></Response>`;
  return { status, headers: {}, text, asked: "RunInstances (us-east-1)", effect: "change" as const };
}

describe("words", () => {
  test.each([
    ["InsufficientInstanceCapacity", 500, "no-capacity"],
    ["UnfulfillableCapacity", 400, "no-capacity"],
    ["ReservationCapacityExceeded", 400, "no-capacity"],
    ["MaxFleetCountExceeded", 400, "quota"],
    ["AttachmentLimitExceeded", 400, "quota"],
    ["Throttling", 400, "rate-limited"],
    ["RequestLimitExceeded", 503, "rate-limited"],
    ["OptInRequired", 401, "auth"],
    ["PendingVerification", 400, "auth"],
    ["ExpiredToken", 400, "auth"],
    ["IdempotentParameterMismatch", 400, "conflict"],
    ["IncorrectSpotRequestState", 400, "conflict"],
    ["VolumeInUse", 400, "conflict"],
    ["InvalidVolume.NotFound", 400, "not-found"],
    ["InvalidInstanceID.Malformed", 400, "not-found"],
    ["InvalidLaunchTemplateName.NotFoundException", 400, "not-found"],
    ["InvalidParameterCombination", 400, "invalid-request"],
    ["InvalidUserData.Malformed", 400, "invalid-request"],
    ["MissingParameter", 400, "invalid-request"],
    ["InternalError", 500, "ambiguous"],
    ["Unavailable", 503, "ambiguous"],
    ["NeverHeardOf", 400, "invalid-request"],
    ["NeverHeardOf", 500, "ambiguous"],
  ])("%s with %i is %s", (code, status, kind) => {
    expect(refusalOf(xml(code, undefined, status), 0)).toMatchObject({
      fault: { kind },
      rawCode: code,
      message: "RunInstances (us-east-1): because <so> & so",
    });
  });

  test("a page for people has no code, and its status counts", () => {
    const page = { ...xml("x"), status: 500, text: "<html><Code>InsufficientInstanceCapacity" };
    expect(refusalOf(page, 0)).toMatchObject({ fault: { kind: "ambiguous" }, rawCode: "http-500" });
    expect(refusalOf({ ...page, effect: "read" }, 0)).toMatchObject({ fault: { kind: "unavailable" } });
  });

  test("JSON of the other services", () => {
    const text = JSON.stringify({ __type: "com.amazonaws.sqs#AccessDeniedException", message: "no" });
    expect(refusalOf({ ...xml("x"), text }, 0)).toMatchObject({ fault: { kind: "auth" }, rawCode: "AccessDeniedException" });
  });

  test("states and ends", () => {
    expect(["pending", "running", "shutting-down", "terminated", "stopping", "stopped", "levitating", undefined].map(stateOf)).toEqual([
      ...["provisioning", "running", "terminating", "gone", "stopping", "stopped", "unknown", "unknown"],
    ]);
    expect(
      ["Server.SpotInstanceTermination", "Client.InstanceInitiatedShutdown", "Client.UserInitiatedShutdown", "x"].map(endedBy),
    ).toEqual([...["provider", "guest", "user", null]]);
  });

  test("ids say their region", () => {
    expect(placed("us-gov-west-1/i-0123456789abcdef0", "i")).toEqual({ region: "us-gov-west-1", id: "i-0123456789abcdef0" });
    for (const id of ["i-0123456789abcdef0", "us-east-1/vol-0123456789", "evil.example/i-0123456789", "us-east-1/i-0123456789/.."])
      expect(placed(id, "i")).toBeUndefined();
  });
});

describe("the wire", () => {
  onMoto("a clock that is two hours off is corrected by the server's date, once, and nobody notices", async () => {
    for (const skewMs of [7_200_000, -7_200_000]) {
      const { provider, cloud } = await awsOn({ switches: { skewMs }, env: { SPOT_AWS_REGIONS: "us-east-1" } });
      expect(await provider.list(context)).toEqual([]);
      expect(cloud.server.requests).toHaveLength(3);
      await provider.list(context);
      expect(cloud.server.requests).toHaveLength(5);
    }
  });

  onMoto("a read that fails is asked again with a signature of its own", async () => {
    const { provider, cloud } = await awsOn({ env: { SPOT_AWS_REGIONS: "us-east-1" } });
    cloud.server.disturb({ what: { do: "reset-before" } });
    await provider.list(context);
    expect(cloud.server.requests.map((request) => sentOf(request)["Action"])).toEqual([
      ...["DescribeSpotInstanceRequests", "DescribeSpotInstanceRequests", "DescribeInstances"],
    ]);
  });

  test("the session token is signed with the rest", async () => {
    const server = await bareEc2(noMachines);
    const env = { AWS_ENDPOINT_URL: server.url, AWS_ACCESS_KEY_ID: "AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY: "secret-secret" };
    const world = {
      env: { ...env, AWS_SESSION_TOKEN: "canary-session", SPOT_AWS_REGIONS: "eu-west-1" },
      home: "/dev/null",
      clock: hurried,
    };
    await (await awsProvider(world)).list(context);
    const [first] = server.requests;
    expect(first?.headers).toMatchObject({
      "x-amz-security-token": "canary-session",
      authorization: expect.stringMatching(
        /Credential=AKIDEXAMPLE\/\d{8}\/eu-west-1\/ec2\/aws4_request, SignedHeaders=[^,]*x-amz-security-token/,
      ),
    });
    expect(JSON.stringify(first?.body)).not.toContain("canary");
  });

  test("an answer without the list that was asked for is no empty account", async () => {
    const server = await bareEc2((action) => `<${action}Response><requestId>r</requestId></${action}Response>`);
    const env = {
      AWS_ENDPOINT_URL: server.url,
      AWS_ACCESS_KEY_ID: "A",
      AWS_SECRET_ACCESS_KEY: "secret-secret",
      SPOT_AWS_REGIONS: "us-east-1",
    };
    const provider = await awsProvider({ env, home: "/dev/null", clock: hurried });
    await expect(provider.list(context)).rejects.toMatchObject({ fault: { kind: "protocol" } });
  });

  test("one token again and again is no list that ends", async () => {
    const server = await bareEc2(
      (action) => `<${action}Response><spotInstanceRequestSet/><nextToken>again</nextToken></${action}Response>`,
    );
    const env = {
      AWS_ENDPOINT_URL: server.url,
      AWS_ACCESS_KEY_ID: "A",
      AWS_SECRET_ACCESS_KEY: "secret-secret",
      SPOT_AWS_REGIONS: "us-east-1",
    };
    const provider = await awsProvider({ env, home: "/dev/null", clock: hurried });
    await expect(provider.list(context)).rejects.toMatchObject({ message: expect.stringContaining("does not end") });
    expect(server.requests).toHaveLength(2);
  });

  test("at most eight requests are under way, however many regions there are", async () => {
    let under = 0;
    let most = 0;
    const server = await fakeServer({
      async handle(request) {
        most = Math.max(most, ++under);
        await hurried.sleep(2_000);
        under -= 1;
        return { status: 200, body: noMachines(sentOf(request)["Action"] ?? "") };
      },
    });
    onTestFinished(() => server.close());
    const names = Array.from({ length: 20 }, (_, at) => `xx-test-${at + 1}`).join(",");
    const env = { AWS_ENDPOINT_URL: server.url, AWS_ACCESS_KEY_ID: "A", AWS_SECRET_ACCESS_KEY: "secret-secret", SPOT_AWS_REGIONS: names };
    await (await awsProvider({ env, home: "/dev/null", clock: hurried })).list(context);
    expect(server.requests).toHaveLength(40);
    expect(most).toBe(8);
  });

  onMoto("a region that is closed to the account says which variable leaves it out", async () => {
    const { provider } = await awsOn({ switches: { deniedActions: ["DescribeInstances"] } });
    await expect(provider.list(context)).rejects.toMatchObject({
      fault: { kind: "auth" },
      message: expect.stringMatching(/DescribeInstances \(.*SPOT_AWS_REGIONS=/),
    });
  });
});

describe("credentials", () => {
  const folder = () => {
    const path = mkdtempSync(join(tmpdir(), "spot-aws-keys-"));
    onTestFinished(() => rmSync(path, { recursive: true, force: true }));
    return path;
  };
  const keysOf = (server: { readonly requests: readonly { readonly headers: Readonly<Record<string, string>> }[] }) =>
    /Credential=([^/]+)/.exec(server.requests[0]?.headers["authorization"] ?? "")?.[1];

  test("a profile of the person's own files, found below the HOME of our own environment", async () => {
    const home = folder();
    const file = join(home, "keys");
    writeFileSync(file, "[work]\naws_access_key_id = AKIDOFWORK\naws_secret_access_key = canary-of-work\n");
    const server = await bareEc2(noMachines);
    const env = { AWS_ENDPOINT_URL: server.url, SPOT_AWS_REGIONS: "us-east-1", AWS_SHARED_CREDENTIALS_FILE: file, HOME: home };
    const world = {
      env: { ...env, AWS_PROFILE: "work", AWS_ACCESS_KEY_ID: "A", AWS_SECRET_ACCESS_KEY: "other-secret" },
      home,
      clock: hurried,
    };
    await (await awsProvider(world)).list(context);
    // A profile that is named goes before keys in the environment, as with all tools of AWS.
    expect(keysOf(server)).toBe("AKIDOFWORK");
  });

  test("a program that gives keys, as in credential_process", async () => {
    const home = folder();
    const program = `echo '{"Version":1,"AccessKeyId":"AKIDOFPROCESS","SecretAccessKey":"canary-of-process"}'`;
    writeFileSync(join(home, "config"), `[profile tool]\ncredential_process = sh -c "${program.replaceAll('"', '\\"')}"\n`);
    const server = await bareEc2(noMachines);
    const env = {
      AWS_ENDPOINT_URL: server.url,
      SPOT_AWS_REGIONS: "us-east-1",
      AWS_PROFILE: "tool",
      AWS_CONFIG_FILE: join(home, "config"),
      HOME: home,
    };
    await (await awsProvider({ env, home, clock: hurried })).list(context);
    expect(keysOf(server)).toBe("AKIDOFPROCESS");
  });

  test("an assumed role: the exchange goes through our HTTP, and what it gives signs the requests", async () => {
    const home = folder();
    const sts = await fakeServer({
      handle: () => ({
        status: 200,
        headers: { "content-type": "text/xml" },
        body: `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><AssumedRoleUser><AssumedRoleId>R:s</AssumedRoleId><Arn>arn:aws:sts::1:assumed-role/r/s</Arn></AssumedRoleUser><Credentials><AccessKeyId>AKIDOFROLE</AccessKeyId><SecretAccessKey>canary-of-role</SecretAccessKey><SessionToken>canary-session-of-role</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
      }),
    });
    onTestFinished(() => sts.close());
    vi.stubEnv("AWS_ENDPOINT_URL_STS", sts.url);
    onTestFinished(() => void vi.unstubAllEnvs());
    const keys = "[base]\naws_access_key_id = AKIDOFBASE\naws_secret_access_key = canary-of-base\n";
    writeFileSync(join(home, "keys"), keys);
    writeFileSync(join(home, "config"), "[profile work]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = base\nregion = us-east-1\n");
    const server = await bareEc2(noMachines);
    const files = { AWS_SHARED_CREDENTIALS_FILE: join(home, "keys"), AWS_CONFIG_FILE: join(home, "config"), HOME: home };
    const env = { AWS_ENDPOINT_URL: server.url, SPOT_AWS_REGIONS: "us-east-1", AWS_PROFILE: "work", ...files };
    await (await awsProvider({ env, home, clock: hurried })).list(context);
    expect(sts.requests.map(sentOf)).toMatchObject([{ Action: "AssumeRole", RoleArn: "arn:aws:iam::1:role/r" }]);
    expect(sts.requests[0]?.headers["authorization"]).toContain("Credential=AKIDOFBASE/");
    expect(keysOf(server)).toBe("AKIDOFROLE");
    expect(server.requests[0]?.headers["x-amz-security-token"]).toBe("canary-session-of-role");
  });

  test("none at all: auth, before anything is sent, with what to type", async () => {
    const home = folder();
    const server = await bareEc2(noMachines);
    const env = { AWS_ENDPOINT_URL: server.url, SPOT_AWS_REGIONS: "us-east-1", AWS_PROFILE: "nobody", HOME: home };
    await expect((await awsProvider({ env, home, clock: hurried })).list(context)).rejects.toMatchObject({
      fault: { kind: "auth" },
      message: expect.stringContaining("aws sso login"),
    });
    expect(server.requests).toEqual([]);
  });
});
