import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { fakeAlibaba } from "../clouds/alibaba/alibaba.ts";
import { fakeAws } from "../clouds/aws/aws.ts";
import { motoAvailable } from "../clouds/aws/moto.ts";
import type { FakeServer } from "../clouds/fake-server.ts";
import { fakeGcp } from "../clouds/gcp/fake.ts";
import { fakeHyperstack } from "../clouds/hyperstack/hyperstack.ts";
import { type MachineRoom, machineRoom, machineRoomAvailable } from "../clouds/machine-room.ts";
import { fakePpio } from "../clouds/ppio/fake.ts";
import { fakeVerda } from "../clouds/verda/verda.ts";
import { clearHome } from "../processes/spot.ts";
import { PACKAGE_ROOT } from "../world.ts";
import { argumentsSeen, filesBelow, watchArguments } from "./searching.ts";

interface RentedCloud {
  /** What points the program at it. */
  readonly env: Readonly<Record<string, string>>;
  /** What must be found nowhere. */
  readonly canaries: readonly string[];
  readonly server: FakeServer;
  living(): readonly unknown[];
  volumes(): readonly unknown[];
  close(): Promise<void>;
}

async function aws(machines: MachineRoom): Promise<RentedCloud> {
  const fake = await fakeAws({ clock: systemClock, machines });
  return { ...fake, canaries: [fake.env["AWS_SECRET_ACCESS_KEY"] ?? "", fake.env["AWS_ACCESS_KEY_ID"] ?? ""] };
}

const CLOUDS: Readonly<Record<string, (machines: MachineRoom) => Promise<RentedCloud>>> = {
  ppio: async (machines) => {
    const fake = await fakePpio({ clock: systemClock, vendor: "ppio", machines });
    return { ...fake, canaries: [fake.credential] };
  },
  novita: async (machines) => {
    const fake = await fakePpio({ clock: systemClock, vendor: "novita", machines });
    return { ...fake, canaries: [fake.credential] };
  },
  hyperstack: async (machines) => {
    const fake = await fakeHyperstack({ clock: systemClock, machines });
    return { ...fake, canaries: Object.values(fake.env).filter((value) => value.startsWith("canary")) };
  },
  verda: async (machines) => {
    const fake = await fakeVerda({ clock: systemClock, machines });
    return { ...fake, canaries: Object.values(fake.env).filter((value) => value.startsWith("canary")) };
  },
  alibaba: async (machines) => {
    const fake = await fakeAlibaba({ clock: systemClock, machines });
    return { ...fake, canaries: Object.values(fake.env).filter((value) => value.startsWith("canary")) };
  },
  ...(motoAvailable() ? { aws } : {}),
  gcp: async (machines) => {
    const fake = await fakeGcp({ clock: systemClock, machines });
    return { ...fake, canaries: fake.secrets() };
  },
};

interface Life {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly answers: string;
  readonly home: string;
}

