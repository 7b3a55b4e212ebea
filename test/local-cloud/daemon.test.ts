import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { ownLocalSocket } from "../../src/platform/local-socket.ts";
import { localControl } from "../../src/providers/local/control.ts";
import { localProvider } from "../../src/providers/local/provider.ts";
import { clientsOf, context, launchSpec, reached, until } from "./running-cloud.ts";

// Below this folder, so that the bundle finds the packages that stay outside it.
const bundleFolder = mkdtempSync(join(import.meta.dirname, ".bundle-"));
const program = join(bundleFolder, "daemon.mjs");

beforeAll(async () => {
  await build({
    entryPoints: [join(import.meta.dirname, "daemon-entry.ts")],
    outfile: program,
    bundle: true,
    format: "esm",
    platform: "node",
    packages: "external",
  });
});
afterAll(() => rmSync(bundleFolder, { recursive: true, force: true }));

/** A home whose cloud, and everything in it, ends with the test: the daemon notices that its home is gone. */
function newHome(below = ""): string {
  const top = mkdtempSync(join(tmpdir(), "spot-daemon-"));
  const home = join(top, below);
  onTestFinished(async () => {
    const { control } = clientsOf(home);
    await control.reset(context.signal).catch(() => {});
    await control.shutdown(true, context.signal).catch(() => {});
    const socket = ownLocalSocket(home);
    if (!socket.startsWith(home)) rmSync(dirname(socket), { recursive: true, force: true });
    // The daemon may still be closing its files.
    rmSync(top, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  });
  return home;
}

interface Daemon {
  readonly child: ChildProcess;
  /** What it said first. */
  readonly said: Promise<string>;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
}

function startDaemon(home: string): Daemon {
  const child = spawn(process.execPath, [program], {
    env: { PATH: process.env["PATH"], SPOT_HOME: home },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const said = new Promise<string>((resolve) => child.stdout.once("data", (chunk) => resolve(String(chunk).trim())));
  const ended = new Promise<number | string>((resolve) => child.once("exit", (code, signal) => resolve(code ?? signal ?? "lost")));
  return { child, said, ended };
}

async function killDaemon(daemon: Daemon): Promise<void> {
  daemon.child.kill("SIGKILL");
  expect(await daemon.ended).toBe("SIGKILL");
}

async function quick(home: string): Promise<void> {
  await clientsOf(home).control.setMarket({ provisioningMs: 10, stock: { "rtx4090.1": 100 } }, context.signal);
}

const TELL_PID = "echo $$ > pid; while :; do sleep 0.1; done";

async function pidOf(root: string): Promise<number> {
  return until(() => {
    const text = existsSync(join(root, "pid")) ? readFileSync(join(root, "pid"), "utf8").trim() : "";
    return text === "" ? undefined : Number(text);
  }, "the instance's process");
}

test("after kill -9 it comes back with what still runs, on the same metadata port, and can end it", async () => {
  const home = newHome();
  const first = startDaemon(home);
  expect(await first.said).toBe("serving");
  await quick(home);
  const before = clientsOf(home);
  const { providerId } = await before.provider.launch(await launchSpec(before.provider, "t-1", { bootScript: TELL_PID }), context);
  const { reach } = await reached(before.provider, providerId, "running");
  if (reach?.kind !== "process") throw new Error("no way in");
  const pid = await pidOf(reach.cwd);
  const { metadataPort } = await before.control.health(context.signal);
  await killDaemon(first);

  const second = startDaemon(home);
  expect(await second.said).toBe("serving");
  const after = clientsOf(home);
  expect(await after.provider.get(providerId, context)).toMatchObject({ state: "running", token: "t-1" });
  expect((await after.control.health(context.signal)).metadataPort).toBe(metadataPort);
  expect(() => process.kill(pid, 0)).not.toThrow();
  // It is watched although it is no child of this daemon.
  process.kill(pid, "SIGKILL");
  expect(await reached(after.provider, providerId, "gone")).toMatchObject({ reason: "guest-shutdown" });
});

test("what ended while no daemon looked is lost, and reclaimed when its deadline passed", async () => {
  const home = newHome();
  const first = startDaemon(home);
  await first.said;
  await quick(home);
  const { provider, control } = clientsOf(home);
  const ids: string[] = [];
  for (const token of ["t-1", "t-2", "t-3"]) {
    const { providerId } = await provider.launch(await launchSpec(provider, token, { bootScript: TELL_PID }), context);
    const { reach } = await reached(provider, providerId, "running");
    if (reach?.kind !== "process") throw new Error("no way in");
    ids.push(providerId);
    if (token !== "t-3") await pidOf(reach.cwd);
  }
  await control.reclaim("job-t-2", { noticeSeconds: 1, kind: "reclaim" }, context.signal);
  await control.reclaim("job-t-3", { noticeSeconds: 1, kind: "reclaim" }, context.signal);
  const roots = ids.map((id) => join(home, "local", "instances", id, "root"));
  await killDaemon(first);
  // The third one goes on past its deadline, since nobody ends it.
  for (const root of roots.slice(0, 2)) process.kill(await pidOf(root), "SIGKILL");
  const third = await pidOf(roots[2] ?? "");
  await systemClock.sleep(2100);
  expect(() => process.kill(third, 0)).not.toThrow();

  const second = startDaemon(home);
  await second.said;
  const after = clientsOf(home);
  const reasons: (string | null)[] = [];
  for (const id of ids) reasons.push((await reached(after.provider, id, "gone")).reason);
  expect(reasons).toEqual(["lost", "reclaimed", "reclaimed"]);
  expect(roots.map((root) => existsSync(root))).toEqual([false, false, false]);
  expect(await after.provider.billing?.billed(Date.now(), context)).toEqual([]);
});

test("when the metadata port is taken meanwhile, it takes another one and tells the instances", async () => {
  const home = newHome();
  const first = startDaemon(home);
  await first.said;
  await quick(home);
  const before = clientsOf(home);
  const { providerId } = await before.provider.launch(await launchSpec(before.provider, "t-1"), context);
  const { reach } = await reached(before.provider, providerId, "running");
  if (reach?.kind !== "process") throw new Error("no way in");
  const { metadataPort } = await before.control.health(context.signal);
  await killDaemon(first);
  const squatter: Server = createServer().listen(metadataPort, "127.0.0.1");
  onTestFinished(() => void squatter.close());
  const second = startDaemon(home);
  await second.said;
  const health = await clientsOf(home).control.health(context.signal);
  expect(health.metadataPort).not.toBe(metadataPort);
  expect(readFileSync(join(reach.cwd, "metadata.env"), "utf8")).toContain(`SPOT_METADATA_URL=http://127.0.0.1:${health.metadataPort}\n`);
});

test("of many daemons that start at once, one serves and the others end quietly", async () => {
  const home = newHome();
  const daemons = Array.from({ length: 6 }, () => startDaemon(home));
  const said = await Promise.all(daemons.map((daemon) => daemon.said));
  expect(said.filter((text) => text === "serving")).toHaveLength(1);
  const losers = daemons.filter((_, index) => said[index] !== "serving");
  expect(await Promise.all(losers.map(({ ended }) => ended))).toEqual([0, 0, 0, 0, 0]);
  const winner = daemons[said.indexOf("serving")];
  expect((await clientsOf(home).control.health(context.signal)).pid).toBe(winner?.child.pid);
});

test("killed at any moment of a launch, it leaves no process that no record knows", async () => {
  const home = newHome();
  for (let round = 0; round < 12; round++) {
    const daemon = startDaemon(home);
    expect(await daemon.said).toBe("serving");
    await quick(home);
    const { provider } = clientsOf(home);
    const launching = provider.launch(await launchSpec(provider, `t-${round}`), context).catch(() => undefined);
    await systemClock.sleep(round * 4);
    await killDaemon(daemon);
    await launching;
  }
  const last = startDaemon(home);
  await last.said;
  const { provider } = clientsOf(home);
  await until(
    async () => ((await provider.list(context)).some(({ state }) => state === "provisioning") ? undefined : true),
    "all to settle",
  );
  const known = new Set((await provider.list(context)).filter(({ state }) => state === "running").map(({ providerId }) => providerId));
  const alive = await until(() => {
    const found = livingBootScripts(home);
    return found.length === known.size ? found : undefined;
  }, "the processes to be those of the records");
  expect(new Set(alive)).toEqual(known);
});

/** The ids of this home's instances whose boot script some living process runs. */
function livingBootScripts(home: string): readonly string[] {
  const ids = execFileSync("ps", ["-axww", "-o", "args="], { encoding: "utf8" }).matchAll(/\/instances\/(li-[0-9a-z]+)\/boot\.sh/g);
  return [...ids].map(([, id = ""]) => id).filter((id) => existsSync(join(home, "local", "instances", id)));
}

test("the first call starts it, the socket is private, and two first calls at once share one", async () => {
  const home = newHome();
  const world = { env: { PATH: process.env["PATH"] }, home, selfCommand: [process.execPath, program], clock: systemClock };
  const [one, two] = await Promise.all([localProvider(world).offers({}, context), localProvider(world).offers({}, context)]);
  expect(one.length).toBeGreaterThan(0);
  expect(two).toHaveLength(one.length);
  expect(statSync(ownLocalSocket(home)).mode & 0o777).toBe(0o600);
  expect(statSync(dirname(ownLocalSocket(home))).mode & 0o777).toBe(0o700);
});

test("a first call that comes while the last daemon is on its way out starts another one", async () => {
  const home = newHome();
  for (let round = 0; round < 5; round++) {
    const world = { env: { PATH: process.env["PATH"] }, home, selfCommand: [process.execPath, program], clock: systemClock };
    expect((await localProvider(world).offers({}, context)).length).toBeGreaterThan(0);
    await clientsOf(home).control.shutdown(false, context.signal);
  }
});

test("a home too deep for a socket's name is served all the same", async () => {
  const home = newHome(`${"deep/".repeat(30)}home`);
  mkdirSync(home, { recursive: true });
  expect(Buffer.byteLength(join(home, "local", "cloud.sock"))).toBeGreaterThan(108);
  const daemon = startDaemon(home);
  expect(await daemon.said).toBe("serving");
  expect(Buffer.byteLength(ownLocalSocket(home))).toBeLessThanOrEqual(100);
  expect((await clientsOf(home).control.health(context.signal)).pid).toBe(daemon.child.pid);
  await killDaemon(daemon);
  expect(await startDaemon(home).said).toBe("serving");
});

test("a daemon whose socket was swept away makes room for the next one, which takes over its instances", async () => {
  const home = newHome();
  const first = startDaemon(home);
  await first.said;
  await quick(home);
  const { provider } = clientsOf(home);
  const { providerId } = await provider.launch(await launchSpec(provider, "t-1", { bootScript: TELL_PID }), context);
  await reached(provider, providerId, "running");
  rmSync(ownLocalSocket(home));
  expect(await first.ended).toBe(0);
  await startDaemon(home).said;
  expect(await clientsOf(home).provider.get(providerId, context)).toMatchObject({ state: "running" });
});

test("when it cannot start, whoever needed it is told why", async () => {
  const top = newHome();
  const home = join(top, "file", "home");
  writeFileSync(join(top, "file"), "not a folder");
  const world = { env: { PATH: process.env["PATH"] }, home, selfCommand: [process.execPath, program], clock: systemClock };
  await expect(localProvider(world).list(context)).rejects.toMatchObject({
    fault: { kind: "unavailable" },
    message: expect.stringMatching(/could not be started: ENOTDIR.*file/),
  });
});

test("it refuses to stop while an instance runs, unless forced, and ends with its home", async () => {
  const home = newHome();
  const daemon = startDaemon(home);
  await daemon.said;
  await quick(home);
  const { provider } = clientsOf(home);
  const control = localControl({ env: {}, home, selfCommand: ["false"], clock: systemClock }, { autoStart: false });
  const { providerId } = await provider.launch(await launchSpec(provider, "t-1", { bootScript: TELL_PID }), context);
  const { reach } = await reached(provider, providerId, "running");
  if (reach?.kind !== "process") throw new Error("no way in");
  const pid = await pidOf(reach.cwd);
  await expect(control.shutdown(false, context.signal)).rejects.toMatchObject({ fault: { kind: "conflict" } });
  rmSync(home, { recursive: true, force: true });
  expect(await daemon.ended).toBe(0);
  expect(() => process.kill(pid, 0)).toThrow();

  const again = startDaemon(home);
  await again.said;
  await quick(home);
  await provider.launch(await launchSpec(provider, "t-2"), context);
  await clientsOf(home).control.shutdown(true, context.signal);
  expect(await again.ended).toBe(0);
});
