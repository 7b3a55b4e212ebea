import { describe, expect, test } from "vitest";
import { ProviderError } from "../../src/providers/errors.ts";
import { context, gcpBench, MINUTE, SECOND, SSH_KEY } from "./gcp-bench.ts";

const INSERT = /^zones\/[^/]+\/instances$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

async function faultOf(work: Promise<unknown>): Promise<ProviderError> {
  const error = await work.then(
    () => undefined,
    (failure: unknown) => failure,
  );
  if (!(error instanceof ProviderError)) throw error ?? new Error("it went well");
  return error;
}

describe("what a launch sends", () => {
  test("the keys of other computers beside ours, all under the one login", async () => {
    const { provider, spec, bodies } = await gcpBench();
    await provider.launch(await spec("t-peer", { peerKeys: ["ssh-ed25519 PEER"] }), context);
    const [body] = bodies("POST", INSERT) as { metadata: { items: { key: string; value: string }[] } }[];
    const login = body?.metadata.items.find(({ key }) => key === "ssh-keys")?.value ?? "";
    const [user] = login.split(":");
    expect(login).toBe(`${user}:${SSH_KEY.trim()}\n${user}:ssh-ed25519 PEER`);
  });

  test("a Spot VM with a data disk, a port, labels and a time limit, field by field", async () => {
    const { provider, fake, spec, bodies, sent } = await gcpBench();
    const disk = await provider.volumes?.create(
      { name: "work", token: "t-disk1", sizeGb: 20, region: "us-central1", zone: "us-central1-a" },
      context,
    );
    const launched = await provider.launch(
      await spec("t-abc1", {
        volumes: [{ providerVolumeId: disk?.providerId ?? "", mount: "/data" }],
        ports: [{ port: 8080, protocol: "http" }],
        labels: { Team: "Research & Co", "spot-fleet-token": "t-forged" },
        env: { GREETING: "it's" },
        ttlSeconds: 10_800,
      }),
      context,
    );
    const p = `projects/${fake.project}`;
    const zone = `${p}/zones/us-central1-a`;
    expect(bodies("POST", INSERT)).toEqual([
      {
        name: "train-t-abc1",
        description: "train (spot)",
        machineType: `${zone}/machineTypes/g2-standard-4`,
        labels: { team: "research-co", "spot-fleet-token": "t-abc1", "spot-fleet-name": "train" },
        tags: { items: ["spot-fleet", "spot-fleet-8080"] },
        scheduling: {
          provisioningModel: "SPOT",
          preemptible: true,
          automaticRestart: false,
          onHostMaintenance: "TERMINATE",
          instanceTerminationAction: "STOP",
          maxRunDuration: { seconds: "10800" },
        },
        disks: [
          {
            boot: true,
            autoDelete: true,
            mode: "READ_WRITE",
            type: "PERSISTENT",
            initializeParams: {
              sourceImage: "projects/deeplearning-platform-release/global/images/family/common-cu128-ubuntu-2204-nvidia-570",
              diskSizeGb: "100",
              diskType: `${zone}/diskTypes/pd-balanced`,
              labels: { "spot-fleet-token": "t-abc1", "spot-fleet-name": "train", "spot-fleet-role": "root" },
            },
          },
          {
            boot: false,
            autoDelete: false,
            mode: "READ_WRITE",
            type: "PERSISTENT",
            source: `${zone}/disks/work-t-disk1`,
            deviceName: expect.stringMatching(/^spot-[0-9a-f]{12}$/),
          },
        ],
        networkInterfaces: [{ network: `${p}/global/networks/default`, accessConfigs: [{ name: "external-nat", type: "ONE_TO_ONE_NAT" }] }],
        metadata: {
          items: [
            { key: "startup-script", value: "#!/bin/sh\nexport GREETING='it'\\''s'\n#!/bin/sh\necho up\n" },
            { key: "install-nvidia-driver", value: "True" },
            { key: "enable-oslogin", value: "FALSE" },
            { key: "ssh-keys", value: `spot:${SSH_KEY}` },
          ],
        },
        canIpForward: false,
        deletionProtection: false,
      },
    ]);
    expect(sent("POST", INSERT)[0]?.path).toBe(`/compute/v1/${zone}/instances`);
    expect(bodies("POST", /^global\/firewalls$/)).toMatchObject([
      {
        name: "spot-fleet-8080",
        direction: "INGRESS",
        sourceRanges: ["0.0.0.0/0"],
        targetTags: ["spot-fleet-8080"],
        allowed: [{ IPProtocol: "tcp", ports: ["8080"] }],
      },
    ]);
    expect(launched).toMatchObject({ providerId: "us-central1-a/train-t-abc1", token: "t-abc1", volumeIds: [disk?.providerId] });
  });

  test("every change carries a request id, the same for the same token and no other", async () => {
    const { provider, spec, sent } = await gcpBench();
    const volume = { name: "work", token: "t-d", sizeGb: 10, region: "us-central1", zone: "us-central1-a" };
    const disk = await provider.volumes?.create(volume, context);
    const { providerId } = await provider.launch(await spec("t-one", { ports: [{ port: 80, protocol: "http" }] }), context);
    await provider.launch(await spec("t-two"), context);
    await provider.volumes?.snapshots?.create(disk?.providerId ?? "", { name: "snap", token: "t-s" }, context);
    await provider.volumes?.remove(disk?.providerId ?? "", context);
    await provider.destroy(providerId, context);
    const changes = [...sent("POST", /./), ...sent("DELETE", /./)].filter(({ path }) => path !== "/token");
    expect(changes.length).toBeGreaterThanOrEqual(7);
    const ids = changes.map(({ query }) => query.get("requestId") ?? "");
    for (const id of ids) expect(id).toMatch(UUID);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("the same token again is the same request: one machine", async () => {
    const { provider, spec, fake, sent } = await gcpBench();
    const one = await provider.launch(await spec("t-abc1"), context);
    const again = await provider.launch(await spec("t-abc1"), context);
    expect(again.providerId).toBe(one.providerId);
    expect(fake.living()).toHaveLength(1);
    const [first, second] = sent("POST", INSERT).map(({ query }) => query.get("requestId"));
    expect(second).toBe(first);
  });

  test("a name that is taken by ours is ours, although the cloud has forgotten the request", async () => {
    const { provider, spec, fake, clock, another } = await gcpBench({ delays: { requestIdMs: MINUTE } });
    const one = await provider.launch(await spec("t-abc1"), context);
    clock.advance(10 * MINUTE);
    expect(await (await another()).launch(await spec("t-abc1"), context)).toMatchObject({ providerId: one.providerId, token: "t-abc1" });
    expect(fake.living()).toHaveLength(1);
  });

  test("a GPU beside an N1 machine is named; on demand nothing of Spot is said", async () => {
    const { provider, spec, offer, bodies, fake } = await gcpBench();
    const t4 = await offer("n1-standard-8+1xnvidia-tesla-t4", { billing: "on-demand" });
    expect(t4.gpu).toEqual({ model: "T4", count: 1, vramGb: 16 });
    await provider.launch(await spec("t-n1", { offer: t4, ttlSeconds: 5 }), context);
    const [body] = bodies("POST", INSERT);
    expect(body).toMatchObject({
      machineType: expect.stringMatching(/machineTypes\/n1-standard-8$/),
      guestAccelerators: [
        { acceleratorType: `projects/${fake.project}/zones/us-central1-a/acceleratorTypes/nvidia-tesla-t4`, acceleratorCount: 1 },
      ],
    });
    expect(body?.["scheduling"]).toEqual({
      provisioningModel: "STANDARD",
      automaticRestart: true,
      onHostMaintenance: "TERMINATE",
      instanceTerminationAction: "STOP",
      // The shortest that Google takes.
      maxRunDuration: { seconds: "30" },
    });
    const [listed] = await provider.list(context);
    expect(listed).toMatchObject({ type: "n1-standard-8+1xnvidia-tesla-t4", billing: "on-demand", gpu: { model: "T4", count: 1 } });
  });

  test("images, disks, network and login as the environment says", async () => {
    const env = { SPOT_GCP_DISK_TYPE: "pd-ssd", SPOT_GCP_SSH_USER: "ada" };
    const { provider, spec, bodies, fake } = await gcpBench({ env });
    await provider.launch(await spec("t-a", { image: "mine", sshKey: SSH_KEY }), context).catch(() => undefined);
    await provider.launch(await spec("t-b", { image: "family/ours" }), context).catch(() => undefined);
    await provider
      .launch(await spec("t-c", { image: "projects/debian-cloud/global/images/family/debian-12" }), context)
      .catch(() => undefined);
    const images = bodies("POST", INSERT).map((body) => JSON.stringify(body).match(/"sourceImage":"([^"]+)"/)?.[1]);
    expect(images).toEqual([
      `projects/${fake.project}/global/images/mine`,
      `projects/${fake.project}/global/images/family/ours`,
      "projects/debian-cloud/global/images/family/debian-12",
    ]);
    expect(JSON.stringify(bodies("POST", INSERT)[0])).toContain("diskTypes/pd-ssd");
    expect(JSON.stringify(bodies("POST", INSERT)[0])).toContain(`ada:${SSH_KEY}`);
  });

  test("a script that Google would not take is refused before anything is sent", async () => {
    const { provider, spec, sent } = await gcpBench();
    const fault = await faultOf(provider.launch(await spec("t-a", { bootScript: "x".repeat(300_000) }), context));
    expect(fault).toMatchObject({ fault: { kind: "invalid-request" } });
    expect(fault.message).toContain("300000 bytes");
    expect(sent("POST", INSERT)).toEqual([]);
  });
});

describe("a stock-out", () => {
  for (const stockOutCode of ["ZONE_RESOURCE_POOL_EXHAUSTED", "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS"] as const)
    for (const stockOutBy of ["operation", "http"] as const)
      test(`${stockOutCode} in the ${stockOutBy}: no capacity for this type in this zone, and nothing is left`, async () => {
        const { provider, spec, fake } = await gcpBench({ switches: { stockOutBy, stockOutCode } });
        fake.setStock("g2-standard-4", 0);
        const fault = await faultOf(provider.launch(await spec("t-a"), context));
        expect(fault).toMatchObject({ fault: { kind: "no-capacity", scope: "offer" } });
        expect(fault.message).toContain("does not have enough resources available");
        expect(fake.living()).toEqual([]);
        expect(fake.volumes()).toEqual([]);
      });

  test("that comes minutes later is told by get, with its reason, and passes the offer over", async () => {
    const { provider, spec, fake, clock, another } = await gcpBench({ delays: { provisioningMs: 3 * MINUTE } });
    fake.setStock("g2-standard-4", 0);
    const before = clock.now();
    const launched = await provider.launch(await spec("t-a"), context);
    // It was waited for, but not for ever.
    expect(clock.now() - before).toBeGreaterThanOrEqual(19 * SECOND);
    expect(clock.now() - before).toBeLessThan(30 * SECOND);
    expect(await provider.get(launched.providerId, context)).toMatchObject({ state: "provisioning" });
    clock.advance(4 * MINUTE);
    const failed = { state: "failed", reason: expect.stringContaining("does not have enough resources") };
    expect(await provider.get(launched.providerId, context)).toMatchObject({ ...failed, token: "t-a", type: "g2-standard-4" });
    // Also to a process that was not there when it was launched.
    const later = await another();
    expect(await later.get(launched.providerId, context)).toMatchObject(failed);
    expect(await later.list(context)).toEqual([]);
    // What was never made has no end that anybody could wait for.
    expect(await later.destroy(launched.providerId, context)).toBe("gone");
    expect(await later.get(launched.providerId, context)).toBeUndefined();
  });

  test("whose operation is lost is a machine that is gone, and one that came to run a machine that runs", async () => {
    const { provider, spec, fake, clock, running } = await gcpBench({ switches: { losesOperations: true } });
    const { providerId } = await running("t-a");
    expect(await provider.get(providerId, context)).toMatchObject({ state: "running" });
    fake.setStock("g2-standard-4", 0);
    const launched = await provider.launch(await spec("t-b"), context).catch((error: unknown) => error);
    if (launched instanceof ProviderError) expect(launched.fault.kind).toBe("no-capacity");
    clock.advance(10 * MINUTE);
    const later = await provider.get("us-central1-a/train-t-b", context);
    expect(later === undefined || later.state === "failed").toBe(true);
    expect(await provider.destroy("us-central1-a/train-t-b", context)).toBe("gone");
    expect(fake.living()).toHaveLength(1);
  });

  for (const requestIdAfterFailure of ["same", "again"] as const)
    test(`with the same token again (${requestIdAfterFailure}) is one machine at most, and no capacity if there is none`, async () => {
      const { provider, spec, fake } = await gcpBench({ switches: { requestIdAfterFailure } });
      fake.setStock("g2-standard-4", 0);
      const wanted = await spec("t-a");
      expect(await faultOf(provider.launch(wanted, context))).toMatchObject({ fault: { kind: "no-capacity" } });
      fake.setStock("g2-standard-4", 10);
      const again = await provider.launch(wanted, context).catch((error: unknown) => error);
      if (again instanceof ProviderError) expect(again.fault.kind).toBe("no-capacity");
      expect(fake.living()).toHaveLength(again instanceof ProviderError ? 0 : 1);
    });

  test("is not waited for once the machine has its hardware", async () => {
    const { provider, spec, clock } = await gcpBench({ delays: { provisioningMs: SECOND, stagingMs: 10 * MINUTE } });
    const before = clock.now();
    expect(await provider.launch(await spec("t-a"), context)).toMatchObject({ state: "provisioning" });
    expect(clock.now() - before).toBeLessThan(5 * SECOND);
  });

  test("is looked for, and no failure of that look undoes the launch", async () => {
    const { provider, spec, fake } = await gcpBench();
    const wanted = await spec("t-a");
    const isLook = ({ method, path }: { method: string; path: string }) => method === "GET" && /\/operations\//.test(path);
    fake.server.disturb({ what: { do: "answer", answer: { status: 500, body: "" } }, match: isLook, times: Number.POSITIVE_INFINITY });
    expect(await provider.launch(wanted, context)).toMatchObject({ state: "provisioning" });
    fake.server.calm();
    const own = new AbortController();
    fake.server.disturb({ what: { do: "stall", ms: 60_000 }, match: isLook, times: Number.POSITIVE_INFINITY });
    const second = await spec("t-b");
    const asked = fake.server.requests.length;
    const launching = provider.launch(second, { signal: own.signal });
    while (!fake.server.requests.slice(asked).some(isLook)) await new Promise((resolve) => setImmediate(resolve));
    own.abort();
    expect(await launching).toMatchObject({ token: "t-b", state: "provisioning" });
    expect(fake.living()).toHaveLength(2);
  });
});

describe("a launch that fails otherwise", () => {
  const CODES: readonly (readonly [code: string, fault: object])[] = [
    ["IP_SPACE_EXHAUSTED", { kind: "no-capacity", scope: "zone" }],
    ["IP_SPACE_EXHAUSTED_WITH_DETAILS", { kind: "no-capacity", scope: "zone" }],
    ["insufficientCapacity", { kind: "no-capacity", scope: "offer" }],
    ["QUOTA_EXCEEDED", { kind: "quota" }],
    // Seen when a machine is preempted while it is being made.
    ["UNSUPPORTED_OPERATION", { kind: "no-capacity", scope: "offer" }],
    ["RESOURCE_OPERATION_RATE_EXCEEDED", { kind: "rate-limited", retryAfterMs: null }],
    ["IAM_PERMISSION_DENIED", { kind: "auth" }],
    ["VPC_NOT_FOUND", { kind: "invalid-request" }],
    ["RESOURCE_NOT_FOUND", { kind: "not-found" }],
    ["SOMETHING_NEW", { kind: "unavailable" }],
  ];
  for (const [launchErrorCode, fault] of CODES)
    test(`${launchErrorCode} in the operation`, async () => {
      const { provider, spec, fake } = await gcpBench({ switches: { launchErrorCode } });
      expect(await faultOf(provider.launch(await spec("t-a"), context))).toMatchObject({ fault, rawCode: launchErrorCode });
      expect(fake.living()).toEqual([]);
    });

  for (const quotaBy of ["operation", "http"] as const)
    test(`a quota in the ${quotaBy} is a quota, not a stock`, async () => {
      const { provider, spec, fake } = await gcpBench({ switches: { quotaBy } });
      fake.setQuota("PREEMPTIBLE_NVIDIA_L4_GPUS", 0, "us-central1");
      fake.setQuota("NVIDIA_L4_GPUS", 0, "us-central1");
      expect(await faultOf(provider.launch(await spec("t-a"), context))).toMatchObject({ fault: { kind: "quota" } });
    });

  test("a rate limit that is told as 429 is one, too", async () => {
    const { provider, fake } = await gcpBench({ switches: { rateLimitStatus: 429 } });
    await provider.list(context);
    fake.switches.requestsPerMinute = 0;
    expect(await faultOf(provider.list(context))).toMatchObject({ fault: { kind: "rate-limited" } });
  });

  test("a rate limit lasts until the cloud's next full minute", async () => {
    const { provider, clock, fake } = await gcpBench();
    await provider.list(context);
    clock.advance(20 * SECOND);
    fake.switches.requestsPerMinute = 0;
    const { fault } = await faultOf(provider.list(context));
    if (fault.kind !== "rate-limited") throw new Error(fault.kind);
    expect(fault.retryAfterMs).toBeGreaterThan(38 * SECOND);
    expect(fault.retryAfterMs).toBeLessThanOrEqual(41 * SECOND);
  });

  test("a token that is refused is renewed once, and the launch is made once", async () => {
    const { provider, spec, fake } = await gcpBench();
    const wanted = await spec("t-a");
    fake.revokeTokens();
    await provider.launch(wanted, context);
    expect(fake.living()).toHaveLength(1);
  });

  test("a disk in use, in another zone, or nowhere is found out before anything is launched", async () => {
    const { provider, spec, sent } = await gcpBench();
    const disk = await provider.volumes?.create(
      { name: "work", token: "t-disk1", sizeGb: 20, region: "us-central1", zone: "us-central1-b" },
      context,
    );
    const withDisk = async (id: string) => spec("t-a", { volumes: [{ providerVolumeId: id, mount: "/data" }] });
    expect(await faultOf(provider.launch(await withDisk(disk?.providerId ?? ""), context))).toMatchObject({
      fault: { kind: "invalid-request" },
    });
    expect(await faultOf(provider.launch(await withDisk("us-central1-a/none"), context))).toMatchObject({ fault: { kind: "not-found" } });
    expect(sent("POST", INSERT)).toEqual([]);
  });
});

describe("a disk that another machine took meanwhile", () => {
  for (const diskInUseBy of ["operation", "http"] as const)
    test(`is a conflict, not a stock-out, told in the ${diskInUseBy}`, async () => {
      const { provider, spec, running, fake } = await gcpBench({ switches: { diskInUseBy } });
      const volume = { name: "work", token: "t-d", sizeGb: 20, region: "us-central1", zone: "us-central1-a" };
      const id = (await provider.volumes?.create(volume, context))?.providerId ?? "";
      const volumes = [{ providerVolumeId: id, mount: "/data" }];
      await running("t-a", { volumes });
      // As it was when it was looked at.
      const free = { name: "work-t-d", zone: "us-central1-a", status: "READY", users: [] };
      fake.server.disturb({
        what: { do: "answer", answer: { status: 200, body: free } },
        match: ({ method, path }) => method === "GET" && path.endsWith("/disks/work-t-d"),
      });
      expect(await faultOf(provider.launch(await spec("t-b", { volumes }), context))).toMatchObject({ fault: { kind: "conflict" } });
      expect(fake.living()).toHaveLength(1);
    });
});

describe("the notice of 120 s", () => {
  const env = { SPOT_GCP_PREEMPTION_NOTICE: "120s" };

  test("is not asked for by itself: no notice is promised", async () => {
    const { provider, spec, bodies, sent, offer } = await gcpBench();
    await provider.launch(await spec("t-a"), context);
    expect(provider.capabilities.noticeSeconds).toBe(0);
    expect((await offer()).noticeSeconds).toBe(0);
    expect(JSON.stringify(bodies("POST", INSERT))).not.toContain("preemptionNoticeDuration");
    expect(sent("POST", INSERT)).toHaveLength(1);
  });

  test("is asked for on the beta path, of Spot alone", async () => {
    const { provider, spec, bodies, sent, offer } = await gcpBench({ env });
    await provider.launch(await spec("t-a"), context);
    await provider.launch(await spec("t-b", { offer: await offer("g2-standard-4", { billing: "on-demand" }) }), context);
    expect(sent("POST", INSERT).map(({ path }) => path.split("/")[2])).toEqual(["beta", "v1"]);
    expect(bodies("POST", INSERT)[0]).toMatchObject({ scheduling: { preemptionNoticeDuration: { seconds: "120" } } });
    expect(provider.capabilities.noticeSeconds).toBe(120);
    expect((await offer()).noticeSeconds).toBe(120);
    expect(await offer()).not.toHaveProperty("noticeUpToSeconds");
    expect((await offer("g2-standard-4", { billing: "on-demand" })).noticeSeconds).toBe(0);
  });

  test("that the project may not have is left away, once and for all, and then said to be 0", async () => {
    const { provider, spec, fake, sent, offer, another, clock } = await gcpBench({ env, switches: { noticePreview: false } });
    await provider.launch(await spec("t-a"), context);
    await provider.launch(await spec("t-b"), context);
    expect(sent("POST", INSERT).map(({ path }) => path.split("/")[2])).toEqual(["beta", "v1", "v1"]);
    expect(fake.living()).toHaveLength(2);
    expect(provider.capabilities.noticeSeconds).toBe(0);
    expect((await offer()).noticeSeconds).toBe(0);
    // Nor to another process, until it is tried again the next day.
    expect((await another()).capabilities.noticeSeconds).toBe(0);
    clock.advance(25 * 60 * MINUTE);
    expect((await another()).capabilities.noticeSeconds).toBe(120);
  });

  test("a 400 for another reason is no word about the notice", async () => {
    const { provider, spec } = await gcpBench({ env });
    const wanted = await spec("t-a", { image: "projects/nobody/global/images/nothing" });
    expect(await faultOf(provider.launch(wanted, context))).toBeInstanceOf(ProviderError);
    expect(provider.capabilities.noticeSeconds).toBe(120);
  });
});
