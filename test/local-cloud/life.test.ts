import { existsSync, readFileSync } from "node:fs";
import { platform } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { LaunchSpec, ProviderInstance, Reach } from "../../src/providers/provider.ts";
import { context, launchSpec, type RunningCloud, reached, runningCloud, until } from "./running-cloud.ts";

let cloud: RunningCloud;
beforeEach(async () => {
  cloud = await runningCloud();
});
afterEach(() => cloud.close());

async function running(
  change: Partial<LaunchSpec> = {},
): Promise<ProviderInstance & { readonly reach: Extract<Reach, { kind: "process" }> }> {
  const { providerId } = await cloud.provider.launch(await launchSpec(cloud.provider, "t-1", change), context);
  const found = await reached(cloud.provider, providerId, "running");
  if (found.reach?.kind !== "process") throw new Error("no way in");
  return { ...found, reach: found.reach };
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The number that the boot script has written into a file of its root. */
function pidIn(root: string, file: string): Promise<number> {
  return until(() => {
    const text = existsSync(join(root, file)) ? readFileSync(join(root, file), "utf8").trim() : "";
    return /^\d+$/.test(text) ? Number(text) : undefined;
  }, file);
}

interface Metadata {
  readonly url: string;
  readonly token: string;
}

function metadataOf(root: string): Metadata {
  const text = readFileSync(join(root, "metadata.env"), "utf8");
  const value = (name: string) => new RegExp(`^${name}=(.*)$`, "m").exec(text)?.[1] ?? "";
  return { url: value("SPOT_METADATA_URL"), token: value("SPOT_METADATA_TOKEN") };
}

async function ask({ url, token }: Metadata, path: string, method = "GET"): Promise<readonly [number, unknown]> {
  const response = await fetch(`${url}${path}`, { method, headers: { "x-spot-token": token } });
  return [response.status, await response.json()];
}

test("an instance gets its own environment and nothing of ours", async () => {
  const { reach, providerId } = await running({ env: { GREETING: "two words" }, bootScript: "env | sort; pwd; sleep 60" });
  const said = await until(() => {
    const text = readFileSync(reach.log, "utf8");
    return text.includes(`\n${reach.cwd}\n`) ? text : undefined;
  }, "its environment");
  const names = said.split("\n").flatMap((line) => /^([A-Z_]+)=/.exec(line)?.[1] ?? []);
  expect(names.filter((name) => !["OLDPWD", "PWD", "SHLVL", "_"].includes(name))).toEqual([
    "GREETING",
    "HOME",
    "LANG",
    "PATH",
    "SPOT_LOCAL_INSTANCE",
    "SPOT_ROOT",
    "TMPDIR",
  ]);
  expect(said).toContain(`SPOT_LOCAL_INSTANCE=${providerId}\n`);
  expect(reach.env).toMatchObject({ GREETING: "two words", SPOT_ROOT: reach.cwd });
});

test("a reclaim ends a process that left the session, and takes the root; the volume stays", async () => {
  const { offer } = await launchSpec(cloud.provider, "t-0");
  const disk = await cloud.provider.volumes?.create({ name: "d", token: "v", sizeGb: 1, region: offer.region, zone: offer.zone }, context);
  const leave = platform() === "linux" ? "setsid sh -c" : "sh -c";
  const { reach, providerId } = await running({
    volumes: [{ providerVolumeId: disk?.providerId ?? "", mount: "/data" }],
    bootScript: `echo kept > data/file; ${leave} 'echo $$ > stray; exec sleep 600' & trap '' TERM; echo $$ > leader; while :; do sleep 1; done`,
  });
  const stray = await pidIn(reach.cwd, "stray");
  const leader = await pidIn(reach.cwd, "leader");
  expect([isThere(stray), isThere(leader)]).toEqual([true, true]);
  await cloud.control.reclaim("job-t-1", { noticeSeconds: 0, kind: "reclaim" }, context.signal);
  const ended = await reached(cloud.provider, providerId, "gone");
  expect(ended).toMatchObject({ reason: "reclaimed", endedBy: "provider" });
  await until(() => (isThere(stray) || isThere(leader) ? undefined : true), "both processes to be gone");
  expect(existsSync(reach.cwd)).toBe(false);
  expect(readFileSync(join(disk?.localPath ?? "", "file"), "utf8")).toBe("kept\n");
});

test("the metadata endpoint tells of a notice, of its withdrawal, and nobody else", async () => {
  const { reach, providerId } = await running();
  const metadata = metadataOf(reach.cwd);
  expect((await ask(metadata, "/metadata/v1/notice"))[0]).toBe(404);
  const { notice } = await cloud.control.reclaim("job-t-1", { noticeSeconds: 100, kind: "reclaim" }, context.signal);
  const deadline = (notice?.deadline ?? 0) / 1000;
  expect(await ask(metadata, "/metadata/v1/notice")).toEqual([200, { kind: "reclaim", deadline }]);
  expect((await ask({ ...metadata, token: "wrong" }, "/metadata/v1/notice"))[0]).toBe(401);
  expect((await ask({ ...metadata, token: "" }, "/metadata/v1/notice"))[0]).toBe(401);
  await reached(cloud.provider, providerId, "reclaiming");
  await cloud.control.withdraw(providerId, context.signal);
  expect((await ask(metadata, "/metadata/v1/notice"))[0]).toBe(404);
  await reached(cloud.provider, providerId, "running");
});

test("a rebalance warning leaves the instance alone", async () => {
  const { providerId } = await running();
  await cloud.control.reclaim("job-t-1", { noticeSeconds: 0, kind: "rebalance" }, context.signal);
  const found = await cloud.provider.get(providerId, context);
  expect(found).toMatchObject({ state: "running", notice: { kind: "rebalance" } });
});

test("an instance ends itself through the metadata endpoint", async () => {
  const { reach, providerId } = await running();
  expect((await ask(metadataOf(reach.cwd), "/metadata/v1/terminate", "POST"))[0]).toBe(202);
  expect(await reached(cloud.provider, providerId, "gone")).toMatchObject({ reason: "guest-shutdown", endedBy: "guest" });
});

test("a boot script that ends shuts its machine down, its exit code is kept, and its log too", async () => {
  const { providerId } = await cloud.provider.launch(
    await launchSpec(cloud.provider, "t-1", { bootScript: "echo last words; exit 3" }),
    context,
  );
  const ended = await reached(cloud.provider, providerId, "gone");
  expect(ended).toMatchObject({ reason: "guest-shutdown (exit code 3)", endedBy: "guest" });
  expect(ended.reach?.kind === "process" && readFileSync(ended.reach.log, "utf8")).toBe("last words\n");
});

test("the time to live ends it", async () => {
  const { providerId } = await cloud.provider.launch(await launchSpec(cloud.provider, "t-1", { ttlSeconds: 1 }), context);
  expect(await reached(cloud.provider, providerId, "gone")).toMatchObject({ reason: "ttl", endedBy: "user" });
});

test("hibernation keeps the disk, forgets what lives in memory, and comes back at another address", async () => {
  const { reach, providerId } = await running({
    bootScript: 'mkdir -p run; ls run > seen; echo run >> starts; touch run/pid; echo done > "$SPOT_ROOT/ready"; sleep 60',
  });
  await until(() => (existsSync(join(reach.cwd, "ready")) ? true : undefined), "the first start");
  const before = (await cloud.control.instances(context.signal))[0];
  await cloud.provider.hibernation?.hibernate(providerId, context);
  await reached(cloud.provider, providerId, "hibernated");
  expect(readFileSync(join(reach.cwd, "starts"), "utf8")).toBe("run\n");
  await cloud.provider.hibernation?.restore(providerId, context);
  await reached(cloud.provider, providerId, "running");
  await until(() => (readFileSync(join(reach.cwd, "starts"), "utf8") === "run\nrun\n" ? true : undefined), "the second start");
  expect(readFileSync(join(reach.cwd, "seen"), "utf8")).toBe("");
  expect((await cloud.control.instances(context.signal))[0]?.address).not.toBe(before?.address);
});

test("the schedule reclaims as often as it says, and no more", async () => {
  await cloud.control.setMarket({ schedule: [{ afterSeconds: 0, noticeSeconds: 0, times: 1 }] }, context.signal);
  const first = await cloud.provider.launch(await launchSpec(cloud.provider, "t-1"), context);
  expect(await reached(cloud.provider, first.providerId, "gone")).toMatchObject({ reason: "reclaimed" });
  const second = await cloud.provider.launch(await launchSpec(cloud.provider, "t-2"), context);
  await reached(cloud.provider, second.providerId, "running");
  expect((await cloud.control.market(context.signal)).schedule).toMatchObject([{ times: 0 }]);
  expect((await cloud.provider.get(second.providerId, context))?.notice).toBeNull();
});

test("the hazard reclaims spot instances, never those on demand", async () => {
  const spot = await running();
  const offers = await cloud.provider.offers({ gpuModel: "A10G" }, context);
  const offer = offers.find(({ billing }) => billing === "on-demand");
  if (offer === undefined) throw new Error("no offer");
  const fixed = await cloud.provider.launch(await launchSpec(cloud.provider, "t-2", { offer, maxPrice: null }), context);
  await reached(cloud.provider, fixed.providerId, "running");
  await cloud.control.setMarket({ hazardPerHour: 3600, profile: "gcp" }, context.signal);
  const noticed = await reached(cloud.provider, spot.providerId, "reclaiming");
  expect(noticed.notice?.kind).toBe("reclaim");
  expect(await cloud.provider.get(fixed.providerId, context)).toMatchObject({ state: "running", notice: null });
  await expect(cloud.control.reclaim("job-t-2", { noticeSeconds: 0, kind: "reclaim" }, context.signal)).rejects.toMatchObject({
    fault: { kind: "conflict" },
  });
});
