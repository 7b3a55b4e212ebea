import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { ppioProvider } from "../../src/providers/ppio/provider.ts";
import { machineRoom, machineRoomAvailable } from "../clouds/machine-room.ts";
import { fakePpio } from "../clouds/ppio/fake.ts";
import { eventually } from "../conformance/bench.ts";
import { temporaryFolder } from "../world.ts";

const run = promisify(execFile);
const context = { signal: new AbortController().signal };

test.runIf(machineRoomAvailable())(
  "a container of this cloud: our script is its main process, our key opens it, its storage outlives it",
  async () => {
    const folder = temporaryFolder();
    const key = join(folder, "key");
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
    const room = await machineRoom();
    const cloud = await fakePpio({ clock: systemClock, machines: room });
    onTestFinished(async () => {
      await cloud.close();
      await room.close();
    });
    const provider = await ppioProvider({ env: cloud.env, home: folder, clock: systemClock });
    const [offer] = (await provider.offers({ gpuModel: "RTX4090", gpuCount: 1 }, context)).filter(({ billing }) => billing === "spot");
    if (offer === undefined || provider.volumes === undefined) throw new Error("nothing to rent");
    const { region, zone } = offer;
    const { providerId: volume } = await provider.volumes.create({ name: "data", token: "t-vol", sizeGb: 10, region, zone }, context);
    const written = join(room.volumeFolder(volume), "files", "written");
    const { providerId } = await provider.launch(
      {
        name: "train",
        token: "t-abc123",
        offer,
        maxPrice: null,
        image: null,
        volumes: [{ providerVolumeId: volume, mount: "/data" }],
        env: { GREETING: "it's" },
        bootScript: 'echo "$GREETING" >"$SPOT_ROOT/data/written"\nexec sleep 600',
        ttlSeconds: null,
        sshKey: readFileSync(`${key}.pub`, "utf8"),
        ports: [],
        registryAuth: null,
        rootVolumeId: null,
        labels: {},
      },
      context,
    );
    const reach = await eventually(async () => (await provider.get(providerId, context))?.reach ?? undefined, "the way in");
    if (reach.kind !== "ssh") throw new Error("not by SSH");
    await eventually(async () => (existsSync(written) ? true : undefined), "the main process");
    const options = ["StrictHostKeyChecking=no", `UserKnownHostsFile=${join(folder, "known")}`, "IdentitiesOnly=yes", "BatchMode=yes"];
    const { stdout } = await run("ssh", [
      ...["-i", key, "-p", String(reach.port), ...options.flatMap((option) => ["-o", option]), `${reach.user}@${reach.host}`],
      'cat "$SPOT_ROOT/data/written"',
    ]);
    expect(stdout).toBe("it's\n");
    await provider.destroy(providerId, context);
    await eventually(async () => ((await provider.get(providerId, context)) === undefined ? true : undefined), "the end");
    expect(readFileSync(written, "utf8")).toBe("it's\n");
    await provider.volumes.remove(volume, context);
    expect(existsSync(written)).toBe(false);
  },
);

test.skipIf(machineRoomAvailable())("no sshd here: containers of this cloud were not run", () => undefined);
