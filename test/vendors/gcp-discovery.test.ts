import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Offer } from "../../src/model/offer.ts";
import { gcpProvider } from "../../src/providers/gcp/provider.ts";
import type { LaunchSpec, Provider } from "../../src/providers/provider.ts";
import type { FakeRequest } from "../clouds/fake-server.ts";
import { type SteppedClock, steppedClock } from "../clouds/gcp/clock.ts";
import { discoveryOrSkip } from "../clouds/gcp/discovery.ts";
import { type FakeGcp, fakeGcp } from "../clouds/gcp/fake.ts";
import { ROUTES } from "../clouds/gcp/routes.ts";
import * as shapes from "../clouds/gcp/shapes.ts";
import { ATTACHED_DISK, type Fields, INSTANCE, type Shape } from "../clouds/gcp/shapes.ts";

const document = discoveryOrSkip(
  "the imitation of Compute Engine, and what the adapter sends, against Google's own description of the API",
);

type Schema = ReturnType<NonNullable<typeof document>["schema"]>;

/** What a shape of ours has that the document's schema has not, or has otherwise. */
function differences(shape: Shape, schema: Schema, path: string): readonly string[] {
  const resolved = schema?.$ref === undefined ? schema : document?.schema(schema.$ref);
  if (resolved === undefined) return [`${path}: not in the document`];
  const unless = (isRight: boolean) =>
    isRight ? [] : [`${path}: ${JSON.stringify(shape)}, in the document ${resolved.type} ${resolved.format ?? ""}`];
  if (shape === "int64" || shape === "byte") return unless(resolved.type === "string" && resolved.format === shape);
  if (typeof shape === "string") return unless(resolved.type === shape && resolved.format !== "int64");
  if ("oneOf" in shape) return unless(shape.oneOf.toSorted().join() === [...(resolved.enum ?? [])].toSorted().join());
  if ("listOf" in shape) return resolved.type === "array" ? differences(shape.listOf, resolved.items, `${path}[]`) : unless(false);
  if ("mapOf" in shape) return differences(shape.mapOf, resolved.additionalProperties, `${path}.*`);
  return fieldDifferences(shape, resolved, path);
}

function fieldDifferences({ schema: name, fields }: Fields, schema: Schema, path: string): readonly string[] {
  const named = name === null ? schema : document?.schema(name);
  const wrongName = name !== null && named !== schema && schema !== undefined ? [`${path}: is no ${name}`] : [];
  return [
    ...wrongName,
    ...Object.entries(fields).flatMap(([key, shape]) => differences(shape, named?.properties?.[key], `${path}.${key}`)),
  ];
}

const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUm spot";
const context = { signal: new AbortController().signal };

function spec(offer: Offer, token: string, change: Partial<LaunchSpec> = {}): LaunchSpec {
  return {
    name: "trainer",
    token,
    offer,
    maxPrice: offer.price,
    image: null,
    volumes: [],
    env: { A: "b" },
    bootScript: "#!/bin/sh\necho up\n",
    sshKey: KEY,
    ports: [{ port: 8080, protocol: "tcp" }],
    registryAuth: null,
    rootVolumeId: null,
    ttlSeconds: 3_600,
    labels: { team: "Vision" },
    ...change,
  };
}

interface Bench {
  readonly clock: SteppedClock;
  readonly cloud: FakeGcp;
  readonly provider: Provider;
}

async function bench(env: Readonly<Record<string, string>> = {}): Promise<Bench> {
  const home = mkdtempSync(join(tmpdir(), "spot-gcp-"));
  const clock = steppedClock();
  const cloud = await fakeGcp({ clock, ...(document === undefined ? {} : { document }) });
  onTestFinished(async () => {
    await cloud.close();
    rmSync(home, { recursive: true, force: true });
  });
  return { clock, cloud, provider: await gcpProvider({ env: { ...cloud.env, ...env }, home, clock }) };
}

