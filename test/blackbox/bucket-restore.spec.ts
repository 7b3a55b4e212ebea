import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { type FakeGcp, fakeGcp } from "../clouds/gcp/fake.ts";
import { machineRoom, machineRoomAvailable } from "../clouds/machine-room.ts";
import { s3rverS3 } from "../clouds/s3/servers.ts";
import { clearHome } from "../processes/spot.ts";
import { PACKAGE_ROOT } from "../world.ts";

const cleaning: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const clean of cleaning.splice(0).reverse()) await clean();
});

/** A server in front of another one; what it is asked of contents it keeps to itself while `isHeld`. */
async function holdingProxy(target: string): Promise<{ readonly url: string; isHeld: boolean; held: number }> {
  const to = new URL(target);
  const state = { url: "", isHeld: false, held: 0 };
  const server = createServer((asked, answer) => {
    const isContent = asked.method === "GET" && /\/(?:packs|data)\/[0-9a-f]{64}/.test(asked.url ?? "");
    if (state.isHeld && isContent) {
      state.held += 1;
      return;
    }
    const passed = request({ host: to.hostname, port: to.port, method: asked.method, path: asked.url, headers: asked.headers }, (said) => {
      answer.writeHead(said.statusCode ?? 500, said.headers);
      said.pipe(answer);
    });
    passed.on("error", () => answer.destroy());
    asked.pipe(passed);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleaning.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  state.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return state;
}

interface Said {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Rented machines with real agents behind SSH, a bucket at an S3 server, and the program in a home of its own. */
async function scene() {
  const machines = await machineRoom();
  cleaning.push(() => machines.close());
  const cloud = await fakeGcp({ clock: systemClock, machines });
  cleaning.push(() => cloud.close());
  const s3 = await s3rverS3();
  cleaning.push(() => s3.close());
  const proxy = await holdingProxy(s3.url);
  const home = mkdtempSync(join(tmpdir(), "spot-bucket-"));
  cleaning.push(() => rmSync(home, { recursive: true, force: true, maxRetries: 3 }));
  cleaning.push(() => clearHome(join(home, "spot")));
  const env = { ...cloud.env, ...s3.env, AWS_ENDPOINT_URL_S3: proxy.url };
  const begin = (...argv: readonly string[]): { readonly child: ChildProcess; readonly said: Promise<Said> } => {
    const child = spawn(process.execPath, [join(PACKAGE_ROOT, "bin", "spot"), ...argv], {
      env: { PATH: process.env["PATH"], HOME: home, SPOT_HOME: join(home, "spot"), NO_COLOR: "1", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const texts = { stdout: "", stderr: "" };
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      texts.stdout += text;
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      texts.stderr += text;
    });
    return { child, said: new Promise((resolve) => child.on("close", (code) => resolve({ code, ...texts }))) };
  };
  const spot = (...argv: readonly string[]) => begin(...argv).said;
  const json = async (...argv: readonly string[]) => {
    const said = await spot(...argv, "--json");
    if (said.stdout === "") throw new Error(`${argv.join(" ")}: ${said.code} ${said.stderr}`);
    return JSON.parse(said.stdout);
  };
  return { cloud, proxy, bucket: `s3://${s3.bucket}/work`, begin, spot, json };
}

/** Its workload writes what it begins from, and then what its fleet tells it. */
const WORK = 'echo "from $(cat "$SPOT_CHECKPOINT_DIR/state" 2>/dev/null)" >>"$SPOT_CHECKPOINT_DIR/begun"; while :; do sleep 1; done';
const TYPE = "a3-highgpu-1g";

/** All zones of that region are sold out. */
function sellOut(cloud: FakeGcp, region: string): void {
  for (const letter of "abcdef") cloud.setStock(TYPE, 0, `${region}-${letter}`);
}

const until = async (what: string, isSo: () => boolean | Promise<boolean>) => {
  const started = performance.now();
  while (!(await isSo())) {
    if (performance.now() - started > 120_000) throw new Error(`waited in vain for ${what}`);
    await systemClock.sleep(100);
  }
};

type Scene = Awaited<ReturnType<typeof scene>>;

/** Asleep where there is nothing left, with a copy of `state` "one" in the bucket, and "two" sealed since where `isBehind`. */
async function asleep(
  { cloud, spot, json, bucket }: Scene,
  isBehind: boolean,
): Promise<{ readonly zone: string; readonly copied: string }> {
  const up = ["up", "--yes", "--provider", "gcp", "--gpu", "H100:1", "--name", "train", "--volume", "work:20", "--", "sh", "-c", WORK];
  expect(await spot(...up)).toMatchObject({ code: 0 });
  const write = (text: string) => spot("exec", "train", "--", "sh", "-c", `echo ${text} >"$SPOT_CHECKPOINT_DIR/state"`);
  await write("one");
  expect(await spot("snapshot", "train")).toMatchObject({ code: 0 });
  const [{ id: copied }] = (await json("checkpoints", "ls", "train")).data;
  expect(await spot("checkpoints", "copy", copied, "--to", bucket)).toMatchObject({ code: 0 });
  if (isBehind) await write("two");
  expect(await spot("hibernate", "train")).toMatchObject({ code: 0 });
  const { zone } = (await json("show", "train")).data;
  sellOut(cloud, zone.slice(0, -2));
  return { zone, copied };
}

describe.skipIf(!machineRoomAvailable())("back from a bucket, on rented machines", () => {
  test("where its region is sold out it comes back elsewhere from the copy, after kill -9 in the middle of it as well", async () => {
    const now = await scene();
    const { cloud, proxy, begin, spot, json } = now;
    const { zone, copied } = await asleep(now, false);
    const { ladder } = await json("restore", "train", "--dry-run");
    const rung = ladder.find(({ rung: name }: { rung: string }) => name === "copy");
    expect(rung).toMatchObject({ open: true, copy: { checkpoint: copied, place: now.bucket, behindMs: 0 } });
    expect(rung.why).toMatch(new RegExp(`the copy of ${copied} in ${now.bucket}, sealed .* ago`));

    // Past its cap no machine is left, and its work is where it was.
    proxy.isHeld = true;
    const late = await spot("restore", "train", "--yes", "--cap", "25s");
    expect(late).toMatchObject({ code: 124 });
    expect(late.stderr).toContain("copy ");
    expect([proxy.held > 0, cloud.living()]).toEqual([true, []]);
    expect((await json("show", "train")).data).toMatchObject({ state: "hibernated" });
    const made = cloud.volumes().map(({ providerId }) => providerId);
    expect(made).toHaveLength(2);

    proxy.held = 0;
    const killed = begin("restore", "train", "--yes", "--cap", "5m");
    await until("the copy", () => proxy.held > 0);
    const status = await spot("logs", "train");
    killed.child.kill("SIGKILL");
    await killed.said;
    expect(status.stdout + status.stderr).toContain(`holding the workload back until checkpoint ${copied}`);
    proxy.isHeld = false;
    expect(await spot("reconcile")).toMatchObject({ code: 0 });
    const awake = (await json("show", "train")).data;
    expect(awake.state).toBe("running");
    expect(awake.zone.slice(0, -2)).not.toBe(zone.slice(0, -2));
    const begun = await spot("exec", "train", "--", "sh", "-c", 'tail -n 1 "$SPOT_CHECKPOINT_DIR/begun"; echo "$SPOT_RESTORED_FROM"');
    expect(begun.stdout).toBe(`from one\n${copied}\n`);
    // The volume of the first try was used again, and the old one is kept under a name that says where it lies.
    expect(cloud.volumes().map(({ providerId }) => providerId)).toEqual(made);
    expect(cloud.living()).toHaveLength(1);
    const names = (await json("volumes", "ls")).data.map(({ name }: { name: string }) => name).sort();
    expect(names).toEqual(["work", `work-${zone}`]);
    expect(awake.wakes.last.phases.map(({ phase }: { phase: string }) => phase)).toEqual(
      expect.arrayContaining(["mount", "copy", "restore"]),
    );
    expect((await json("orphans")).data).toEqual([]);
  }, 300_000);

  test("what goes back to older work than its volume has is taken only with a yes", async () => {
    const now = await scene();
    const { cloud, spot, json } = now;
    const { copied } = await asleep(now, true);
    const { ladder } = await json("restore", "train", "--dry-run");
    const rung = ladder.find(({ rung: name }: { rung: string }) => name === "copy");
    expect(rung).toMatchObject({ open: false, needsConsent: true, copy: { checkpoint: copied } });
    expect(rung.why).toContain("older than its newest: the work since then is not in it");
    // Nobody knows beforehand whether its own zone has something again: that is what is tried until the cap.
    const declined = await spot("restore", "train", "--cap", "15s");
    expect(declined).toMatchObject({ code: 124 });
    expect(declined.stderr).toMatch(new RegExp(`left out, .*older work: copy in gcp .*, from the copy of ${copied}`));
    expect([cloud.living(), cloud.volumes().length]).toEqual([[], 1]);
    expect(await spot("restore", "train", "--yes")).toMatchObject({ code: 0 });
    const begun = await spot("exec", "train", "--", "sh", "-c", 'tail -n 1 "$SPOT_CHECKPOINT_DIR/begun"');
    expect(begun.stdout).toBe("from one\n");
  }, 300_000);
});
