import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, expect, type TestContext, test } from "vitest";
import { parseSealed, parseVolumeResult } from "../../src/guest/protocol.ts";
import { systemClock } from "../../src/platform/clock.ts";
import type { MachineKind } from "../../src/providers/provider.ts";
import { startMetadata } from "../clouds/metadata/metadata.ts";
import type { MetadataKind, MetadataService } from "../clouds/metadata/service.ts";
import { eventually } from "./machine.ts";
import { base, diskFile, endRealMachines, plug, type RealMachine, status, systemdMachine, takeRealMachinesAway } from "./real.ts";

afterEach(endRealMachines);
afterAll(takeRealMachinesAway);

/** Inside the machine's network: passes what comes to this address's port 80 on to a socket that is a file. */
const FORWARD = `const [address, file] = process.argv.slice(1);
const { connect, createServer } = require("node:net");
createServer((from) => {
  const to = connect(file);
  from.pipe(to).pipe(from);
  for (const end of [from, to]) end.on("error", () => { from.destroy(); to.destroy(); });
}).listen(80, address, () => console.log("listens"));`;

/** The service at the address where the cloud has it, in the machine's own network. */
async function serve(machine: RealMachine, address: string, service: MetadataService, context: TestContext): Promise<void> {
  const file = join(base, `${address}.socket`);
  const { port } = new URL(service.url);
  const relay = createServer((from) => {
    const to = connect(Number(port), "127.0.0.1");
    from.pipe(to).pipe(from);
    for (const end of [from, to])
      end.on("error", () => {
        from.destroy();
        to.destroy();
      });
  });
  await new Promise<void>((resolve) => relay.listen(file, resolve));
  const inNetwork = ["-t", machine.pid, "-n"];
  for (const line of [`addr add ${address}/32 dev lo`, "link set lo up"])
    expect(spawnSync("nsenter", [...inNetwork, "ip", ...line.split(" ")], { encoding: "utf8" }).stderr).toBe("");
  const forwarder = spawn("nsenter", [...inNetwork, process.execPath, "-e", FORWARD, address, file], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  context.onTestFinished(async () => {
    forwarder.kill("SIGKILL");
    relay.close();
    await service.close();
    rmSync(file, { force: true });
  });
  await new Promise((resolve) => forwarder.stdout.once("data", resolve));
}

const ROWS: readonly [MetadataKind, string, MachineKind][] = [
  ["aws", "169.254.169.254", { kind: "vm", notices: "aws", endsItself: true, volumes: "device" }],
  ["gcp", "169.254.169.254", { kind: "vm", notices: "gcp", endsItself: true, volumes: "device" }],
  ["alibaba", "100.100.100.200", { kind: "vm", notices: "alibaba", endsItself: false, volumes: "device" }],
];
const writer = ["sh", "-c", 'echo 7 > "$SPOT_CHECKPOINT_DIR/STEP"; sleep 1000'];

test.for(ROWS)(
  "%s: a machine of its own, under systemd, hears its cloud at %s, and seals",
  {
    timeout: 90_000,
  },
  async ([cloud, address, kind], context) => {
    const machine = await systemdMachine(context.task.name);
    if (machine === undefined) return context.skip();
    const service = await startMetadata(cloud, { clock: systemClock });
    await serve(machine, address, service, context);
    machine.inside("sh", "-c", "echo '169.254.169.254 metadata.google.internal' >>/etc/hosts");
    const device = plug(diskFile());
    machine.boot(kind, { command: writer });
    await status(machine, "preparing");
    expect(parseVolumeResult(machine.verb("volume", device).stdout)).toMatchObject({ formatted: true });
    await status(machine, "running");
    service.giveNotice(systemClock.now() + 120_000);
    await eventually("a checkpoint", () =>
      parseSealed(machine.verb("sealed").stdout).some(({ reason }) => reason === "notice") ? true : undefined,
    );
    if (cloud !== "aws") return;
    // When its time is over it shuts down by itself, and what it wrote last is on the disk.
    machine.inside("sh", "-c", "echo late >/var/lib/spot/checkpoint/late; echo 1 >/run/spot/ttl-ends-at");
    await eventually("its end", () => (spawnSync("kill", ["-0", machine.pid]).status === 0 ? undefined : true));
    const mountPoint = join(base, `after-${cloud}`);
    mkdirSync(mountPoint);
    const look = 'mount -o ro,noload "$0" "$1" && cat "$1"/spot/checkpoints/*/data/late';
    expect(spawnSync("unshare", ["-m", "sh", "-c", look, device, mountPoint], { encoding: "utf8" }).stdout).toContain("late\n");
  },
);
