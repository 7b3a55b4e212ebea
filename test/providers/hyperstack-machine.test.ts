import { execFile } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { hyperstackProvider } from "../../src/providers/hyperstack/provider.ts";
import { fakeHyperstack } from "../clouds/hyperstack/hyperstack.ts";
import { machineRoom, machineRoomAvailable } from "../clouds/machine-room.ts";
import { eventually } from "../conformance/bench.ts";
import { temporaryFolder } from "../world.ts";

const run = promisify(execFile);
const context = { signal: new AbortController().signal };

test.runIf(machineRoomAvailable())(
  "a machine of this cloud: user data runs at its first boot, its disk outlives a hibernation, its volume outlives it",
  async () => {
    const folder = temporaryFolder();
    const key = join(folder, "key");
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
    const room = await machineRoom();
    const cloud = await fakeHyperstack({ clock: systemClock, machines: room });
    onTestFinished(async () => {
      await cloud.close();
      await room.close();
    });
    const provider = await hyperstackProvider({ env: cloud.env, home: folder, clock: systemClock });
    const { volumes, hibernation } = provider;
    const offer = (await provider.offers({}, context)).find(({ type }) => type === "n3-RTX-A6000x1-spot");
    if (offer === undefined || volumes === undefined || hibernation === undefined) throw new Error("nothing to rent");
    const spec = {
      name: "train",
      token: "t-abc123",
      offer,
      maxPrice: null,
      image: null,
      volumes: [],
      env: {},
      bootScript: `#!/bin/sh\necho "it's up" >"$SPOT_ROOT/first-boot"\n# ${"x".repeat(45_000)}\n`,
      ttlSeconds: null,
      sshKey: readFileSync(`${key}.pub`, "utf8"),
      ports: [],
      registryAuth: null,
      rootVolumeId: null,
      labels: {},
    };
    const { providerId } = await provider.launch(spec, context);
    const reach = async () => {
      const found = await eventually(async () => (await provider.get(providerId, context))?.reach ?? undefined, "the way in");
      if (found.kind !== "ssh") throw new Error("not by SSH");
      return found;
    };
    const inside = async (command: string): Promise<string> => {
      const { port, user, host } = await reach();
      const options = [
        "StrictHostKeyChecking=no",
        `UserKnownHostsFile=${join(folder, `known-${port}`)}`,
        "IdentitiesOnly=yes",
        "BatchMode=yes",
      ];
      const given = ["-i", key, "-p", String(port), ...options.flatMap((option) => ["-o", option]), `${user}@${host}`, command];
      return (await run("ssh", given)).stdout;
    };
    await reach();
    await eventually(
      async () => ((await inside('cat "$SPOT_ROOT/first-boot" 2>/dev/null || true')) === "" ? undefined : true),
      "the first boot",
    );
    expect(await inside('cat "$SPOT_ROOT/first-boot"')).toBe("it's up\n");

    const { region, zone } = offer;
    const { providerId: volume } = await volumes.create({ name: "data", token: "t-vol", sizeGb: 10, region, zone }, context);
    writeFileSync(join(room.volumeFolder(volume), "files", "kept"), "bytes");
    await eventually(
      () =>
        volumes.attach?.(volume, providerId, context).then(
          () => true,
          () => undefined,
        ) ?? Promise.resolve(undefined),
      "the volume to be attached",
    );
    const device = await eventually(
      async () => (await volumes.list(context)).find((one) => one.providerId === volume)?.device ?? undefined,
      "the device",
    );
    expect(device).toBe("/dev/vdc");
    expect(await inside('ls "$SPOT_ROOT/dev"')).toContain("vdc");

    await hibernation.hibernate(providerId, context);
    expect(await cloud.settle().then(() => cloud.disk(volume).status)).toBe("AVAILABLE");
    await eventually(async () => ((await provider.get(providerId, context))?.state === "hibernated" ? true : undefined), "the rest");
    expect(cloud.vm(providerId).machine?.running).toBe(false);
    await hibernation.restore(providerId, context);
    expect(await inside('cat "$SPOT_ROOT/first-boot"; ls "$SPOT_ROOT/dev"')).toMatch(/^it's up\n(?!.*vdc)/s);

    await provider.destroy(providerId, context);
    await eventually(async () => ((await provider.get(providerId, context)) === undefined ? true : undefined), "the end");
    expect(cloud.vm(providerId).machine).toBeNull();
    const kept = join(room.volumeFolder(volume), "files", "kept");
    expect(readFileSync(kept, "utf8")).toBe("bytes");
    await volumes.remove(volume, context);
    expect(cloud.volumes()).toEqual([]);
    await eventually(async () => ((await cloud.settle().then(() => existsSync(kept))) ? undefined : true), "the end of its bytes");
  },
);

test.skipIf(machineRoomAvailable())("no sshd here: machines of this cloud were not run", () => undefined);
