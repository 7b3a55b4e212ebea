import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";

const PROGRAM = fileURLToPath(new URL("../../examples/serve/server.mjs", import.meta.url));
const SMALL = ["--port", "0", "--weights-mb", "2", "--download-mbps", "100", "--compile-work", "1", "--graph-sizes", "1"];
const CACHES = ["HF_HOME", "VLLM_CACHE_ROOT", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"];

interface Server {
  readonly child: ChildProcess;
  readonly url: string;
  readonly said: () => string;
  readonly ended: Promise<number | NodeJS.Signals | null>;
  /** What it says when it is ready. */
  readonly ready: () => Promise<string>;
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "spot-serve-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function start(folder: string, args: readonly string[] = SMALL): Promise<Server> {
  const caches = Object.fromEntries(CACHES.map((name) => [name, join(folder, name)]));
  const env = { PATH: process.env["PATH"], HOME: folder, SPOT_PHASES_FILE: join(folder, "phases"), ...caches };
  const child = spawn(process.execPath, [PROGRAM, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (more: string) => {
      text += more;
    });
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => child.once("close", (code, signal) => resolve(code ?? signal)));
  await expect.poll(() => text).toMatch(/^listening on \S+, not ready$|^serve: /m);
  const url = `http://${/listening on (\S+),/.exec(text)?.[1]}`;
  const ready = async (): Promise<string> => {
    await expect.poll(() => text).toContain("\nready after ");
    return text;
  };
  return { child, url, said: () => text, ended, ready };
}

async function complete({ url }: Server, body: unknown): Promise<{ readonly status: number; readonly answer: unknown }> {
  const response = await fetch(`${url}/v1/completions`, { method: "POST", body: JSON.stringify(body) });
  return { status: response.status, answer: await response.json() };
}

async function stop(server: Server): Promise<void> {
  server.child.kill("SIGTERM");
  expect(await server.ended, server.said()).toBe(0);
}

const COLD = ["2 MB downloaded", "compiled graph, code, kernels ", "captured for batches of 1"];
const WARM = ["2 MB found", "found graph, code, kernels ", "captured for batches of 1"];

function howIn(said: string): readonly string[] {
  const how = /^weights: (2 MB \w+)[\s\S]*^compile: (.*)\(key[\s\S]*^graphs: (captured for batches of 1)/m.exec(said);
  return how?.slice(1) ?? [said];
}

test("cold it downloads and compiles, warm it finds both and captures its graphs again; it answers the same", async () => {
  const folder = temporaryFolder();
  const cold = await start(folder);
  expect(howIn(await cold.ready())).toEqual(COLD);
  expect((await fetch(`${cold.url}/health`)).status).toBe(200);
  const answer = await complete(cold, { prompt: "Hello", max_tokens: 5, seed: 3 });
  expect(answer).toMatchObject({ status: 200, answer: { object: "text_completion", model: "toy-7b" } });
  expect(await complete(cold, { prompt: "Hello", max_tokens: 5, seed: 4 })).not.toEqual(answer);
  await stop(cold);

  const warm = await start(folder);
  expect(howIn(await warm.ready())).toEqual(WARM);
  expect(await complete(warm, { prompt: "Hello", max_tokens: 5, seed: 3 })).toEqual(answer);
  await stop(warm);
  const marks = readFileSync(join(folder, "phases"), "utf8");
  expect(marks.replaceAll(/ \d{10}\.\d{3}$/gm, " TIME")).toBe("weights TIME\ncompile TIME\ngraphs TIME\nfirst-token TIME\n".repeat(2));
});

test("what is damaged, cut off, or compiled for something else is a miss", async () => {
  const folder = temporaryFolder();
  const first = await start(folder);
  await first.ready();
  await stop(first);
  const key = /\(key (\w+)\)/.exec(first.said())?.[1] ?? "";
  const kernels = join(folder, "TRITON_CACHE_DIR", key, "kernels.bin");
  const spoiled = readFileSync(kernels);
  spoiled[500] = (spoiled[500] ?? 0) ^ 1;
  writeFileSync(kernels, spoiled);
  truncateSync(join(folder, "HF_HOME", "hub", "models--toy-7b", "weights.bin"), 1_500_000);
  const second = await start(folder);
  expect(howIn(await second.ready())).toEqual(["2 MB downloaded", "compiled kernels; found graph, code ", "captured for batches of 1"]);
  await stop(second);
  const other = await start(folder, [...SMALL, "--compile-work", "2"]);
  expect(howIn(await other.ready())).toEqual(["2 MB found", "compiled graph, code, kernels ", "captured for batches of 1"]);
  await stop(other);
});

test("while it downloads it says 503; stopped meanwhile, it leaves nothing that looks like weights", async () => {
  const folder = temporaryFolder();
  const server = await start(folder, ["--port", "0", "--download-mbps", "1"]);
  const model = join(folder, "HF_HOME", "hub", "models--toy-7b");
  await expect.poll(() => readdirSync(folder).includes("HF_HOME") && readdirSync(model).length).toBe(1);
  expect((await fetch(`${server.url}/health`)).status).toBe(503);
  expect(await complete(server, { prompt: "Hello" })).toEqual({ status: 503, answer: { error: { message: "warming up" } } });
  await stop(server);
  expect(readdirSync(model)).toEqual([]);
});

test("a request that makes no sense is refused in words, and a wrong option is a usage error", async () => {
  const server = await start(temporaryFolder());
  await server.ready();
  expect(await complete(server, { prompt: 1 })).toEqual({ status: 400, answer: { error: { message: "prompt wants a text" } } });
  expect((await complete(server, { prompt: "x", max_tokens: 0 })).status).toBe(400);
  expect((await fetch(`${server.url}/v1/elsewhere`)).status).toBe(404);
  await stop(server);
  for (const [option, message] of [
    [["--port", "many"], /--port wants a whole number/],
    [["--model", "../x"], /--model wants/],
    [["--prot", "1"], /--prot/],
  ] as const) {
    const wrong = await start(temporaryFolder(), option);
    expect(await wrong.ended).toBe(2);
    expect(wrong.said()).toMatch(message);
  }
});
