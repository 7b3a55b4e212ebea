import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { awsProvider } from "../../src/providers/aws/provider.ts";
import { type FakeAws, fakeAws } from "../clouds/aws/aws.ts";
import { leaseAccount, motoAvailable } from "../clouds/aws/moto.ts";
import { benchOf } from "../conformance/bench.ts";
import { isMissing } from "../missing-program.ts";

const REGION = "us-east-1";
const home = mkdtempSync(join(tmpdir(), "spot-aws-vendor-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));
const context = { signal: new AbortController().signal };
const hasMoto = motoAvailable();
const hasCli = spawnSync("/bin/sh", ["-c", "command -v aws"]).status === 0;
if (!hasCli) isMissing("aws", "AWS's own client as a second opinion (pip install awscli)");

/** AWS's own client; it sees its own variables alone, and asks once. */
async function aws(cloud: FakeAws, ...argv: readonly string[]) {
  const env = { PATH: process.env["PATH"], HOME: home, ...cloud.env, AWS_DEFAULT_REGION: REGION, AWS_MAX_ATTEMPTS: "1" };
  const { stdout } = await promisify(execFile)("aws", [...argv, "--output", "json"], { env });
  // biome-ignore lint/suspicious/noExplicitAny: answers of many shapes; a wrong path fails the assertion.
  return JSON.parse(stdout) as any;
}

async function benched() {
  const cloud = await fakeAws({ clock: systemClock });
  const provider = await awsProvider({ env: cloud.env, home, clock: systemClock });
  const controls = {} as Parameters<typeof benchOf>[0]["controls"];
  const wire = {} as Parameters<typeof benchOf>[0]["wire"];
  return { cloud, bench: await benchOf({ provider, controls, wire, close: () => cloud.close() }) };
}

test.skipIf(!hasMoto || !hasCli)(
  "what we rent, the aws CLI shows as we meant it",
  async () => {
    const { cloud, bench } = await benched();
    const { provider, spec, offer } = bench;
    const made = await provider.launch(spec("t-ours", { offer: { ...offer, zone: offer.zone } }), context);
    const volume = await provider.volumes?.create(
      { name: "disk", token: "t-disk", sizeGb: 12, region: offer.region, zone: offer.zone },
      context,
    );
    const [region = "", id = ""] = made.providerId.split("/");
    const tagged = await aws(
      cloud,
      "ec2",
      "describe-instances",
      "--region",
      region,
      "--filters",
      "Name=tag:spot-fleet-token,Values=t-ours",
    );
    const instances = tagged.Reservations.flatMap(({ Instances }: { readonly Instances: unknown }) => Instances);
    expect(instances).toMatchObject([
      {
        InstanceId: id,
        InstanceType: offer.type,
        InstanceLifecycle: "spot",
        ClientToken: "t-ours",
        Placement: { AvailabilityZone: offer.zone },
        MetadataOptions: { HttpTokens: "required", HttpPutResponseHopLimit: 2 },
        Tags: expect.arrayContaining([
          { Key: "Name", Value: "job-t-ours" },
          { Key: "spot-fleet-name", Value: "job-t-ours" },
          { Key: "spot-fleet-token", Value: "t-ours" },
          { Key: "team", Value: "conformance" },
        ]),
      },
    ]);
    const requests = await aws(cloud, "ec2", "describe-spot-instance-requests", "--region", region);
    expect(requests.SpotInstanceRequests).toMatchObject([
      { InstanceId: id, Type: "one-time", State: "active", Status: { Code: "fulfilled" } },
    ]);
    const volumes = await aws(cloud, "ec2", "describe-volumes", "--region", region, "--filters", "Name=tag:spot-fleet-token,Values=t-disk");
    expect(volumes.Volumes).toMatchObject([{ VolumeId: volume?.providerId.split("/")[1], Size: 12, VolumeType: "gp3", Attachments: [] }]);
    await bench.close();
  },
  60_000,
);

test.skipIf(!hasMoto || !hasCli)(
  "what the aws CLI rents, we list as somebody else's",
  async () => {
    const { cloud, bench } = await benched();
    const images = await aws(cloud, "ec2", "describe-images", "--owners", "amazon", "--filters", "Name=architecture,Values=x86_64");
    const image = images.Images.find(({ State }: { readonly State: string }) => State === "available").ImageId;
    const market = JSON.stringify({
      MarketType: "spot",
      SpotOptions: { SpotInstanceType: "persistent", InstanceInterruptionBehavior: "stop" },
    });
    const order = ["--image-id", image, "--instance-type", "g5.xlarge", "--placement", `AvailabilityZone=${REGION}b`];
    const theirs = await aws(cloud, "ec2", "run-instances", ...order, "--instance-market-options", market);
    const listed = await bench.provider.list(context);
    expect(listed).toMatchObject([
      { providerId: `${REGION}/${theirs.Instances[0].InstanceId}`, token: null, zone: `${REGION}b`, type: "g5.xlarge", billing: "spot" },
    ]);
    await bench.close();
  },
  60_000,
);

test.skipIf(!hasMoto)("moto itself, with no proxy before it, accepts our signature, and refuses that of another secret", async () => {
  const account = await leaseAccount();
  const provider = (secret: string) =>
    awsProvider({
      env: {
        AWS_ACCESS_KEY_ID: account.user.accessKeyId,
        AWS_SECRET_ACCESS_KEY: secret,
        AWS_ENDPOINT_URL: account.url,
        SPOT_AWS_REGIONS: "eu-west-1",
      },
      home,
      clock: systemClock,
    });
  const [ours, wrong] = [await provider(account.user.secretAccessKey), await provider(`${account.user.secretAccessKey}x`)];
  const made = await ours.volumes?.create({ name: "d", token: "t", sizeGb: 5, region: "eu-west-1", zone: "eu-west-1a" }, context);
  expect(await ours.volumes?.list(context)).toMatchObject([{ providerId: made?.providerId, token: "t", sizeGb: 5 }]);
  expect(await ours.list(context)).toEqual([]);
  const refused = await wrong.list(context).catch((error: unknown) => error);
  expect(refused).toMatchObject({ fault: { kind: "auth" }, rawCode: "AuthFailure" });
  await ours.volumes?.remove(made?.providerId ?? "", context);
});
