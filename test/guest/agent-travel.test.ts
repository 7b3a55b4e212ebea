import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { copyToArrival } from "../../src/checkpoints/travel/arrival.ts";
import { folderSource } from "../../src/checkpoints/travel/source.ts";
import { verifyCheckpoint } from "../../src/checkpoints/verify.ts";
import { machineArrival, machineSource } from "../../src/fleet/volumes/machine-travel.ts";
import { sealSample } from "../checkpoints/sealing.ts";
import { temporaryFolder } from "../world.ts";
import { eventually, KINDS, type Machine, makeMachine } from "./machine.ts";

const open: Machine[] = [];
afterEach(async () => {
  for (const machine of open.splice(0)) await machine.close();
});

const ID = "c-20261121T053818Z-00000014";
const quiet = { signal: new AbortController().signal, dryRun: false };

test.each(KINDS)("with $name a checkpoint arrives on the machine's volume, and is given from it", async ({ options }) => {
  const machine = await makeMachine(options);
  open.push(machine);
  machine.boot();
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
