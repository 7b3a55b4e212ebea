import { describe, expect, test } from "vitest";
import { refusalOf } from "../../src/providers/aws/codes.ts";
import { tagsOf } from "../../src/providers/aws/tags.ts";
import type { FakeRequest } from "../clouds/fake-server.ts";
import { eventually } from "../conformance/bench.ts";
import { awsOn, onMoto, sentOf } from "./aws-bench.ts";

const isFor =
  (action: string) =>
  (request: FakeRequest): boolean =>
    sentOf(request)["Action"] === action;

function refusal(code: string, message = "no") {
  const body = `<Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors><RequestID>r</RequestID></Response>`;
  return { do: "answer", answer: { status: 400, headers: { "content-type": "text/xml" }, body } } as const;
}

const PLACE = { region: "us-east-1", zone: "us-east-1a" };
const disk = { name: "work", token: "t-v1", sizeGb: 20, ...PLACE };

describe("what an image brings along", () => {
  onMoto("goes with the machine too, whatever the image says: nobody would see such a disk", async () => {
    const { provider, cloud, context, spec, sent } = await awsOn();
    const order = await spec({ image: "ami-0123456789abcdef0" });
    const ebs = (more: string) => `<ebs><volumeSize>30</volumeSize><snapshotId>snap-0123456789abcdef0</snapshotId>${more}</ebs>`;
    const body = `<DescribeImagesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><imagesSet><item><imageId>ami-0123456789abcdef0</imageId>
      <rootDeviceName>/dev/sda1</rootDeviceName><blockDeviceMapping>
      <item><deviceName>/dev/sda1</deviceName>${ebs("<deleteOnTermination>false</deleteOnTermination>")}</item>
      <item><deviceName>/dev/sdb</deviceName>${ebs("<deleteOnTermination>false</deleteOnTermination>")}</item>
      <item><deviceName>/dev/sdc</deviceName>${ebs("<deleteOnTermination>true</deleteOnTermination>")}</item>
      <item><deviceName>/dev/sdd</deviceName><virtualName>ephemeral0</virtualName></item>
      </blockDeviceMapping></item></imagesSet></DescribeImagesResponse>`;
    const answer = { status: 200, headers: { "content-type": "text/xml" }, body };
    cloud.server.disturb({ what: { do: "answer", answer }, match: isFor("DescribeImages") });
    await provider.launch(order, context).catch(() => undefined);
    const [launch = {}] = sent("RunInstances");
    expect(Object.fromEntries(Object.entries(launch).filter(([key]) => key.startsWith("BlockDeviceMapping.")))).toEqual({
      "BlockDeviceMapping.1.DeviceName": "/dev/sda1",
      "BlockDeviceMapping.1.Ebs.DeleteOnTermination": "true",
      "BlockDeviceMapping.1.Ebs.VolumeSize": "30",
      "BlockDeviceMapping.1.Ebs.VolumeType": "gp3",
      "BlockDeviceMapping.2.DeviceName": "/dev/sdb",
      "BlockDeviceMapping.2.Ebs.DeleteOnTermination": "true",
      "BlockDeviceMapping.2.Ebs.SnapshotId": "snap-0123456789abcdef0",
      "BlockDeviceMapping.2.Ebs.VolumeSize": "30",
    });
  });
});

describe("a token that was used with another order", () => {
  onMoto.each([["not to be found yet"], ["not to be asked for"]])("is a machine that may be there, when it is %s", async (how) => {
    const { provider, cloud, context, spec } = await awsOn();
    const order = await spec();
    cloud.server.disturb({ what: refusal("IdempotentParameterMismatch"), match: isFor("RunInstances") });
    if (how === "not to be asked for") cloud.switches.deniedActions = ["DescribeInstances"];
    await expect(provider.launch(order, context)).rejects.toMatchObject({
      fault: { kind: "ambiguous" },
      rawCode: "IdempotentParameterMismatch",
    });
  });
});

describe("what was made a moment ago", () => {
  onMoto("a volume that is not listed yet is deleted all the same", async () => {
    const { provider, cloud, context } = await awsOn({ switches: { listedAfterMs: 60_000 } });
    const { volumes } = provider;
    const made = await volumes?.create(disk, context);
    await volumes?.remove(made?.providerId ?? "", context);
    await eventually(async () => {
      await cloud.settle();
      return cloud.volumes().length === 0 ? true : undefined;
    }, "the end of the volume");
  });

  onMoto("not found is believed the second time only: of a volume and of a snapshot", async () => {
    const { provider, cloud, context, untilUsable } = await awsOn();
    const { volumes } = provider;
    const made = await volumes?.create(disk, context);
    await untilUsable();
    const snapshot = await volumes?.snapshots?.create(made?.providerId ?? "", { name: "s", token: "t-s1" }, context);
    cloud.switches.listedAfterMs = 60_000;
    cloud.server.disturb({ what: refusal("InvalidSnapshot.NotFound"), match: isFor("DeleteSnapshot") });
    await volumes?.snapshots?.remove(snapshot?.providerId ?? "", context);
    expect(cloud.snapshots()).toEqual([]);
    cloud.server.disturb({ what: refusal("InvalidVolume.NotFound"), match: isFor("DeleteVolume") });
    await volumes?.remove(made?.providerId ?? "", context);
    await eventually(async () => {
      await cloud.settle();
      return cloud.volumes().length === 0 ? true : undefined;
    }, "the end of the volume");
  });
});

describe("attaching", () => {
  onMoto("a name that another disk has taken just now is a conflict, and another try", async () => {
    const { provider, cloud, context, running, untilUsable } = await awsOn();
    const { providerId } = await running();
    const made = await provider.volumes?.create(disk, context);
    const taken = refusal("InvalidParameterValue", "Invalid value '/dev/sdf' for unixDevice. Attachment point /dev/sdf is already in use");
    cloud.server.disturb({ what: taken, match: isFor("AttachVolume") });
    const attach = () => provider.volumes?.attach?.(made?.providerId ?? "", providerId, context);
    await untilUsable();
    await expect(attach()).rejects.toMatchObject({ fault: { kind: "conflict" } });
    await attach();
  });
});

test("labels that become the same tag are one: EC2 refuses a tag that comes twice", () => {
  const tags = tagsOf({ name: "job", token: "t-1", labels: { "a*b": "1", "a?b": "2", c: "3" } });
  expect(tags.slice(3)).toEqual([
    { Key: "a-b", Value: "1" },
    { Key: "c", Value: "3" },
  ]);
});

test.each(["MaxSpotInstanceCountExceeded", "VcpuLimitExceeded", "InstanceLimitExceeded", "VolumeLimitExceeded"])(
  "%s is a limit of that region alone",
  (code) => {
    const { answer } = refusal(code);
    const refused = refusalOf({ status: 400, headers: {}, text: answer.body, asked: "RunInstances (us-east-1)", effect: "change" }, 0);
    expect(refused.fault).toEqual({ kind: "quota", scope: "region" });
  },
);
