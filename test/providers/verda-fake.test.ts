import { describe, expect, onTestFinished, test } from "vitest";
import { moneyToDecimal } from "../../src/model/money.ts";
import { type FakeVerdaOptions, fakeVerda } from "../clouds/verda/verda.ts";
import { handClock } from "../local-cloud/hand-clock.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** A fake spoken to without an adapter: what it promises to be faithful in. */
async function cloud(options: Omit<FakeVerdaOptions, "clock"> = {}) {
  const clock = handClock(Date.UTC(2026, 4, 1));
  const delays = { ordered: 1000, provisioning: 1000, validating: 1000, deleting: 1000, shutdown: 1000, ...options.delays };
  const fake = await fakeVerda({ clock, ...options, delays, switches: { tokenSeconds: 10 ** 8, ...options.switches } });
  onTestFinished(() => fake.close());
  const { VERDA_CLIENT_ID: id, VERDA_CLIENT_SECRET: secret } = fake.env;
  const send = async (method: string, path: string, body?: unknown, token?: string) => {
    const answer = await fetch(`${fake.url}${path}`, {
      method,
      headers: { "content-type": "application/json", ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      // Plain text.
    }
    return { status: answer.status, text, json: json as never };
  };
  const login = await send("POST", "/oauth2/token", { grant_type: "client_credentials", client_id: id, client_secret: secret });
  const { access_token: token } = login.json as { readonly access_token: string };
  const call = (method: string, path: string, body?: unknown) => send(method, path, body, token);
  const order = (change: object = {}) =>
    call("POST", "/instances", {
      instance_type: "1A100.22V",
      image: "ubuntu-22.04",
      hostname: "box",
      description: "a box",
      location_code: "FIN-01",
      ssh_key_ids: [],
      is_spot: true,
      contract: "SPOT",
      ...change,
    });
  const running = async (change: object = {}) => {
    const { text } = await order(change);
    clock.advance(10_000);
    await fake.settle();
    return text;
  };
  const volume = async (change: object = {}) =>
    (await call("POST", "/volumes", { type: "NVMe", name: "disk", size: 10, location_code: "FIN-01", ...change })).text;
  const wire = async (path: string) => (await call("GET", path)).json as Readonly<Record<string, unknown>>;
  return { fake, clock, call, order, running, volume, wire };
}

describe("the fake of Verda", () => {
  test("bills machines in ten-minute steps in advance, those that are shut down in full, and volumes until they are deleted for good", async () => {
    const { fake, clock, call, running } = await cloud();
    const id = await running();
    const cost = () =>
      fake
        .bill()
        .filter(({ kind }) => kind === "instance")
        .map(({ from, to }) => [(to ?? clock.now()) - from, to === null]);
    expect(cost()).toEqual([[9_000, true]]);
    const perStep = 0.6445 / 6;
    const total = () => Number(moneyToDecimal(fake.total()));
    const volumes = (ms: number) => (0.0137 * ms) / HOUR_MS;
    expect(total()).toBeCloseTo(perStep + volumes(10_000), 4);
    await call("PUT", "/instances", { action: "shutdown", id });
    clock.advance(25 * MINUTE_MS);
    expect((await call("GET", `/instances/${id}`)).json).toMatchObject({ status: "offline" });
    expect(total()).toBeCloseTo(3 * perStep + volumes(25 * MINUTE_MS + 10_000), 4);
    await call("PUT", "/instances", { action: "delete", id, volume_ids: [] });
    clock.advance(10 * HOUR_MS);
    await fake.settle();
    expect(fake.living()).toEqual([]);
    const after = total();
    clock.advance(HOUR_MS);
    // The root volume was kept, and goes on costing.
    expect(total() - after).toBeCloseTo(0.0137, 4);
  });

  test.each([
    [undefined, [true, false]],
    [null, [true, false]],
    [[], [false, false]],
    ["data", [false, true]],
    ["both", [true, true]],
  ] as const)("volume_ids %j: root and data in the trash are %j", async (given, expected) => {
    const { fake, clock, call, running, volume, wire } = await cloud();
    const data = await volume();
    const id = await running({ existing_volumes: [data] });
    const { os_volume_id: root } = await wire(`/instances/${id}`);
    const ids = given === "data" ? [data] : given === "both" ? [root, data] : given;
    expect(
      await call("PUT", "/instances", { action: "delete", id: [id], ...(given === undefined ? {} : { volume_ids: ids }) }),
    ).toMatchObject({
      status: 202,
    });
    clock.advance(10_000);
    await fake.settle();
    const trash = new Map(fake.volumes().map(({ providerId, inTrash, attachedTo }) => [providerId, inTrash && attachedTo === null]));
    expect([trash.get(String(root)), trash.get(data)]).toEqual(expected);
  });

  test("deletes for good only what it is told, and empties the trash after 96 hours", async () => {
    const { fake, clock, call, running, wire } = await cloud();
    const id = await running();
    const { os_volume_id: root } = await wire(`/instances/${id}`);
    expect(await call("PUT", "/instances", { action: "delete", id: [id], delete_permanently: true })).toMatchObject({ status: 400 });
    await call("PUT", "/instances", { action: "delete", id: [id], volume_ids: [root], delete_permanently: true });
    clock.advance(10_000);
    await fake.settle();
    expect(fake.volumes()).toEqual([]);
    const other = await running();
    await call("PUT", "/instances", { action: "delete", id: [other] });
    clock.advance(95 * HOUR_MS);
    await fake.settle();
    expect(fake.volumes()).toMatchObject([{ inTrash: true }]);
    clock.advance(2 * HOUR_MS);
    await fake.settle();
    expect(fake.volumes()).toEqual([]);
  });

  test("answers several ids with 207 when some fail, and what is done already with 204", async () => {
    const { call, running, order, clock } = await cloud();
    const good = await running();
    const { text: young } = await order();
    clock.advance(1_500);
    const { status, json } = await call("PUT", "/instances", { action: "delete", id: [good, young, "nobody"], volume_ids: [] });
    expect(status).toBe(207);
    expect(json).toEqual([
      { action: "delete", instanceId: good, status: "success" },
      { action: "delete", instanceId: young, status: "error", error: "Can't discontinue a provisioning instance", statusCode: 400 },
      { action: "delete", instanceId: "nobody", status: "error", error: "Invalid instance id", statusCode: 400 },
    ]);
    expect(await call("PUT", "/instances", { action: "delete", id: good })).toMatchObject({ status: 204, text: "" });
  });

  test("takes a root volume as an image only while it is free, there, and not deleted", async () => {
    const { call, clock, running, wire, order } = await cloud();
    const id = await running();
    const { os_volume_id: root } = await wire(`/instances/${id}`);
    const attempt = (change: object = {}) => order({ image: root, ...change });
    expect(await attempt()).toMatchObject({ status: 400 });
    await call("PUT", "/instances", { action: "delete", id, volume_ids: [] });
    clock.advance(10_000);
    expect(await attempt({ location_code: "ICE-01" })).toMatchObject({ status: 400 });
    expect(await attempt()).toMatchObject({ status: 202 });
    const { text: second } = await order();
    clock.advance(10_000);
    const { os_volume_id: trashed } = await wire(`/instances/${second}`);
    await call("PUT", "/instances", { action: "delete", id: second });
    clock.advance(10_000);
    expect(await attempt({ image: trashed })).toMatchObject({ status: 400 });
  });

  test("attaches, detaches and deletes attached volumes only while the machine is off; volumes grow only", async () => {
    const { call, clock, running, volume } = await cloud();
    const data = await volume();
    const id = await running();
    const attach = () => call("PUT", "/volumes", { id: data, action: "attach", instance_id: id });
    expect(await attach()).toMatchObject({ status: 400 });
    await call("PUT", "/instances", { action: "shutdown", id });
    clock.advance(10_000);
    expect(await attach()).toMatchObject({ status: 202 });
    await call("PUT", "/instances", { action: "start", id });
    clock.advance(10_000);
    expect(await call("PUT", "/volumes", { id: data, action: "delete", is_permanent: true })).toMatchObject({ status: 400 });
    const other = await volume();
    expect(await call("PUT", "/volumes", { id: other, action: "resize", size: 5 })).toMatchObject({ status: 400 });
    expect(await call("PUT", "/volumes", { id: other, action: "resize", size: 50 })).toMatchObject({ status: 202 });
    expect(await call("PUT", "/volumes", { id: [other], action: "clone", name: "twin" })).toMatchObject({
      status: 202,
      json: [expect.any(String)],
    });
  });

  test("handles each volume of a reclaimed machine by its own policy, and knows the machine by its id for a while", async () => {
    const { fake, clock, call, running, volume } = await cloud();
    const data = await volume();
    for (const [policy, left] of [
      ["delete_permanently", []],
      ["move_to_trash", [{ isRoot: true, inTrash: true }]],
    ] as const) {
      const id = await running({ existing_volumes: [data], os_volume: { name: "os", size: 50, on_spot_discontinue: policy } });
      await fake.reclaim(id);
      expect(fake.volumes().filter(({ isRoot }) => isRoot)).toMatchObject(left);
      expect(fake.volumes().find(({ providerId }) => providerId === data)).toMatchObject({ attachedTo: null, inTrash: false });
      expect((await call("GET", "/instances")).json).toEqual([]);
      expect((await call("GET", "/instances?status=discontinued")).json).toMatchObject([{ id, status: "discontinued" }]);
      clock.advance(11 * MINUTE_MS);
      expect(await call("GET", `/instances/${id}`)).toMatchObject({ status: 400, json: { message: "Invalid instance id" } });
    }
    expect(await call("POST", "/instances", {})).toMatchObject({ status: 400 });
  });

  test("lowers the case of tags, takes each key once and ten of them", async () => {
    const { call, order, clock, wire } = await cloud();
    const { text: id } = await order({ tags: [{ key: "TEAM", value: "Vision" }] });
    expect((await wire(`/instances/${id}`))["tags"]).toMatchObject([{ key: "team", value: "Vision" }]);
    expect((await call("GET", "/instances?tag=team=Vision")).json).toMatchObject([{ id }]);
    expect(await call("POST", `/instances/${id}/tags`, { key: "Team" })).toMatchObject({ status: 409 });
    expect(await order({ tags: Array.from({ length: 11 }, (_, index) => ({ key: `k${index}` })) })).toMatchObject({ status: 400 });
    clock.advance(1);
    // Hostnames need not be unique.
    expect((await call("GET", "/instances")).json).toHaveLength(1);
    await order();
    expect((await call("GET", "/instances")).json).toMatchObject([{ hostname: "box" }, { hostname: "box" }]);
  });

  test("answers by id with arrays of one, and availability as a boolean or as a string", async () => {
    const { call, fake } = await cloud();
    const { text: key } = await call("POST", "/ssh-keys", {
      name: "k",
      key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcICQoLDA0ODxAREhMUFRYX",
    });
    expect((await call("GET", `/ssh-keys/${key}`)).json).toMatchObject([{ id: key }]);
    fake.switches.idForm = "quoted";
    const { text } = await call("POST", "/scripts", { name: "s", script: "#!/bin/sh\n" });
    expect((await call("GET", `/scripts/${text.replaceAll(/["\n]/g, "")}`)).json).toMatchObject([{ name: "s" }]);
    expect((await call("GET", "/instance-availability/1V100.6V")).text).toBe("true");
    expect((await call("GET", "/instance-availability/1A100.22V")).text).toBe('"true"');
  });

  test("refuses what it does not know: a field, a policy without spot, a script, a key, a volume", async () => {
    const { order } = await cloud();
    for (const change of [
      { user_data: "x" },
      { is_spot: false },
      { is_spot: false, contract: "PAY_AS_YOU_GO", os_volume: { name: "os", size: 1, on_spot_discontinue: "keep_detached" } },
      { startup_script_id: "nobody" },
      { ssh_key_ids: ["nobody"] },
      { ssh_key_ids: null },
      { existing_volumes: ["nobody"] },
      { hostname: "not a name" },
      { location_code: undefined },
      { description: "" },
      { tags: [{ key: "k".repeat(64) }] },
    ])
      expect((await order(change)).status, JSON.stringify(change)).toBe(400);
  });
});
