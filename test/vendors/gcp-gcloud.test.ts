import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { discovery } from "../clouds/gcp/discovery.ts";
import { type FakeGcp, fakeGcp } from "../clouds/gcp/fake.ts";
import { isMissing } from "../missing-program.ts";

/** The folder of the Cloud SDK, undefined where it is not installed. */
function cloudSdk(): string | undefined {
  try {
    const found = execFileSync("sh", ["-c", "command -v gcloud"], { encoding: "utf8" }).trim();
    return dirname(dirname(realpathSync(found)));
  } catch {
    isMissing("gcloud", "Google's own client against the imitation of Compute Engine");
    return undefined;
  }
}

const sdk = cloudSdk();
const DRIVER = fileURLToPath(new URL("gcp-gcloud.py", import.meta.url));
const ZONE = "--zone=us-central1-a";
const ID = "us-central1-a/vm1";

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

describe.skipIf(sdk === undefined)("gcloud, Google's own client", () => {
  let cloud: FakeGcp;
  let folder: string;
  let driver: ChildProcessWithoutNullStreams;
  let lines: AsyncIterator<string>;
  let said = "";

  beforeAll(async () => {
    const document = discovery();
    cloud = await fakeGcp({ clock: systemClock, ...(document === undefined ? {} : { document }) });
    folder = mkdtempSync(join(tmpdir(), "spot-gcloud-"));
    writeFileSync(join(folder, "token"), cloud.accessToken());
    const own = join(sdk ?? "", "platform/bundledpythonunix/bin/python3");
    driver = spawn(existsSync(own) ? own : "python3", ["-S", DRIVER, sdk ?? ""], {
      env: {
        PATH: process.env["PATH"],
        HOME: folder,
        CLOUDSDK_CONFIG: join(folder, "config"),
        CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE: `${cloud.url}/compute/v1/`,
        CLOUDSDK_AUTH_ACCESS_TOKEN_FILE: join(folder, "token"),
        CLOUDSDK_CORE_PROJECT: cloud.project,
        CLOUDSDK_CORE_CHECK_GCE_METADATA: "false",
        CLOUDSDK_CORE_DISABLE_PROMPTS: "1",
        CLOUDSDK_CORE_DISABLE_USAGE_REPORTING: "1",
        CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK: "1",
      },
    });
    driver.stderr.on("data", (data) => {
      said += data;
    });
    lines = createInterface({ input: driver.stdout })[Symbol.asyncIterator]();
  });

  afterAll(async () => {
    driver.kill();
    await cloud.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const ended = async (...words: readonly string[]): Promise<Ended> => {
    driver.stdin.write(`${JSON.stringify(["compute", ...words, "--format=json", "--quiet"])}\n`);
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`gcloud has ended: ${said}`);
    return JSON.parse(value);
  };

  /** What a command prints, once it has ended well. */
  // biome-ignore lint/suspicious/noExplicitAny: whatever gcloud prints; the test looks into it
  const gcloud = async (...words: readonly string[]): Promise<any> => {
    const { code, stdout, stderr } = await ended(...words);
    if (code !== 0) throw new Error(`gcloud ${words.join(" ")}: ${stderr}`);
    return stdout.trim() === "" ? null : JSON.parse(stdout);
  };

  const SPOT_VM = [
    ZONE,
    "--machine-type=g2-standard-4",
    "--provisioning-model=SPOT",
    "--image-family=debian-12",
    "--image-project=debian-cloud",
  ];

  test("makes, shows, stops, starts, preempts and deletes a machine", { timeout: 120_000 }, async () => {
    const disk = "--create-disk=name=d1,size=100,type=pd-ssd,auto-delete=no";
    const limits = ["--instance-termination-action=STOP", "--max-run-duration=3h"];
    const [made] = await gcloud("instances", "create", "vm1", ...SPOT_VM, ...limits, disk, "--labels=spot-fleet=f1");
    expect([made.status, made.scheduling.maxRunDuration, made.disks.length]).toEqual(["RUNNING", { seconds: "10800" }, 2]);
    expect(await gcloud("instances", "list", "--filter=labels.spot-fleet=f1")).toMatchObject([
      { name: "vm1", scheduling: { preemptible: true } },
    ]);
    expect(await gcloud("instances", "describe", "vm1", ZONE)).toMatchObject({
      status: "RUNNING",
      disks: [{ boot: true }, { autoDelete: false }],
    });
    await gcloud("instances", "stop", "vm1", ZONE);
    expect(cloud.vm(ID).status).toBe("TERMINATED");
    await gcloud("instances", "start", "vm1", ZONE);
    expect(cloud.vm(ID).status).toBe("RUNNING");
    // Its fingerprint comes back in the other alphabet of base64.
    await gcloud("instances", "add-labels", "vm1", ZONE, "--labels=a=b");
    await gcloud("instances", "add-metadata", "vm1", ZONE, "--metadata=k=v");
    expect(cloud.vm(ID)).toMatchObject({ labels: { "spot-fleet": "f1", a: "b" }, metadata: [{ key: "k", value: "v" }] });
    expect(await ended("instances", "suspend", "vm1", ZONE)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("guest accelerators"),
    });
    await gcloud("instances", "simulate-maintenance-event", "vm1", ZONE);
    expect(await gcloud("operations", "list", "--filter=operationType=compute.instances.preempted")).toMatchObject([
      { operationType: "compute.instances.preempted", user: "system", status: "DONE", targetLink: expect.stringMatching(/vm1$/) },
    ]);
    await gcloud("instances", "delete", "vm1", ZONE);
    expect([cloud.living(), cloud.volumes().map(({ name }) => name)]).toEqual([[], ["d1"]]);
    expect(cloud.complaints).toEqual([]);
  });

  test("makes, attaches, detaches and deletes disks, and snapshots of them", { timeout: 120_000 }, async () => {
    await gcloud("instances", "create", "vm1", ...SPOT_VM);
    const [made] = await gcloud("disks", "create", "d2", ZONE, "--size=50", "--type=pd-balanced", "--labels=a=b");
    expect(made).toMatchObject({ status: "READY", sizeGb: "50", labels: { a: "b" } });
    await gcloud("instances", "attach-disk", "vm1", ZONE, "--disk=d2", "--device-name=data");
    expect(await gcloud("disks", "list", "--filter=name=d2")).toMatchObject([{ users: [expect.stringMatching(/instances\/vm1$/)] }]);
    expect(await ended("disks", "delete", "d2", ZONE)).toMatchObject({ code: 1, stderr: expect.stringContaining("already being used by") });
    await gcloud("snapshots", "create", "s1", "--source-disk=d2", "--source-disk-zone=us-central1-a");
    expect(await gcloud("snapshots", "list")).toMatchObject([{ name: "s1", status: "READY", diskSizeGb: "50" }]);
    await gcloud("instances", "detach-disk", "vm1", ZONE, "--disk=d2");
    await gcloud("instances", "delete", "vm1", ZONE);
    await gcloud("disks", "create", "d3", "--zone=europe-west4-a", "--source-snapshot=s1");
    expect(cloud.volumes()).toMatchObject([{ name: "d1" }, { name: "d2" }, { providerId: "europe-west4-a/d3", sizeGb: 50 }]);
    await gcloud("snapshots", "delete", "s1");
    await gcloud("disks", "delete", "d2", ZONE);
    expect([cloud.living(), cloud.snapshots()]).toEqual([[], []]);
    expect(cloud.complaints).toEqual([]);
  });

  test("prints the code of a stock-out and the words of a refusal", { timeout: 120_000 }, async () => {
    cloud.setStock("g2-standard-4", 0);
    const late = await ended("instances", "create", "vm2", ...SPOT_VM);
    expect(late).toMatchObject({ code: 1, stderr: expect.stringContaining("ZONE_RESOURCE_POOL_EXHAUSTED") });
    const wrong = await ended("instances", "create", "vm3", ...SPOT_VM, "--maintenance-policy=MIGRATE");
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringMatching(/must be terminated on host maintenance/) });
    expect(cloud.living()).toEqual([]);
    expect(cloud.complaints).toEqual([]);
  });
});
