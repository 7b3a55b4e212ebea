import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { freePort } from "../free-port.ts";
import { clearHome, dataOf, type Ended, runSpot } from "../processes/spot.ts";
import { PACKAGE_ROOT } from "../world.ts";

const FLEET_FILE = join(PACKAGE_ROOT, "examples", "serve", "spot.yaml");
const COLD = "24 MB downloaded · compiled graph, code, kernels";
const WARM = "24 MB found · found graph, code, kernels";

/** A command of spot that must succeed; `inside` is what runs on the machine. */
async function done(home: string, argv: readonly string[], inside: readonly string[] = []): Promise<Ended> {
  const ended = await runSpot(home, [...argv, "--json", ...(inside.length === 0 ? [] : ["--", ...inside])]);
  expect(ended.code, `spot ${argv.join(" ")}: ${ended.stdout} ${ended.stderr}`).toBe(0);
  return ended;
}

/** What the server says of its last start: from where it has its weights and what it compiled, and the line with the time. */
async function lastStart(home: string): Promise<{ readonly how: string; readonly ready: string }> {
  const { stdout } = await runSpot(home, ["logs", "toy"]);
  const said = stdout.slice(stdout.lastIndexOf("listening on "));
  const weights = /^weights: (24 MB \w+)/m.exec(said)?.[1];
  const compile = /^compile: (.*) \(key/m.exec(said)?.[1];
  return { how: `${weights} · ${compile}`, ready: /^ready after .*$/m.exec(said)?.[0] ?? said };
}

async function answerOf(port: number): Promise<unknown> {
  const request = { method: "POST", body: JSON.stringify({ prompt: "Once", max_tokens: 12, seed: 1 }) };
  const response = await fetch(`http://127.0.0.1:${port}/v1/completions`, request);
  expect(response.status).toBe(200);
  return response.json();
}

/** Where the time of its last wake went, as `spot show` has it. */
async function lastWake(home: string): Promise<readonly { readonly phase: string; readonly seconds: number }[]> {
  const shown = JSON.parse((await done(home, ["show", "toy"])).stdout);
  expect(shown.data.wakes.last).toMatchObject({ outcome: "ready", readyBy: ["http"] });
  return shown.data.wakes.last.phases;
}

test("a wake is cold without caches and warm with those on the volume, on the same machine and on another", async () => {
  const home = mkdtempSync(join(tmpdir(), "spot-serve-"));
  onTestFinished(() => clearHome(home));
  const port = await freePort();
  await done(home, ["local", "market", "--provisioning", "200ms", "--hibernate", "200ms", "--restore", "200ms"]);
  const server = ["node", "server.mjs", "--port", String(port)];
  await done(home, ["up", "-f", FLEET_FILE, "--yes", "--ready-http", `:${port}/health`], server);
  expect((await lastStart(home)).how).toBe(COLD);
  const answer = await answerOf(port);

  // The measure: as if nothing were kept.
  await done(home, ["exec", "toy"], ["sh", "-c", 'rm -r "$SPOT_VOLUME_DIR/spot/cache"']);
  const told: string[] = [];
  for (const [what, expected] of [
    ["cold, on the same machine", COLD],
    ["warm, on the same machine", WARM],
    ["warm, on another machine", WARM],
  ] as const) {
    if (what.endsWith("another machine")) {
      await done(home, ["local", "reclaim", "toy", "--notice", "0s"]);
      await expect.poll(async () => (await runSpot(home, ["reconcile", "--json"])).code, { timeout: 60_000 }).toBe(0);
      expect(dataOf(await done(home, ["ls"]))[0]?.["state"]).toBe("hibernated");
    } else await done(home, ["hibernate", "toy"]);
    await done(home, ["restore", "toy", "--yes"]);
    const { how, ready } = await lastStart(home);
    expect(how, what).toBe(expected);
    expect(await answerOf(port), what).toEqual(answer);
    const phases = await lastWake(home);
    // What it did in the blink before it served may be seen too late to be told apart; the slow parts of a cold start are not.
    if (expected === COLD)
      expect(phases.map(({ phase }) => phase)).toEqual(expect.arrayContaining(["restore", "weights", "compile", "ready"]));
    told.push(`  ${what}: ${ready}; the wake: ${phases.map(({ phase, seconds }) => `${phase} ${seconds.toFixed(1)} s`).join(", ")}\n`);
  }
  process.stdout.write(told.join(""));
}, 600_000);
