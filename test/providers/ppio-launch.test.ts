import { expect, test } from "vitest";
import type { Offer } from "../../src/model/offer.ts";
import { ppioProvider } from "../../src/providers/ppio/provider.ts";
import { MINUTE_MS, type PpioBench, ppioBench } from "../clouds/ppio/bench.ts";

const create = "/gpu/instance/create";

async function volumeOf({ provider, context, offer }: PpioBench, token = "t-vol"): Promise<string> {
  const { region } = await offer();
  const made = await provider.volumes?.create({ name: "data", token, sizeGb: 20, region, zone: region }, context);
  return made?.providerId ?? "";
}

test("what is sent is what was asked for, in this API's own forms", async () => {
  const bench = await ppioBench();
  const { cloud, provider, context, spec, sent } = bench;
  cloud.addRegistryAuth("auth-7", "my-registry");
  const volume = await volumeOf(bench);
  const launched = await provider.launch(
    await spec({
      image: "registry.example/me/train:7",
      registryAuth: "my-registry",
      env: { LEVEL: "9", EMPTY: "" },
      ports: [
        { port: 8080, protocol: "http" },
        { port: 6006, protocol: "tcp" },
      ],
      volumes: [{ providerVolumeId: volume, mount: "/data" }],
    }),
    context,
  );
  expect(launched).toMatchObject({
    name: "train",
    token: "t-abc123",
    region: "27",
    zone: "27",
    type: "4090.16c62g:1",
    volumeIds: [volume],
  });
  const [body] = sent(create);
  expect(body).toMatchObject({
    name: "train-t-abc123",
    productId: "4090.16c62g",
    gpuNum: 1,
    rootfsSize: 60,
    imageUrl: "registry.example/me/train:7",
    imageAuthId: "auth-7",
    ports: "8080/http, 6006/tcp",
    clusterId: "27",
    networkStorages: [{ Id: volume, mountPoint: "/data" }],
    kind: "gpu",
    billingMode: "spot",
    month: 0,
  });
  expect(body?.["envs"]).toEqual(
    expect.arrayContaining([
      { key: "LEVEL", value: "9" },
      { key: "EMPTY", value: "" },
    ]),
  );
});

test("without an image each vendor has one that runs on its GPUs", async () => {
  for (const [vendor, image] of [
    ["ppio", /^image\.ppinfra\.com\/.*pytorch/],
    ["novita", /^pytorch\/pytorch:/],
  ] as const) {
    const { provider, context, spec, sent } = await ppioBench({ vendor });
    await provider.launch(await spec(), context);
    expect(sent(create)[0]?.["imageUrl"]).toMatch(image);
  }
});

test("registry credentials are known by their id too, and not by a name that nobody gave", async () => {
  const { cloud, provider, context, spec, sent } = await ppioBench();
  cloud.addRegistryAuth("auth-7", "my-registry");
  await provider.launch(await spec({ registryAuth: "auth-7" }), context);
  expect(sent(create)[0]).toMatchObject({ imageAuthId: "auth-7" });
  await expect(provider.launch(await spec({ registryAuth: "other" }), context)).rejects.toMatchObject({
    fault: { kind: "invalid-request" },
  });
  expect(sent(create)).toHaveLength(1);
});

test("the root disk keeps to what the product allows", async () => {
  const { provider, context, spec, offer, sent } = await ppioBench();
  await provider.launch(await spec({ offer: await offer("L40S.22c125g:1") }), context);
  const small = (await provider.offers({ gpuModel: "RTXA6000", gpuCount: 1 }, context))[0] as Offer;
  await provider.launch(await spec({ offer: small, token: "t-two" }), context);
  expect(sent(create).map(({ rootfsSize }) => rootfsSize)).toEqual([80, 40]);
});

test("no request can carry a cap, so the price is looked at just before", async () => {
  const { cloud, provider, context, spec, offer, sent } = await ppioBench();
  const seen = await offer();
  cloud.market.setPrice("4090.16c62g", { spotPrice: 150_000 });
  const before = await spec({ offer: seen });
  await expect(provider.launch(before, context)).rejects.toMatchObject({ fault: { kind: "price-too-low" } });
  expect(sent(create)).toEqual([]);
  const launched = await provider.launch({ ...before, maxPrice: { micros: 2_000_000n, currency: "CNY" } }, context);
  expect(launched.price).toEqual({ micros: 1_500_000n, currency: "CNY" });
  expect((await provider.get(launched.providerId, context))?.price).toEqual(launched.price);
  await expect(provider.launch({ ...before, maxPrice: { micros: 2_000_000n, currency: "USD" } }, context)).rejects.toMatchObject({
    fault: { kind: "price-too-low" },
  });
});

test("a cap below the offer sends nothing at all", async () => {
  const { cloud, provider, context, spec } = await ppioBench();
  const dear = await spec({ maxPrice: { micros: 1n, currency: "CNY" } });
  const before = cloud.server.requests.length;
  await expect(provider.launch(dear, context)).rejects.toMatchObject({ fault: { kind: "price-too-low" } });
  expect(cloud.server.requests).toHaveLength(before);
});

test("a product that is no longer offered as spot is passed over", async () => {
  const { cloud, provider, context, spec } = await ppioBench();
  const launch = await spec();
  cloud.market.setPrice("4090.16c62g", { spotPrice: 0 });
  await expect(provider.launch(launch, context)).rejects.toMatchObject({ fault: { kind: "no-capacity" } });
});

