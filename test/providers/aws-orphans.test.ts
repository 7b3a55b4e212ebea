import { CreateVolumeCommand, EC2Client } from "@aws-sdk/client-ec2";
import { expect } from "vitest";
import { askProviders } from "../../src/fleet/orphans/orphan-search.ts";
import { machineResource } from "../../src/fleet/orphans/orphans.ts";
import { eventually } from "../conformance/bench.ts";
import { awsOn, onMoto } from "./aws-bench.ts";

onMoto("a root disk that outlived its machine is found by that machine's token; other people's disks are nobody's business", async () => {
  const { provider, cloud, context } = await awsOn({ switches: { regions: ["us-east-1"] } });
  const { leftovers } = provider;
  const { AWS_ACCESS_KEY_ID: accessKeyId = "", AWS_SECRET_ACCESS_KEY: secretAccessKey = "" } = cloud.env;
  const ec2 = new EC2Client({ endpoint: cloud.url, region: "us-east-1", credentials: { accessKeyId, secretAccessKey } });
  for (const Tags of [
    [
      { Key: "Name", Value: "train" },
      { Key: "spot-fleet-machine", Value: "t-gone" },
    ],
    [{ Key: "Name", Value: "of somebody else" }],
  ])
    await ec2.send(
      new CreateVolumeCommand({ AvailabilityZone: "us-east-1a", Size: 100, TagSpecifications: [{ ResourceType: "volume", Tags }] }),
    );
  const found = await eventually(async () => {
    const rows = await leftovers?.list(context, { harmless: false });
    return rows !== undefined && rows.length > 0 ? rows : undefined;
  }, "the disk");
  expect(found).toMatchObject([
    { kind: "root-disk", class: "bills", name: "train", token: "t-gone", attachedTo: null, region: "us-east-1" },
  ]);
  for (const one of [...found, ...found]) await leftovers?.remove(one, context);
  await eventually(async () => ((await leftovers?.list(context, { harmless: false }))?.length === 0 ? true : undefined), "its end");
  await eventually(async () => ((await provider.volumes?.list(context))?.length === 1 ? true : undefined), "only the other's disk");
});

onMoto("a persistent request that waits for a machine is one thing, and not listed as its machine too", async () => {
  const { provider, cloud, context, spec, running } = await awsOn({ switches: { regions: ["us-east-1"] } });
  const order = await spec({ token: "t-waits", waitsForCapacity: true });
  const { providerId } = await running({ token: "t-waits", waitsForCapacity: true });
  const kinds = async () => {
    const { resources, silent } = await askProviders([provider], context.signal, { harmless: false });
    expect(silent).toEqual([]);
    return resources.filter(({ token }) => token === "t-waits").map(({ kind, attachedTo }) => `${kind} ${attachedTo ?? ""}`.trim());
  };
  expect(await eventually(async () => ((await kinds()).length === 2 ? kinds() : undefined), "both")).toEqual([
    `spot-request ${providerId}`,
    "machine",
  ]);
  cloud.setStock(order.offer.type, 0);
  const [request] = (await provider.leftovers?.list(context, { harmless: false })) ?? [];
  if (request === undefined) throw new Error("no request");
  await provider.leftovers?.remove(request, context);
  // Its machine goes on, and is ended by itself.
  expect(await provider.get(providerId, context)).toMatchObject({ state: "running" });
  await eventually(
    async () => ((await provider.leftovers?.list(context, { harmless: false }))?.length === 0 ? true : undefined),
    "its end",
  );
  const [machine] = await provider.list(context);
  if (machine !== undefined)
    expect(machineResource(provider, machine)).toMatchObject({ kind: "machine", class: "bills", token: "t-waits" });
});
