import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { verifyCheckpoint } from "../../src/checkpoints/verify.ts";
import { guestPack } from "../../src/guest/pack.ts";
import { guestSealed, guestSnapshot } from "../../src/guest/run-verb.ts";
import { wayIn } from "../../src/guest/ssh-access.ts";
import { ArchiveDamage } from "../../src/platform/tar-reader.ts";
import { emptyFolder, unpackTar } from "../../src/platform/unpack.ts";
import { machineRoomAvailable } from "../clouds/machine-room.ts";
import { eventually } from "../guest/machine.ts";
import { temporaryFolder, testWorld } from "../world.ts";
import { agentMachine, never } from "./reached-machine.ts";

interface Block {
  readonly name: string;
  readonly type?: string;
  readonly target?: string;
  readonly data?: string;
  readonly mode?: number;
}

/** A tar archive by hand: what no honest tar would write. */
function archive(...blocks: readonly Block[]): Buffer {
  const parts = blocks.flatMap(({ name, type = "0", target = "", data = "", mode = 0o644 }) => {
    const header = Buffer.alloc(512);
    header.write(name, 0, "latin1");
    header.write(mode.toString(8).padStart(7, "0"), 100);
    header.write("0000000", 108);
    header.write("0000000", 116);
    header.write(Buffer.byteLength(data).toString(8).padStart(11, "0"), 124);
    header.write("00000000000", 136);
    header.write("        ", 148);
    header.write(type, 156);
    header.write(target, 157, "latin1");
    header.write("ustar\0", 257, "latin1");
    header.write("00", 263);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    const body = Buffer.alloc(Math.ceil(Buffer.byteLength(data) / 512) * 512);
    body.write(data);
    return [header, body];
  });
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

function emptyTarget(): { readonly outside: string; readonly folder: string } {
  const outside = temporaryFolder();
  const folder = join(outside, "in");
  mkdirSync(folder);
  return { outside, folder };
}

const unpack = (bytes: Buffer, folder: string) => unpackTar(Readable.from([bytes]), folder, never());

describe("an archive that comes from a machine", () => {
  it.each([
    ["an absolute name", archive({ name: "/etc/evil" })],
    ["a way up", archive({ name: "a/../../evil", data: "x" })],
    ["only the way up", archive({ name: "..", type: "5" })],
    ["a way through a link", archive({ name: "a", type: "2", target: ".." }, { name: "a/evil", data: "x" })],
    ["a folder over a link", archive({ name: "a", type: "2", target: ".." }, { name: "a", type: "5" }, { name: "a/evil" })],
    ["a file over a link", archive({ name: "a", type: "2", target: "../evil" }, { name: "a", data: "x" })],
    ["a hard link to the outside", archive({ name: "a", type: "1", target: "../secret" })],
    ["a hard link to an absolute name", archive({ name: "a", type: "1", target: "/etc/passwd" })],
    ["a hard link to a link", archive({ name: "l", type: "2", target: "../secret" }, { name: "a", type: "1", target: "l" })],
    ["a device", archive({ name: "a", type: "3" })],
    ["a pipe", archive({ name: "a", type: "6" })],
    ["a way up in a long name", archive({ name: "x", type: "L", data: "../evil\0" }, { name: "short", data: "x" })],
    ["a way up in a pax header", archive({ name: "x", type: "x", data: "16 path=../evil\n" }, { name: "short", data: "x" })],
  ])("is refused for %s", async (_, bytes) => {
    const { outside, folder } = emptyTarget();
    writeFileSync(join(outside, "secret"), "mine");
    await expect(unpack(bytes, folder)).rejects.toThrow(ArchiveDamage);
    expect(readdirSync(outside).sort()).toEqual(["in", "secret"]);
    expect(readFileSync(join(outside, "secret"), "utf8")).toBe("mine");
  });

  it("is refused when it is cut short or damaged, wherever", async () => {
    const whole = archive({ name: "a", data: "x".repeat(700) }, { name: "b", data: "y" });
    for (const length of [0, 100, 512, 600, 1536, 1537, 2048, 2560]) {
      const { folder } = emptyTarget();
      await expect(unpack(whole.subarray(0, length), folder), String(length)).rejects.toThrow("cut short");
    }
    const { folder } = emptyTarget();
    const damaged = Buffer.from(whole);
    damaged[3] = 65;
    await expect(unpack(damaged, folder)).rejects.toThrow("damaged");
  });

  it("brings neither setuid nor anything else but permissions", async () => {
    const { folder } = emptyTarget();
    expect(await unpack(archive({ name: "./a", mode: 0o6755, data: "x" }), folder)).toBe(1);
    expect(statSync(join(folder, "a")).mode & 0o7777).toBe(0o755);
  });

  // Busybox is not everywhere; where it is, it is one of the tars that machines have.
  const tars = [["tar"], ["busybox", "tar"]].filter(([program = ""]) => spawnSync(program, ["--help"]).error === undefined);
  it.each(tars.map((argv) => [argv]))("is unpacked as %j wrote it", async (argv) => {
    const from = temporaryFolder();
    const long = "l".repeat(120);
    mkdirSync(join(from, long, long), { recursive: true });
    mkdirSync(join(from, "empty"), { mode: 0o750 });
    writeFileSync(join(from, long, long, "deep\nname"), "deep");
    writeFileSync(Buffer.concat([Buffer.from(`${from}/`), Buffer.from([0xff, 0x20, 0xe9])]), "bytes");
    writeFileSync(join(from, "big"), Buffer.alloc(300_001, 7), { mode: 0o640 });
    writeFileSync(join(from, "-rf *"), "");
    symlinkSync(`/nowhere/${long}`, join(from, "link"));
    execFileSync("ln", [join(from, "big"), join(from, "same")]);
    const [program = "tar", ...rest] = argv;
    const bytes = execFileSync(program, [...rest, "-cf", "-", "-C", from, "."], { maxBuffer: 10_000_000 });
    const { folder } = emptyTarget();
    await unpack(bytes, folder);
    expect(execFileSync("diff", ["-r", "--no-dereference", from, folder], { encoding: "utf8" })).toBe("");
    expect(readlinkSync(join(folder, "link"))).toBe(`/nowhere/${long}`);
    expect(statSync(join(folder, "empty")).mode & 0o777).toBe(0o750);
    expect(Math.floor(statSync(join(folder, "big")).mtimeMs / 1000)).toBe(Math.floor(statSync(join(from, "big")).mtimeMs / 1000));
    await emptyFolder(folder);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe.skipIf(!machineRoomAvailable())("a checkpoint from a machine's volume", () => {
  it("arrives whole and verifies; a failure leaves nothing", async () => {
    const way = wayIn(testWorld());
    const { ssh } = way;
    const command = [
      "sh",
      "-c",
      'cd "$SPOT_CHECKPOINT_DIR"; mkdir a; echo 1 >"a/odd name"; ln -s a l; head -c 3000000 /dev/zero >big; sleep 1000',
    ];
    const { machine, reach } = await agentMachine(ssh, { command });
    await eventually("the state", () => existsSync(join(machine.root, "var/lib/spot/checkpoint/big")) || undefined);
    const options = { ...way, signal: never() };
    await guestSnapshot(reach, "manual", null, options);
    const [sealed] = await guestSealed(reach, options);
    // Whoever verifies it wants a folder of its name.
    const target = join(temporaryFolder(), sealed?.id ?? "");
    await guestPack(reach, sealed?.id ?? "", target, options);
    expect(await verifyCheckpoint(target)).toMatchObject({ ok: true, problems: [] });
    await expect(guestPack(reach, sealed?.id ?? "", target, options)).rejects.toMatchObject({ exit: 2 });
    const other = temporaryFolder();
    await expect(guestPack(reach, "c-none", other, options)).rejects.toMatchObject({ exit: 7, code: "SPOT_E_GUEST" });
    expect(readdirSync(other)).toEqual([]);
    await machine.halt();
    await expect(guestPack(reach, sealed?.id ?? "", other, options)).rejects.toMatchObject({ code: "SPOT_E_GUEST_UNREACHABLE" });
    expect(readdirSync(other)).toEqual([]);
  });
});