test("sold out between the offer and the launch is no capacity of that offer, though it was called deployable", async () => {
  const { cloud, provider, context, spec, sent } = await ppioBench();
  const launch = await spec();
  cloud.setStock("4090.16c62g:1", 0);
  await expect(provider.launch(launch, context)).rejects.toMatchObject({
    fault: { kind: "no-capacity", scope: "offer" },
    rawCode: "INSUFFICIENT_RESOURCE",
  });
  expect(sent(create)).toHaveLength(1);
  expect(cloud.living()).toEqual([]);
});

test("an answer to a preparing question that makes no sense is not ambiguous: nothing was launched", async () => {
  const { cloud, provider, context, spec, sent } = await ppioBench();
  const launch = await spec();
  for (const answer of [
    { status: 200, body: "<html>" },
    { status: 404, body: "404 page not found" },
    { status: 200, body: {} },
  ]) {
    cloud.server.disturb({ what: { do: "answer", answer }, match: ({ path }) => path.endsWith("/products") });
    await expect(provider.launch(launch, context)).rejects.toMatchObject({ fault: { kind: "unavailable" } });
  }
  expect(sent(create)).toEqual([]);
});

test("a month is not rented: it could not be ended", async () => {
  const { provider, context, spec, offer } = await ppioBench();
  const monthly = { ...(await offer()), billing: "monthly" as const };
  await expect(provider.launch(await spec({ offer: monthly }), context)).rejects.toMatchObject({ fault: { kind: "invalid-request" } });
});

test("where no port is to be open none is named", async () => {
  const { provider, context, spec, sent } = await ppioBench();
  await provider.launch(await spec(), context);
  expect(sent("/gpu/instance/create")[0]).not.toHaveProperty("ports");
});

test("the cloud's own ports, too many ports and too long values are refused before anything is sent", async () => {
  const { provider, context, spec, sent } = await ppioBench();
  const bad = [
    { ports: [{ port: 2223, protocol: "tcp" as const }] },
    { ports: Array.from({ length: 16 }, (_, at) => ({ port: 8000 + at, protocol: "http" as const })) },
    { env: { LONG: "x".repeat(4096) } },
    { env: Object.fromEntries(Array.from({ length: 101 }, (_, at) => [`V${at}`, "x"])) },
  ];
  for (const change of bad)
    await expect(provider.launch(await spec(change), context)).rejects.toMatchObject({ fault: { kind: "invalid-request" } });
  expect(sent(create)).toEqual([]);
});

test("a storage that another instance has mounted is not given away a second time, though the cloud would", async () => {
  const bench = await ppioBench();
  const { provider, context, spec, clock, sent } = bench;
  const volumes = [{ providerVolumeId: await volumeOf(bench), mount: "/data" }];
  const { providerId } = await provider.launch(await spec({ volumes }), context);
  clock.advance(MINUTE_MS);
  await expect(provider.launch(await spec({ volumes, token: "t-two" }), context)).rejects.toMatchObject({ fault: { kind: "conflict" } });
  expect(sent(create)).toHaveLength(1);
  expect(await provider.volumes?.list(context)).toMatchObject([
    { attachedTo: providerId, region: "27", zone: "27", token: "t-vol", sizeGb: 20 },
  ]);
});

test("parking: the storage stays, and the next instance is made in the cluster where it lies", async () => {
  const bench = await ppioBench();
  const { cloud, provider, context, spec, clock, sent } = bench;
  const volume = await volumeOf(bench);
  const volumes = [{ providerVolumeId: volume, mount: "/data" }];
  const { providerId } = await provider.launch(await spec({ volumes }), context);
  clock.advance(MINUTE_MS);
  await provider.destroy(providerId, context);
  clock.advance(MINUTE_MS);
  expect(await provider.volumes?.list(context)).toMatchObject([{ providerId: volume, attachedTo: null }]);
  await provider.launch(await spec({ volumes, token: "t-back" }), context);
  expect(sent(create).map(({ clusterId, networkStorages }) => [clusterId, networkStorages])).toEqual(
    [1, 2].map(() => ["27", [{ Id: volume, mountPoint: "/data" }]]),
  );
  expect(cloud.living().map(({ token }) => token)).toEqual(["t-back"]);
});

test("a storage has ten GB at least, and is deleted once however often it is asked for", async () => {
  const { provider, context, sent } = await ppioBench();
  const made = await provider.volumes?.create({ name: "data", token: "t-vol", sizeGb: 1.5, region: "27", zone: "27" }, context);
  expect([made?.sizeGb, sent("/networkstorage/create")[0]?.["storageSize"]]).toEqual([10, 10]);
  await provider.volumes?.remove(made?.providerId ?? "", context);
  await provider.volumes?.remove(made?.providerId ?? "", context);
  expect(await provider.volumes?.list(context)).toEqual([]);
});

test("a cluster without network storages says so, and nothing was made", async () => {
  const { provider, context } = await ppioBench();
  const spec = { name: "data", token: "t-vol", sizeGb: 20, region: "cn-north-9", zone: "cn-north-9" };
  await expect(provider.volumes?.create(spec, context)).rejects.toMatchObject({ fault: { kind: "unsupported" } });
  expect(await provider.volumes?.list(context)).toEqual([]);
});

test("without credentials the provider is there, and its first question says what is missing", async () => {
  const { cloud, context, clock } = await ppioBench();
  const bare = await ppioProvider({ env: { PPIO_API_URL: cloud.url }, home: "/nonexistent", clock });
  await expect(bare.list(context)).rejects.toMatchObject({ fault: { kind: "auth" }, message: expect.stringContaining("PPIO_API_KEY") });
  expect(cloud.server.requests).toEqual([]);
});