function spotProcess(home: string, env: Readonly<Record<string, string>>, argv: readonly string[]): ChildProcess {
  return spawn(process.execPath, [join(PACKAGE_ROOT, "bin", "spot"), ...argv], {
    env: { PATH: process.env["PATH"], HOME: home, SPOT_HOME: join(home, "spot"), NO_COLOR: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

async function program(
  home: string,
  env: Readonly<Record<string, string>>,
  argv: readonly string[],
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const child = spotProcess(home, env, argv);
  const [stdout, stderr] = [child.stdout, child.stderr].map(async (stream) => {
    let text = "";
    for await (const part of stream ?? []) text += String(part);
    return text;
  });
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, stdout: (await stdout) ?? "", stderr: (await stderr) ?? "" };
}

async function eventually<Value>(look: () => Promise<Value | undefined>, withinMs: number): Promise<Value> {
  const started = performance.now();
  for (;;) {
    const value = await look();
    if (value !== undefined) return value;
    if (performance.now() - started > withinMs) throw new Error("waited in vain");
    await systemClock.sleep(100);
  }
}

/** Runs the example script, whole, as a person would, with every call said. */
function live(folder: string, provider: string, env: Readonly<Record<string, string>>): Promise<Life> {
  const home = join(folder, "home");
  const answers = join(folder, "answers");
  mkdirSync(home, { recursive: true });
  const child = spawn("sh", [join(PACKAGE_ROOT, "examples", "any-cloud", "life.sh"), provider], {
    cwd: folder,
    env: {
      PATH: process.env["PATH"],
      HOME: home,
      SPOT_HOME: join(home, "spot"),
      SPOT: `${process.execPath} ${join(PACKAGE_ROOT, "bin", "spot")} --verbose`,
      ANSWERS: answers,
      NO_COLOR: "1",
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said.stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said.stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, ...said, answers, home }));
  });
}

/** What a script may rely on: the paths of all fields, whatever their values. What is null or empty is a path that ends there. */
function shapeOf(value: unknown, path = "$"): readonly string[] {
  if (Array.isArray(value)) return value.length === 0 ? [path] : [...new Set(value.flatMap((one) => shapeOf(one, `${path}[]`)))];
  if (typeof value === "object" && value !== null) return Object.entries(value).flatMap(([key, one]) => shapeOf(one, `${path}.${key}`));
  return [path];
}

/** The paths of one that the other lacks, although nothing in it is null or empty on the way there. */
function missing(from: readonly string[], inside: readonly string[]): readonly string[] {
  const isOnTheWay = (short: string, long: string) => long === short || long.startsWith(`${short}.`) || long.startsWith(`${short}[]`);
  return from.filter((path) => !inside.some((other) => isOnTheWay(other, path) || isOnTheWay(path, other)));
}

function schemasOf(answers: string): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(answers)
    .filter((file) => file.endsWith(".json"))
    .sort())
    found[name] = JSON.parse(readFileSync(join(answers, name), "utf8")).schema;
  return found;
}

function shapesOf(answers: string): Readonly<Record<string, readonly string[]>> {
  const files = ["up", "ls", "show", "volumes", "offers", "snapshot", "checkpoints", "hibernate", "down"];
  return Object.fromEntries(
    // An event has fields of its own, by what happened.
    files.map((name) => [
      name,
      [...new Set(shapeOf(JSON.parse(readFileSync(join(answers, `${name}.json`), "utf8"))))]
        .filter((path) => !path.startsWith("$.data.events[]"))
        .sort(),
    ]),
  );
}

/** How it slept and how it woke, as the answers say. */
function sleepOf(answers: string): unknown {
  const answer = (name: string) => JSON.parse(readFileSync(join(answers, `${name}.json`), "utf8"));
  const { asleep } = answer("sleeping").data;
  const { wake } = answer("restore");
  // What is marked right before it is ready may not have been seen by then.
  const names = wake.phases.map(({ phase }: { phase: string }) => phase).filter((phase: string) => phase !== "warm");
  return {
    asleep: [asleep.memory.value, asleep.billed.volume.value, asleep.refusals],
    wake: [wake.outcome, wake.readyBy, names],
    served: answer("awake").data.wakes.served,
  };
}

/** On every kind of machine the same: what it marks is heard, and it is ready when it says so. */
const SLEPT = {
  asleep: ["lost", "billed", []],
  wake: ["ready", ["command"], ["ask", "provider", "boot", "mount", "restore", "counting", "ready"]],
  served: 1,
};

const lives = new Map<string, { readonly schemas: unknown; readonly shapes: Readonly<Record<string, readonly string[]>> }>();
const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
});

function newFolder(provider: string): string {
  const folder = mkdtempSync(join(tmpdir(), `spot-life-${provider}-`));
  folders.push(folder);
  return folder;
}

test("the script on local", async () => {
  const folder = newFolder("local");
  try {
    const life = await live(folder, "local", {});
    expect(life.stderr.split("\n").slice(-12).join("\n")).toContain("== done");
    expect(life.code).toBe(0);
    expect(sleepOf(life.answers)).toEqual(SLEPT);
    lives.set("local", { schemas: schemasOf(life.answers), shapes: shapesOf(life.answers) });
  } finally {
    await clearHome(join(folder, "home", "spot"));
  }
}, 300_000);

