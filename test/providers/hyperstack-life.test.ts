import { gunzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { type HyperstackBench, hyperstackBench } from "../clouds/hyperstack/bench.ts";
import type { FakeHyperstackOptions } from "../clouds/hyperstack/hyperstack.ts";

let bench: HyperstackBench | undefined;
afterEach(async () => {
  await bench?.cloud.close();
  bench = undefined;
});
async function open(options: Partial<FakeHyperstackOptions> = {}): Promise<HyperstackBench> {
  bench = await hyperstackBench(options);
  return bench;
}

const fails = (kind: string) => ({ fault: { kind } });
const body = (cloud: HyperstackBench["cloud"], path: string) =>
  cloud.server.requests.filter((request) => request.method === "POST" && request.path === path).map((request) => request.json());

describe("a launch", () => {
  test("finds or makes what it needs once, and says spot by the flavor's name alone", async () => {
    const { cloud, provider, context, offer, spec, asked } = await open();
    const chosen = await offer("n3-H100x1-spot", "NORWAY-1");
    const from = asked().length;
    const change = {
      labels: { team: "a b/c" },
      ports: [
        { port: 8000, protocol: "http" as const },
        { port: 22, protocol: "tcp" as const },
      ],
    };
    const launched = await provider.launch(spec(chosen, "t-first", change), context);
    expect(launched).toMatchObject({
      name: "trainer",
      token: "t-first",
      billing: "spot",
      state: "provisioning",
      region: "NORWAY-1",
      price: chosen.price,
    });
    await provider.launch(spec(chosen, "t-second"), context);
    expect(asked(from)).toEqual([
      "GET /v1/core/environments",
      "POST /v1/core/environments",
      "GET /v1/core/keypairs",
      "POST /v1/core/keypairs",
      "GET /v1/core/images",
      "GET /v1/core/images",
      "POST /v1/core/virtual-machines",
      "POST /v1/core/virtual-machines",
    ]);
    expect(body(cloud, "/v1/core/environments")).toEqual([{ name: "spot-norway-1", region: "NORWAY-1" }]);
    const rule = { direction: "ingress", ethertype: "IPv4", protocol: "tcp", remote_ip_prefix: "0.0.0.0/0" };
    expect(body(cloud, "/v1/core/virtual-machines")[0]).toEqual({
      name: "trainer-t-first",
      environment_name: "spot-norway-1",
      flavor_name: "n3-H100x1-spot",
      key_name: expect.stringMatching(/^spot-norway-1-[0-9a-f]{16}$/),
      image_name: "Ubuntu Server 24.04 LTS R570 CUDA 12.8",
      count: 1,
      assign_floating_ip: true,
      enable_port_randomization: false,
      security_rules: [
        { ...rule, port_range_min: 22, port_range_max: 22 },
        { ...rule, port_range_min: 8000, port_range_max: 8000 },
      ],
      labels: ["t-first", "team.a-b-c"],
      user_data: expect.stringMatching(/^#!\/bin\/sh\n/),
    });
  });

  test("what was asked for as environment travels with the boot script", async () => {
    const { cloud, provider, context, offer, spec } = await open();
    const env = { WORD: "it's" };
    await provider.launch(spec(await offer("n3-RTX-A6000x1-spot", "CANADA-1"), "t-env", { env, bootScript: "echo $WORD\n" }), context);
    const [sent] = body(cloud, "/v1/core/virtual-machines") as readonly { readonly user_data: string }[];
    const [, packed = ""] = /<<SPOT_END_OF_FILE[^\n]*\n([\s\S]*)\nSPOT_END_OF_FILE/.exec(sent?.user_data ?? "") ?? [];
    expect(gunzipSync(Buffer.from(packed, "base64")).toString()).toBe("#!/bin/sh\nexport WORD='it'\\''s'\necho $WORD\n");
  });

  test("another process finds the environment and the key; a machine without a key of ours has one that nobody can use", async () => {
    const { cloud, another, context, offer, spec, running } = await open();
    await running();
    await (await another()).launch(spec(await offer("n3-RTX-A6000x1-spot", "CANADA-1"), "t-b"), context);
    await (await another()).launch(spec(await offer("n3-RTX-A6000x1-spot", "CANADA-1"), "t-c", { sshKey: null }), context);
    await (await another()).launch(spec(await offer("n3-RTX-A6000x1-spot", "CANADA-1"), "t-d", { sshKey: null }), context);
    expect(cloud.site.environments.map(({ name }) => name)).toEqual(["spot-canada-1"]);
    expect(cloud.site.keypairs.map(({ name }) => name)).toEqual([
      expect.stringMatching(/^spot-canada-1-[0-9a-f]{16}$/),
      "spot-canada-1-nobody",
    ]);
    expect(cloud.site.keypairs[1]?.publicKey).toMatch(/^ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43}$/);
  });

  test("who was faster with the environment is no obstacle, and a 500 there is no lost machine", async () => {
    const { cloud, provider, context, offer, spec } = await open();
    const chosen = await offer("n3-RTX-A6000x1-spot", "CANADA-1");
    cloud.breakDown(({ method, path }) => method === "POST" && path.endsWith("/environments"), 1);
    await expect(provider.launch(spec(chosen, "t-a"), context)).rejects.toMatchObject(fails("unavailable"));
    // Made by somebody else between our look and our wish.
    cloud.server.disturb({
      what: { do: "answer", answer: { status: 200, body: { status: true, count: 0, environments: [] } } },
      match: ({ method, path }) => method === "GET" && path.endsWith("/environments"),
    });
    cloud.site.environments.push({ id: 5, name: "spot-canada-1", region: "CANADA-1", createdAt: 0 });
    expect(await provider.launch(spec(chosen, "t-b"), context)).toMatchObject({ token: "t-b" });
    expect(cloud.living()).toHaveLength(1);
  });

  test("a key that is there under a name of somebody's own is used under that name", async () => {
    const { cloud, another, context, offer, spec, running } = await open();
    await running();
    const [ours] = cloud.site.keypairs;
    if (ours === undefined) throw new Error("there is no key pair");
    cloud.site.keypairs.splice(0, 1, { ...ours, name: "laptop", publicKey: `${ours.publicKey} of mine` });
    cloud.server.disturb({
      what: { do: "answer", answer: { status: 409, body: { status: false, message: "already exists", error_reason: "already_exist" } } },
      match: ({ method, path }) => method === "POST" && path.endsWith("/keypairs"),
    });
    const { providerId } = await (await another()).launch(spec(await offer("n3-RTX-A6000x1-spot", "CANADA-1"), "t-b"), context);
    expect(cloud.vm(providerId).keypair.name).toBe("laptop");
  });

  test("an environment of that name somewhere else is told, not used", async () => {
    const { cloud, provider, context, offer, spec } = await open();
    cloud.site.environments.push({ id: 5, name: "spot-canada-1", region: "US-1", createdAt: 0 });
    const chosen = await offer("n3-RTX-A6000x1-spot", "CANADA-1");
    await expect(provider.launch(spec(chosen, "t-a"), context)).rejects.toMatchObject({
      fault: { kind: "invalid-request" },
      message: /US-1/,
    });
    expect(cloud.living()).toEqual([]);
  });

  test("an environment that was deleted meanwhile is made again at the next try", async () => {
    const { cloud, provider, context, offer, spec } = await open();
    const chosen = await offer("n3-RTX-A6000x1-spot", "CANADA-1");
    await provider.launch(spec(chosen, "t-a"), context);
    cloud.site.environments.splice(0);
    cloud.site.keypairs.splice(0);
    await expect(provider.launch(spec(chosen, "t-b"), context)).rejects.toMatchObject(fails("not-found"));
    expect(await provider.launch(spec(chosen, "t-b"), context)).toMatchObject({ token: "t-b" });
  });

  test("the token survives a name that is too long, and the labels carry it as well", async () => {
    const { cloud, provider, context, offer, spec } = await open();
    const token = `t-${"7".repeat(16)}`;
    const name = "a-name-of-forty-characters-as-we-allow-it";
    const launched = await provider.launch(spec(await offer("n3-RTX-A6000x1-spot"), token, { name }), context);
    expect(cloud.vm(launched.providerId).name).toHaveLength(50);
    expect(launched.token).toBe(token);
    Object.assign(cloud.vm(launched.providerId), { name: "renamed" });
    expect(await provider.list(context)).toMatchObject([{ name: "renamed", token }]);
  });

  test("the same name once more is the same machine", async () => {
    const { cloud, provider, context, offer, spec } = await open();
    const chosen = await offer("n3-RTX-A6000x1-spot");
    const first = await provider.launch(spec(chosen, "t-a"), context);
    const second = await provider.launch(spec(chosen, "t-a"), context);
    expect(second.providerId).toBe(first.providerId);
    expect(cloud.living()).toHaveLength(1);
  });

  test("without a price that is known, without stock, without money", async () => {
    const { cloud, provider, context, offer, spec } = await open();
    const chosen = await offer("n3-RTX-A6000x1-spot");
    cloud.setStock(chosen.type, 0);
    await expect(provider.launch(spec(chosen, "t-a"), context)).rejects.toMatchObject({ fault: { kind: "no-capacity", scope: "offer" } });
    cloud.setStock(chosen.type, 1);
    cloud.switches.lowBalance = true;
    await expect(provider.launch(spec(chosen, "t-a"), context)).rejects.toMatchObject(fails("quota"));
    const tooLittle = { ...chosen.price, micros: chosen.price.micros - 1n };
    await expect(provider.launch(spec(chosen, "t-a", { maxPrice: tooLittle }), context)).rejects.toMatchObject(fails("price-too-low"));
    const cny = { micros: 99_000_000n, currency: "CNY" };
    await expect(provider.launch(spec(chosen, "t-a", { maxPrice: cny }), context)).rejects.toMatchObject(fails("price-too-low"));
    expect(cloud.living()).toEqual([]);
  });

  test("a volume that another machine holds is found out before anything is rented", async () => {
    const { cloud, provider, context, offer, spec, running, volume } = await open();
    const { providerId } = await running();
    const disk = await volume(providerId);
    const volumes = [{ providerVolumeId: disk, mount: "/data" }];
    await expect(provider.launch(spec(await offer("n3-RTX-A6000x1-spot"), "t-x", { volumes }), context)).rejects.toMatchObject(
      fails("conflict"),
    );
    const none = [{ providerVolumeId: "4711", mount: "/data" }];
    await expect(provider.launch(spec(await offer("n3-RTX-A6000x1-spot"), "t-x", { volumes: none }), context)).rejects.toMatchObject(
      fails("not-found"),
    );
    expect(cloud.living()).toHaveLength(1);
  });
});

describe("the way in", () => {
  test("is known when the address is attached, not before", async () => {
    const { provider, context, offer, spec, clock, get, settle } = await open({ delays: { addressMs: 5_000 } });
    const { providerId } = await provider.launch(
      spec(await offer("n3-RTX-A6000x1-spot"), "t-a", { ports: [{ port: 8000, protocol: "http" }] }),
      context,
    );
    await settle();
    expect(await get(providerId)).toMatchObject({ state: "running", reach: null, endpoints: [] });
    clock.pass(5_000);
    const { reach, endpoints } = await get(providerId);
    expect(reach).toMatchObject({ kind: "ssh", port: 22, user: "ubuntu", password: null, alias: `hyperstack-${providerId}` });
    expect(endpoints).toEqual([{ port: 8000, address: `${reach?.kind === "ssh" ? reach.host : ""}:8000` }]);
  });

  test("a machine with a randomized port has none that anybody is told", async () => {
    const { cloud, running, get } = await open();
    const { providerId } = await running();
    Object.assign(cloud.vm(providerId), { portRandomization: true });
    expect((await get(providerId)).reach).toBeNull();
  });

  test("what is no address is no way in", async () => {
    const { cloud, running, get } = await open();
    const { providerId } = await running();
    for (const address of ["-oProxyCommand=touch /tmp/x", "1.2.3.4;reboot", "1.2.3.4:0", "1.2.3.4:99999", "a b", ""]) {
      cloud.vm(providerId).floatingIp = address;
      expect((await get(providerId)).reach, address).toBeNull();
    }
    cloud.vm(providerId).floatingIp = "203.0.113.7:2222";
    expect((await get(providerId)).reach).toMatchObject({ host: "203.0.113.7", port: 2222 });
  });

  test("HYPERSTACK_SSH_USER is who logs in", async () => {
    const { another, running, context } = await open();
    const { providerId } = await running();
    const theirs = await another({ HYPERSTACK_SSH_USER: "ml" });
    expect((await theirs.get(providerId, context))?.reach).toMatchObject({ user: "ml" });
    expect((await (await another({ HYPERSTACK_SSH_USER: "" })).get(providerId, context))?.reach).toMatchObject({ user: "ubuntu" });
  });
});

describe("hibernation", () => {
  test("loses the scratch disk and the address, keeps the rest, and the address is read anew", async () => {
    const { cloud, running, hibernation, context, settle, get } = await open();
    const before = await running();
    const { ephemeral, root } = cloud.vm(before.providerId);
    await hibernation.hibernate(before.providerId, context);
    expect(await get(before.providerId)).toMatchObject({ state: "hibernating", reach: null });
    await settle();
    expect(await get(before.providerId)).toMatchObject({ state: "hibernated", reach: null });
    await hibernation.restore(before.providerId, context);
    expect(await get(before.providerId)).toMatchObject({ state: "restoring", reach: null });
    await settle();
    const after = await get(before.providerId);
    expect(after.reach).toMatchObject({ kind: "ssh" });
    expect(after.reach?.kind === "ssh" && after.reach.host).not.toBe(before.reach?.kind === "ssh" && before.reach.host);
    expect(cloud.vm(before.providerId).ephemeral).not.toBe(ephemeral);
    expect(cloud.vm(before.providerId).root).toBe(root);
  });

  test("with retainAddress it comes back where it was, and the address is billed meanwhile", async () => {
    const { cloud, running, hibernation, context, settle, get, clock } = await open();
    const before = await running();
    await hibernation.hibernate(before.providerId, context, { retainAddress: true });
    await settle();
    const billed = cloud.cost("address", before.providerId);
    clock.pass(3_600_000);
    expect(cloud.cost("address", before.providerId) - billed).toBeCloseTo(0.0067, 4);
    await hibernation.restore(before.providerId, context);
    await settle();
    expect((await get(before.providerId)).reach).toEqual(before.reach);
    expect(cloud.server.requests.find(({ path }) => path.endsWith("/hibernate"))?.query.get("retain_ip")).toBe("true");
  });

  test("volumes are taken off first, so that none of them is locked", async () => {
    const { cloud, running, volume, hibernation, context, settle, volumes, asked } = await open();
    const { providerId } = await running();
    const disk = await volume(providerId);
    const from = asked().length;
    await hibernation.hibernate(providerId, context);
    const steps = asked(from)
      .filter((one) => /volumes$|\/hibernate$/.test(one))
      .map((one) => one.split("/").at(-1));
    expect(steps).toEqual(["detach-volumes", "hibernate"]);
    expect(cloud.disk(disk).status).toBe("AVAILABLE");
    await settle();
    expect(await volumes.list(context)).toMatchObject([{ providerId: disk, rawState: "AVAILABLE", attachedTo: null, device: null }]);
    expect(cloud.vm(providerId).status).toBe("HIBERNATED");
  });

  test("volumes that do not come off end with the signal, and nothing is hibernated", async () => {
    const { cloud, running, volume, hibernation } = await open({ delays: { detachMs: Number.POSITIVE_INFINITY } });
    const { providerId } = await running();
    await volume(providerId);
    const own = new AbortController();
    const waiting = hibernation.hibernate(providerId, { signal: own.signal });
    setTimeout(() => own.abort(), 100);
    await expect(waiting).rejects.toMatchObject(fails("unavailable"));
    expect(cloud.actionCount("hibernate", providerId)).toBe(0);
    expect(cloud.server.requests.filter(({ path }) => path.endsWith("/detach-volumes"))).toHaveLength(1);
  });

  test("a detach that was accepted is asked for once, however long it takes to be seen", async () => {
    const { cloud, running, volume, hibernation } = await open();
    const { providerId } = await running();
    await volume(providerId);
    const isDetach = ({ path }: { readonly path: string }) => path.endsWith("/detach-volumes");
    cloud.server.disturb({ match: isDetach, what: { do: "answer", answer: { status: 200, body: { status: true, message: "soon" } } } });
    const own = new AbortController();
    const waiting = hibernation.hibernate(providerId, { signal: own.signal });
    setTimeout(() => own.abort(), 200);
    await expect(waiting).rejects.toMatchObject(fails("unavailable"));
    expect(cloud.server.requests.filter(isDetach)).toHaveLength(1);
  });

  test("a flavor that cannot, by its features or by an older label, is never asked", async () => {
    const { cloud, running, hibernation, context } = await open();
    for (const type of ["n3-H100-SXM5x8-spot", "n1-RTX-A4000x1-spot"]) {
      const { providerId, canHibernate } = await running(type);
      expect(canHibernate).toBe(false);
      await expect(hibernation.hibernate(providerId, context)).rejects.toMatchObject(fails("unsupported"));
      expect(cloud.actionCount("hibernate", providerId)).toBe(0);
    }
    expect((await running("n3-A100x1-spot")).canHibernate).toBe(true);
  });

  test("a 400 that says it never can is unsupported, one that says later is a conflict", async () => {
    const { cloud, running, hibernation, context } = await open();
    const { providerId } = await running();
    cloud.switches.refuseHibernate = "This flavor does not support hibernation.";
    await expect(hibernation.hibernate(providerId, context)).rejects.toMatchObject(fails("unsupported"));
    cloud.switches.refuseHibernate = "Something else is going on here.";
    await expect(hibernation.hibernate(providerId, context)).rejects.toMatchObject(fails("conflict"));
    expect(cloud.vm(providerId).status).toBe("ACTIVE");
  });

  test("a 200 that says no, and a page for people, are no success", async () => {
    const { cloud, running, hibernation, context } = await open();
    const { providerId } = await running();
    const match = ({ path }: { readonly path: string }) => path.endsWith("/hibernate");
    const answers = [
      [{ status: false, message: "The VM hibernation process is still going on. Please try later." }, "conflict"],
      ["<html>please log in</html>", "protocol"],
    ] as const;
    for (const [body, kind] of answers) {
      cloud.server.disturb({ match, what: { do: "answer", answer: { status: 200, body } } });
      await expect(hibernation.hibernate(providerId, context)).rejects.toMatchObject(fails(kind));
    }
    expect(cloud.actionCount("hibernate", providerId)).toBe(0);
  });

  test("restore without stock is no capacity whatever the text, and it stays hibernated", async () => {
    const { cloud, running, hibernation, context, settle, get } = await open();
    const { providerId, type } = await running();
    await hibernation.hibernate(providerId, context);
    await expect(hibernation.restore(providerId, context)).rejects.toMatchObject(fails("conflict"));
    await settle();
    cloud.setStock(type, 0);
    for (const text of ["Nothing to be had", "The required hardware is taken", "invalid placement", "Out of stock"]) {
      cloud.switches.noStockText = text;
      await expect(hibernation.restore(providerId, context)).rejects.toMatchObject({
        fault: { kind: "no-capacity", scope: "offer" },
        message: text,
      });
      expect(await get(providerId)).toMatchObject({ state: "hibernated" });
    }
    cloud.setStock(type, 1);
    await hibernation.restore(providerId, context);
    await settle();
    expect(await get(providerId)).toMatchObject({ state: "running" });
  });

  test("a restore that is accepted and falls back is seen as what it becomes", async () => {
    const { cloud, running, hibernation, context, settle, get } = await open({ switches: { restoreWithoutStock: "fall-back" } });
    const { providerId, type } = await running();
    await hibernation.hibernate(providerId, context);
    await settle();
    cloud.setStock(type, 0);
    await hibernation.restore(providerId, context);
    await settle();
    expect(await get(providerId)).toMatchObject({ state: "hibernated" });
    cloud.switches.restoreWithoutStock = "fall-to-error";
    await hibernation.restore(providerId, context);
    await settle();
    expect(await get(providerId)).toMatchObject({ state: "failed", rawState: "ERROR", endedBy: null });
    expect(
      cloud.site.ledger.charges.filter(({ resource, to, kind }) => resource === providerId && to === null && kind === "machine"),
    ).toEqual([]);
  });
});

describe("volumes", () => {
  test("are attached to what runs, told by their device, and once is enough", async () => {
    const { cloud, running, volume, volumes, context, get } = await open();
    const { providerId } = await running();
    const first = await volume(providerId);
    const second = await volume(providerId);
    await volumes.attach?.(first, providerId, context);
    expect(cloud.server.requests.filter(({ path }) => path.endsWith("/attach-volumes"))).toHaveLength(2);
    const listed = await volumes.list(context);
    expect(listed.map((one) => [one.providerId, one.device, one.attachedTo])).toEqual([
      // The first letter is the scratch disk's.
      [first, "/dev/vdc", providerId],
      [second, "/dev/vdd", providerId],
    ]);
    expect((await get(providerId)).volumeIds).toEqual([first, second]);
    // 200 GB at the pricebook's rate, rounded once.
    expect(listed[0]?.pricePerHour).toEqual({ micros: 19_355n, currency: "USD" });
  });

  test("a name that the machine alone tells is found there, and a lasting one is handed on as it is", async () => {
    const { running, volume, volumes, context } = await open({ switches: { deviceNames: "by-id", volumesTellDevice: false } });
    const { providerId } = await running();
    const disk = await volume(providerId);
    expect(await volumes.list(context)).toMatchObject([
      { providerId: disk, device: expect.stringMatching(/^\/dev\/disk\/by-id\/virtio-\d+$/) },
    ]);
  });

  test("wait for a machine that is not ready, and for a volume that is not free", async () => {
    const { cloud, running, volume, volumes, context, provider, offer, spec } = await open();
    const disk = await volume();
    cloud.switches.holdProvisioning = true;
    const young = await provider.launch(spec(await offer("n3-RTX-A6000x1-spot", "CANADA-1"), "t-young"), context);
    await expect(volumes.attach?.(disk, young.providerId, context)).rejects.toMatchObject(fails("conflict"));
    cloud.switches.holdProvisioning = false;
    const { providerId } = await running();
    cloud.disk(disk).status = "RESERVED";
    await expect(volumes.attach?.(disk, providerId, context)).rejects.toMatchObject(fails("conflict"));
    await expect(volumes.remove(disk, context)).rejects.toMatchObject(fails("conflict"));
    await expect(volumes.attach?.("4711", providerId, context)).rejects.toMatchObject(fails("not-found"));
  });

  test("a launch does not begin with a volume that is reserved, whoever holds it", async () => {
    const { cloud, volume, context, provider, offer, spec } = await open();
    const disk = await volume();
    cloud.disk(disk).status = "RESERVED";
    const volumes = [{ providerVolumeId: disk, mount: "/data" }];
    const order = spec(await offer("n3-RTX-A6000x1-spot", "CANADA-1"), "t-late", { volumes });
    await expect(provider.launch(order, context)).rejects.toMatchObject(fails("conflict"));
    expect(cloud.living()).toEqual([]);
  });

  test("are not taken for deleted because a gateway says so", async () => {
    const { cloud, volume, volumes, context } = await open();
    const disk = await volume();
    const nowhere = { do: "answer", answer: { status: 404, body: "<html>no such page</html>" } } as const;
    cloud.server.disturb({ what: nowhere, match: ({ method }) => method === "DELETE" });
    await expect(volumes.remove(disk, context)).rejects.toMatchObject(fails("unavailable"));
    cloud.server.disturb({ what: nowhere, match: ({ method, path }) => method === "GET" && path.endsWith(`/volumes/${disk}`), times: 2 });
    await volumes.remove(disk, context);
    expect(cloud.volumes()).toEqual([]);
  });

  test("are free after a destroy, because they are taken off before", async () => {
    const { running, volume, volumes, context, provider, asked, settle } = await open({ delays: { reservedMs: Number.POSITIVE_INFINITY } });
    const { providerId } = await running();
    const disk = await volume(providerId);
    const from = asked().length;
    expect(await provider.destroy(providerId, context)).toBe("accepted");
    expect(asked(from).filter((one) => !one.startsWith("GET"))).toEqual([
      `POST /v1/core/virtual-machines/${providerId}/detach-volumes`,
      `DELETE /v1/core/virtual-machines/${providerId}`,
    ]);
    await settle();
    expect(await volumes.list(context)).toMatchObject([{ providerId: disk, rawState: "AVAILABLE", attachedTo: null }]);
  });

  test("a volume that does not come off does not keep the machine alive", async () => {
    const { cloud, running, volume, context, provider } = await open({ delays: { detachMs: Number.POSITIVE_INFINITY } });
    const { providerId } = await running();
    await volume(providerId);
    expect(await provider.destroy(providerId, context)).toBe("accepted");
    expect(cloud.living()).toEqual([]);
  });

  test("a volume of ours that is there already is the one that was to be made", async () => {
    const { cloud, volumes, context } = await open();
    const spec = { name: "data", token: "t-twice", sizeGb: 10, region: "CANADA-1", zone: "CANADA-1" };
    const first = await volumes.create(spec, context);
    expect((await volumes.create(spec, context)).providerId).toBe(first.providerId);
    expect(cloud.volumes()).toHaveLength(1);
  });
});

describe("a destroy", () => {
  test("that is refused only for now is unavailable", async () => {
    const { cloud, running, provider, context, settle } = await open();
    const { providerId } = await running();
    const made = await fetch(`${cloud.url}/core/virtual-machines/${providerId}/snapshots`, {
      method: "POST",
      headers: { api_key: cloud.env["HYPERSTACK_API_KEY"] ?? "", "content-type": "application/json" },
      body: JSON.stringify({ name: "s", description: "s" }),
    });
    expect(made.status).toBe(201);
    await expect(provider.destroy(providerId, context)).rejects.toMatchObject(fails("unavailable"));
    await settle();
    expect(await provider.destroy(providerId, context)).toBe("accepted");
    expect(await provider.destroy(providerId, context)).toBe("accepted");
    expect(cloud.server.requests.filter(({ method }) => method === "DELETE")).toHaveLength(2);
  });
});
