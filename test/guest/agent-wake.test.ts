import { appendFileSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CACHES, cacheWords } from "../../src/guest/caches.ts";
import { marksOf } from "../../src/guest/marks.ts";
import { parseMarks } from "../../src/guest/protocol.ts";
import { eventually, KINDS, type Machine } from "./machine.ts";
import { bootedMachine, ownMachine, workloadIsOver } from "./own-machine.ts";

const REPORT = `require("node:fs").writeFileSync(process.env.OUT, JSON.stringify(process.env))`;

/** The environment that the workload found. */
async function environment(machine: Machine, settings: Parameters<Machine["boot"]>[0] = {}): Promise<Record<string, string>> {
  const out = join(machine.root, "out.json");
  machine.boot({ ...settings, command: [process.execPath, "-e", REPORT], env: { OUT: out, ...settings?.env } });
  await workloadIsOver(machine);
  return JSON.parse(readFileSync(out, "utf8"));
}

const cachesIn = (found: Readonly<Record<string, string>>) => Object.fromEntries(CACHES.map((name) => [name, found[name]]));
const everyCacheAt = (folder: string) => Object.fromEntries(CACHES.map((name) => [name, join(folder, name)]));

test.each(KINDS)(
  "frameworks are told to keep their caches on the volume, and the token stays where it was ($name)",
  async ({ options }) => {
    const machine = await ownMachine(options);
    const found = await environment(machine);
    expect(cachesIn(found)).toEqual(everyCacheAt(join(machine.root, "data/spot/cache")));
    expect(found["HF_TOKEN_PATH"]).toBe(join(machine.root, "home/.cache/huggingface/token"));
    // For its owner only: what lies in it is run.
    expect(statSync(join(machine.volume, "spot/cache")).mode & 0o777).toBe(0o700);
    expect(existsSync(join(machine.volume, "spot/cache/.room"))).toBe(false);
    // Who comes in later finds the same.
    const inside = await machine.verb("exec", "--", "sh", "-c", 'printf %s "$VLLM_CACHE_ROOT"');
    expect(inside.stdout).toBe(found["VLLM_CACHE_ROOT"]);
  },
);

test("what the order or the image says of a cache stands, also when it says nothing", async () => {
  const machine = await ownMachine({ env: { TRITON_CACHE_DIR: "/from the image", CUDA_CACHE_PATH: "" } });
  const found = await environment(machine, { env: { HF_HOME: "/mine", OLLAMA_MODELS: "" } });
  const own = { HF_HOME: "/mine", OLLAMA_MODELS: "", TRITON_CACHE_DIR: "/from the image", CUDA_CACHE_PATH: "" };
  expect(cachesIn(found)).toEqual({ ...everyCacheAt(join(machine.root, "data/spot/cache")), ...own });
  // Whoever says where all of it is, says where the token is.
  expect(found["HF_TOKEN_PATH"]).toBeUndefined();
});

test.each([
  ["nobody wants that", { caches: false }],
  ["there is no volume", { volumeName: null, volumeMount: null }],
])("frameworks are told nothing where %s", async (_, settings) => {
  const found = await environment(await ownMachine(), settings);
  expect(Object.keys(found).filter((name) => CACHES.includes(name) || name === "HF_TOKEN_PATH")).toEqual([]);
});

test.each([
  ["full", (cache: string) => symlinkSync("/dev/full", join(cache, ".room"))],
  [
    "not to be written to",
    (cache: string) => {
      mkdirSync(join(cache, ".room"));
    },
  ],
])("a volume that is %s does not keep the workload from starting", async (_, spoil) => {
  const machine = await ownMachine();
  const cache = join(machine.volume, "spot/cache");
  mkdirSync(cache, { recursive: true });
  spoil(cache);
  const found = await environment(machine);
  expect(Object.keys(found).filter((name) => CACHES.includes(name))).toEqual([]);
  expect((await machine.status()).exitCode).toBe(0);
  expect(machine.log()).toContain("no caches on the volume: it is full");
});

test("the list of caches has no name twice, and none that the order sets", () => {
  expect(new Set(CACHES).size).toBe(CACHES.length);
  expect(cacheWords({ HF_HOME: "/mine" }).split(" ")).toEqual(CACHES.filter((name) => name !== "HF_HOME"));
});