describe.skipIf(!machineRoomAvailable())("the script on rented machines", () => {
  for (const [provider, make] of Object.entries(CLOUDS))
    test(`${provider}: the same script, the same schemas, nothing left, and its credentials nowhere`, async () => {
      const machines = await machineRoom();
      const cloud = await make(machines);
      const watching = watchArguments();
      try {
        const folder = newFolder(provider);
        const life = await live(folder, provider, cloud.env);
        expect(life.stderr.split("\n").slice(-12).join("\n")).toContain("== done");
        expect(life.code).toBe(0);
        expect(sleepOf(life.answers)).toEqual(SLEPT);
        expect([cloud.living(), cloud.volumes()]).toEqual([[], []]);
        lives.set(provider, { schemas: schemasOf(life.answers), shapes: shapesOf(life.answers) });
        const seen = argumentsSeen(await watching.stop());
        const places = [life.stdout, life.stderr, ...seen, ...filesBelow(folder)];
        expect(places.length).toBeGreaterThan(20);
        // User data and start commands are what the cloud was sent; only the request for a token may hold a secret.
        const sent = cloud.server.requests.filter(({ path }) => !path.endsWith("/oauth2/token")).map(({ body }) => body);
        expect(sent.some((body) => body.length > 10_000)).toBe(true);
        places.push(...sent);
        for (const canary of cloud.canaries) {
          expect(canary.length).toBeGreaterThan(15);
          expect(places.filter((text) => text.includes(canary)).map((text) => text.slice(0, 200))).toEqual([]);
        }
      } finally {
        await watching.stop();
        await cloud.close();
        await machines.close();
      }
    }, 600_000);

  test("novita: a notice that only the list tells reaches the job's hook over ssh, with its deadline, and the work outlives the machine", async () => {
    const machines = await machineRoom();
    const cloud = await fakePpio({ clock: systemClock, vendor: "novita", machines });
    const home = newFolder("notice");
    const spot = (...argv: readonly string[]) => program(home, cloud.env, argv);
    try {
      const hook = 'echo "$SPOT_REASON $SPOT_DEADLINE" >"$SPOT_CHECKPOINT_DIR/hooked"';
      const work = 'date +%s >"$SPOT_CHECKPOINT_DIR/began"; while :; do sleep 1; done';
      const up = await spot("up", "--yes", "--name", "train", "--volume", "work:20", "--checkpoint-hook", hook, "--", "sh", "-c", work);
      expect(up).toMatchObject({ code: 0 });
      const [first] = cloud.living();
      const deadline = Math.floor(Date.now() / 1000) + 25;
      cloud.reclaim(first?.providerId ?? "", 25);
      const watching = spotProcess(home, cloud.env, ["watch", "--act"]);
      try {
        const second = await eventually(async () => {
          const [now] = cloud.living();
          return now !== undefined && now.providerId !== first?.providerId && now.status === "running" ? now : undefined;
        }, 120_000);
        expect(second.providerId).not.toBe(first?.providerId);
        const wait = await spot("wait", "train", "--for", "running", "--timeout", "2m");
        expect(wait.code).toBe(0);
      } finally {
        watching.kill("SIGINT");
      }
      const shown = await spot("exec", "train", "--", "sh", "-c", 'cat "$SPOT_CHECKPOINT_DIR/hooked"; echo "from $SPOT_RESTORED_FROM"');
      const [reason, told] = (shown.stdout.split("\n")[0] ?? "").split(" ");
      expect(reason).toBe("notice");
      expect(Math.abs(Number(told) - deadline)).toBeLessThanOrEqual(3);
      expect(shown.stdout).toMatch(/from c-/);
      expect((await spot("down", "train", "--yes")).code).toBe(0);
      expect(cloud.living()).toEqual([]);
    } finally {
      await cloud.close();
      await machines.close();
    }
  }, 300_000);

  test("all of them print the same schemas", () => {
    const names = [...lives.keys()];
    expect(names).toEqual(["local", ...Object.keys(CLOUDS)]);
    const [local] = lives.values();
    for (const [name, { schemas, shapes }] of lives) {
      expect({ name, schemas }).toEqual({ name, schemas: local?.schemas });
      for (const [answer, shape] of Object.entries(shapes)) {
        const ours = local?.shapes[answer] ?? [];
        expect({ name, answer, lacks: missing(ours, shape), adds: missing(shape, ours) }).toEqual({ name, answer, lacks: [], adds: [] });
      }
    }
  });
});