describe.skipIf(document === undefined)("Google's discovery document", () => {
  test("has every field of a body that the imitation reads, of the same type and with the same words", () => {
    const beta = [...Object.entries(shapes.BETA_SCHEDULING.fields)].filter(([key]) => !Object.hasOwn(shapes.SET_SCHEDULING.fields, key));
    expect(beta.map(([key]) => key)).toEqual(["preemptionNoticeDuration"]);
    const all = [
      INSTANCE,
      ATTACHED_DISK,
      shapes.DISK,
      shapes.SNAPSHOT,
      shapes.FIREWALL,
      shapes.SET_LABELS,
      shapes.SET_DISK_LABELS,
      shapes.SET_GLOBAL_LABELS,
      shapes.SET_METADATA,
      shapes.SET_TAGS,
      shapes.SET_SCHEDULING,
    ];
    expect(all.flatMap((shape) => fieldDifferences(shape, undefined, shape.schema ?? ""))).toEqual([]);
  });

  test("has every method of the imitation, with just these parameters", () => {
    const nothing = { status: 200, body: {} };
    const problems = ROUTES.flatMap(({ method, path, query }) => {
      const filled = `/compute/v1/projects/p${path === "" ? "" : `/${path.replace(/\{\w+\}/g, "x")}`}`;
      const request = {
        method,
        path: filled,
        query: new URLSearchParams(query.map((name) => [name, "true"] satisfies [string, string])),
        headers: {},
        body: "",
        json: () => undefined,
      };
      return document?.problems(request satisfies FakeRequest, nothing) ?? [];
    });
    expect(problems).toEqual([]);
  });

  test("finds what is wrong with a request and with an answer", () => {
    const path = "/compute/v1/projects/p/zones/z/instances";
    const request = (body: object, query = ""): FakeRequest => ({
      method: "POST",
      path,
      query: new URLSearchParams(query),
      headers: {},
      body: JSON.stringify(body),
      json: () => body,
    });
    const said = (body: object, query = "", answer: object = {}) =>
      (document?.problems(request(body, query), { status: 200, body: answer }) ?? []).map((one) => one.replace(`POST ${path}: `, ""));
    expect(said({ name: "x", disks: [{ diskSizeGb: 10 }] })).toEqual([]);
    expect(said({ name: 1, gpus: 2 })).toEqual(["request name: a string, not 1", "request gpus: no such field"]);
    expect(said({ scheduling: { provisioningModel: "spot" } })[0]).toMatch(/^request scheduling.provisioningModel: a value of the enum/);
    expect(said({}, "requestID=1")).toEqual(["query requestID: no such parameter"]);
    expect(said({}, "", { id: 12 })).toEqual(["answer id: a string, not 12"]);
    expect(said({}, "", { status: "FINISHED" })[0]).toMatch(/^answer status/);
    expect(document?.problems({ ...request({}), path: `${path}s` }, { status: 200 })).toHaveLength(1);
  });

  test("agrees with a whole life of what the adapter sends, and with what it is answered", async () => {
    const { clock, cloud, provider } = await bench();
    const [offer] = (await provider.offers({ gpuModel: "L4", gpuCount: 1 }, context)).filter(({ zone }) => zone === "us-central1-a");
    if (offer === undefined || provider.volumes?.snapshots === undefined) throw new Error("there is nothing to rent");
    const { region, zone } = offer;
    const volume = await provider.volumes.create({ name: "data", token: "t-v1", sizeGb: 50, region, zone }, context);
    clock.pass(1_000);
    const volumes = [{ providerVolumeId: volume.providerId, mount: "/data" }];
    const { providerId } = await provider.launch(spec(offer, "t-1", { volumes }), context);
    clock.pass(1_000);
    expect(await provider.get(providerId, context)).toMatchObject({ state: "running", token: "t-1", volumeIds: [volume.providerId] });
    const snapshot = await provider.volumes.snapshots.create(volume.providerId, { name: "s", token: "t-s1" }, context);
    clock.pass(1_000);
    expect(await provider.volumes.snapshots.list(context)).toMatchObject([{ providerId: snapshot.providerId, state: "ready" }]);
    const fromSnapshotId = snapshot.providerId;
    const copy = await provider.volumes.create({ name: "copy", token: "t-v2", sizeGb: 50, region, zone, fromSnapshotId }, context);
    await cloud.reclaim(providerId);
    clock.pass(1_000);
    expect(await provider.list(context)).toMatchObject([{ providerId, state: "stopped", endedBy: "provider" }]);
    await provider.destroy(providerId, context);
    clock.pass(1_000);
    expect(await provider.get(providerId, context)).toBeUndefined();
    await provider.volumes.snapshots.remove(snapshot.providerId, context);
    for (const one of [volume, copy]) await provider.volumes.remove(one.providerId, context);
    clock.pass(1_000);
    expect([cloud.living(), cloud.volumes(), cloud.snapshots()]).toEqual([[], [], []]);
    expect(cloud.complaints).toEqual([]);
    expect(cloud.server.requests.filter(({ path }) => path.startsWith("/compute/v1/")).length).toBeGreaterThan(15);
  });

  test("agrees with a machine of type N1 beside GPUs, a refusal and a stock-out", async () => {
    const { cloud, provider } = await bench();
    const [offer] = (await provider.offers({ gpuModel: "T4", gpuCount: 1 }, context)).filter(({ zone }) => zone === "us-central1-a");
    if (offer === undefined) throw new Error("there is nothing to rent");
    await provider.launch(spec(offer, "t-1"), context);
    cloud.setStock("nvidia-tesla-t4", 0);
    await expect(provider.launch(spec(offer, "t-2"), context)).rejects.toMatchObject({ fault: { kind: "no-capacity" } });
    cloud.switches.stockOutBy = "http";
    await expect(provider.launch(spec(offer, "t-3"), context)).rejects.toMatchObject({ fault: { kind: "no-capacity" } });
    expect(cloud.living()).toMatchObject([{ token: "t-1" }]);
    expect(cloud.complaints).toEqual([]);
  });
});
