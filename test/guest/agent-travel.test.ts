import { execFileSync, spawn, spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { copyToArrival } from "../../src/checkpoints/travel/arrival.ts";
import { folderSource } from "../../src/checkpoints/travel/source.ts";
import { verifyCheckpoint } from "../../src/checkpoints/verify.ts";
import { machineArrival, machineSource } from "../../src/fleet/volumes/machine-travel.ts";
import { sealSample } from "../checkpoints/sealing.ts";
import { temporaryFolder } from "../world.ts";
import { eventually, KINDS } from "./machine.ts";
import { bootedMachine } from "./own-machine.ts";

const ID = "c-20261121T053818Z-00000014";
const quiet = { signal: new AbortController().signal, dryRun: false };

test.each(KINDS)("with $name a checkpoint arrives on the machine's volume, and is given from it", async ({ options }) => {
  const machine = await bootedMachine({}, options);
  await eventually("the agent", async () => ((await machine.verb("status")).stdout.includes('"phase":"running"') ? true : undefined));
  const odd = "odd \n \\ \t 'q' ü";
  const files = { [odd]: "odd", "-dash": "dash", "sub/large": Buffer.alloc(200_000, "x"), [`${"d".repeat(120)}/x`]: "deep", empty: "" };
  const source = await folderSource(sealSample(temporaryFolder(), { id: ID, files, folders: ["none"], links: { "sub/link": odd } }));
  const arrival = await machineArrival(machine.reach, source, {}, quiet.signal);
  await copyToArrival(source, arrival, quiet);
  expect(readdirSync(machine.sealedFolder)).toEqual([ID]);
  expect(await verifyCheckpoint(join(machine.sealedFolder, ID))).toMatchObject({ ok: true });
  expect((await machineArrival(machine.reach, source, {}, quiet.signal)).isSealed).toBe(true);
  const back = await machineSource(machine.reach, ID, {}, quiet.signal);
  expect(back.manifestBytes).toEqual(readFileSync(join(machine.sealedFolder, ID, "MANIFEST")));
  const named = (path: string) => back.manifest.entries.flatMap((entry) => (entry.kind === "file" && entry.path === path ? [entry] : []));
  const given = async (paths: readonly string[], from?: number) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of back.read(paths.flatMap(named), quiet.signal, from)) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  };
  expect(await given(["-dash", Buffer.from(odd).toString("latin1")])).toBe("dashodd");
  expect(await given(["sub/large"], 199_990)).toBe("xxxxxxxxxx");
});

/** A machine, a checkpoint as a manifest and a tar stream of its files, and the verb that takes them. */
async function arriving() {
  const machine = await bootedMachine();
  await eventually("the agent", async () => ((await machine.verb("status")).stdout.includes('"phase":"running"') ? true : undefined));
  const files = Object.fromEntries(["a", "b", "c", "d"].map((name) => [name, Buffer.alloc(300_000, name)]));
  const sealed = sealSample(temporaryFolder(), { id: ID, files });
  const manifest = readFileSync(join(sealed, "MANIFEST"));
  // As the sample's manifest has it.
  for (const name of Object.keys(files)) utimesSync(join(sealed, "data", name), 1000, 1000);
  const tar = execFileSync("tar", ["-cf", "-", "-C", join(sealed, "data"), "./a", "./b", "./c", "./d"], { maxBuffer: 1 << 24 });
  const argv = (part: string) => [join(machine.root, "var/lib/spot/agent.sh"), "receive", ID, part];
  const where = { cwd: machine.root, env: machine.reach.env };
  return {
    machine,
    sealed,
    manifest,
    tar,
    receive: (part: string, input: Uint8Array) => spawnSync("/bin/sh", argv(part), { ...where, input, encoding: "utf8" }),
    begun: (part: string) => spawn("/bin/sh", argv(part), { ...where, stdio: ["pipe", "pipe", "ignore"] }),
  };
}

test("a copier that stood still and goes on writes nothing into the checkpoint that another one has sealed", async () => {
  const { machine, manifest, tar, receive, begun } = await arriving();
  const data = join(machine.sealedFolder, `.arriving-${ID}/data`);
  receive("begin", manifest);
  const first = begun("files");
  first.stdin.on("error", () => {}); // its stream is ended
  const ended = new Promise((resolve) => first.once("exit", resolve));
  first.stdin.write(tar.subarray(0, 400_000));
  await eventually("half of the files", () => (existsSync(join(data, "b")) ? true : undefined));
  expect(receive("begin", manifest).stdout).toMatch(/^{"sealed":false,/);
  for (const [part, input] of [
    ["files", tar],
    ["seal", Buffer.alloc(0)],
  ] as const)
    expect(receive(part, input)).toMatchObject({ status: 0 });
  first.stdin.write(tar.subarray(400_000, 750_000));
  first.stdin.end();
  expect(await ended).toBe(7);
  expect(readdirSync(machine.sealedFolder)).toEqual([ID]);
  expect((await verifyCheckpoint(join(machine.sealedFolder, ID))).problems).toEqual([]);
  expect(readdirSync(join(machine.root, "run/spot/arriving"))).toEqual([]);
});

test("what writes into an arrival is ended before it gets its name, also where the verb that started it was killed", async () => {
  const { machine, manifest, tar, receive, begun } = await arriving();
  receive("begin", manifest);
  receive("files", tar);
  const late = begun("files");
  late.stdin.on("error", () => {}); // its stream is ended
  const ended = new Promise((resolve) => late.once("exit", resolve));
  late.stdin.write(tar.subarray(0, 100_000));
  const marks = join(machine.root, "run/spot/arriving");
  await eventually("its mark", () => (existsSync(marks) && readdirSync(marks).length > 0 ? true : undefined));
  late.kill("SIGKILL");
  await ended;
  // The file that it is in the middle of is no longer what the manifest says.
  expect(receive("seal", Buffer.alloc(0)).status).toBe(7);
  receive("begin", manifest);
  receive("files", tar);
  expect(receive("seal", Buffer.alloc(0))).toMatchObject({ status: 0 });
  expect((await verifyCheckpoint(join(machine.sealedFolder, ID))).problems).toEqual([]);
});

test("nothing arrives inside a checkpoint that has come to lie there meanwhile", async () => {
  const { machine, sealed, manifest, tar, receive } = await arriving();
  receive("begin", manifest);
  receive("files", tar);
  cpSync(sealed, join(machine.sealedFolder, ID), { recursive: true });
  expect(receive("seal", Buffer.alloc(0))).toMatchObject({ status: 7, stdout: `{"error":"${ID} lies there already"}\n` });
  expect(readdirSync(join(machine.sealedFolder, ID)).sort()).toEqual(["MANIFEST", "data"]);
});

test("a file that has come with other rights or another time comes again", async () => {
  const { machine, sealed, manifest, tar, receive } = await arriving();
  receive("begin", manifest);
  receive("files", tar);
  expect(receive("begin", manifest).stdout).toBe('{"sealed":false,"present":4}\na\nb\nc\nd\n');
  const data = join(machine.sealedFolder, `.arriving-${ID}/data`);
  chmodSync(join(data, "a"), 0o700);
  writeFileSync(join(data, "b"), readFileSync(join(data, "b")));
  expect(receive("begin", manifest).stdout).toBe('{"sealed":false,"present":2}\nc\nd\n');
  receive("files", tar);
  expect(receive("seal", Buffer.alloc(0))).toMatchObject({ status: 0 });
  const { mode, mtimeMs } = statSync(join(sealed, "data/a"));
  expect(statSync(join(machine.sealedFolder, ID, "data/a"))).toMatchObject({ mode, mtimeMs });
});