/** What it was told to be done, in its order. */
async function marks(machine: Machine): Promise<readonly string[]> {
  return marksOf((await machine.status()).marks ?? "").map(({ phase }) => phase);
}

async function marksUntil(machine: Machine, last: string): Promise<readonly string[]> {
  return eventually(`the mark ${last}`, async () => {
    const all = await marks(machine).catch((): readonly string[] => []);
    return all.includes(last) ? all : undefined;
  });
}

test.each(KINDS)("what the workload marks is told with what the agent did before, each once ($name)", async ({ options }) => {
  const machine = await bootedMachine({}, options);
  expect(await marksUntil(machine, "restore")).toEqual(["boot", "mount", "restore"]);
  const file = (await machine.verb("exec", "--", "sh", "-c", 'printf %s "$SPOT_PHASES_FILE"')).stdout;
  // In two pieces, as a program without buffers writes it; names that are ours, that nobody can say, and a blank line.
  appendFileSync(file, "wei");
  appendFileSync(file, 'ghts 1700000001.25\nready\n"; rm -rf /\n\n');
  appendFileSync(file, "first-token");
  await marksUntil(machine, "workload-ready");
  appendFileSync(file, "\n");
  expect(await marksUntil(machine, "first-token")).toEqual(["boot", "mount", "restore", "weights", "workload-ready", "first-token"]);
  const status = await machine.status();
  expect(marksOf(status.marks ?? "").find(({ phase }) => phase === "weights")?.at).toBe(1_700_000_001.25);
  const seen = marksOf(status.marks ?? "").find(({ phase }) => phase === "first-token")?.at ?? 0;
  expect(seen).toBeGreaterThanOrEqual(status.startedAt ?? Number.POSITIVE_INFINITY);
  expect(seen).toBeLessThanOrEqual(status.saidAt ?? 0);
});

test.each(KINDS)("what was marked since the agent last looked is told at once, and told once ($name)", async ({ options }) => {
  const machine = await bootedMachine({}, options);
  await marksUntil(machine, "restore");
  const file = join(machine.root, "run/spot/phases");
  appendFileSync(file, "weights\n");
  await marksUntil(machine, "weights");
  const agent = Number(readFileSync(join(machine.root, "run/spot/agent-pid"), "utf8"));
  process.kill(agent, "SIGSTOP");
  appendFileSync(file, "no;word\ncompile 1700000001\nfirst-token\nhalf");
  const all = ["boot", "mount", "restore", "weights", "compile", "first-token"];
  const toldNow = async () => marksOf(parseMarks((await machine.verb("marks")).stdout)).map(({ phase }) => phase);
  expect(await toldNow()).toEqual(all);
  process.kill(agent, "SIGCONT");
  appendFileSync(file, " 1700000002\n");
  expect(await marksUntil(machine, "half")).toEqual([...all, "half"]);
  expect(await toldNow()).toEqual([...all, "half"]);
});

test("a workload that marks without end is heard to a limit, and the next boot begins anew", async () => {
  const machine = await bootedMachine({});
  await marksUntil(machine, "restore");
  const file = join(machine.root, "run/spot/phases");
  writeFileSync(file, `${"x".repeat(100)}\n${Array.from({ length: 500 }, (_, index) => `p${index}\n`).join("")}`, { flag: "a" });
  const all = await marksUntil(machine, "p31");
  expect(all).toHaveLength(3 + 32);
  await machine.kill();
  machine.boot({});
  expect(await marksUntil(machine, "restore")).toEqual(["boot", "mount", "restore"]);
});

test("what is no mark is passed over", () => {
  expect(marksOf("|x @boot|17 ok|18|| 19 a\tb|20 later 21|22 when 1700000000.5")).toEqual([
    { phase: "ok", at: 17 },
    { phase: "later", at: 20 },
    { phase: "when", at: 1_700_000_000.5 },
  ]);
  expect(marksOf("")).toEqual([]);
  expect(marksOf(`|5 ${"w".repeat(50)}`)).toEqual([{ phase: "w".repeat(32), at: 5 }]);
});
