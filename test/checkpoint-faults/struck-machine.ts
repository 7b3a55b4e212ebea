import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { readCatalogue } from "../../src/checkpoints/catalogue.ts";
import { verifyCheckpoint } from "../../src/checkpoints/verify.ts";
import type { AgentSettings } from "../../src/guest/boot-script.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { agentSource, eventually, killGroup, type Machine, makeMachine } from "../guest/machine.ts";
import { type FaultyTools, makeFaultyTools, type ToolPlan } from "./faulty-tools.ts";
import { foldersContent, manifestsContent } from "./trees.ts";

/** A machine whose programs can be made to fail, and what it has promised so far. */
export interface StruckMachine {
  readonly machine: Machine;
  readonly tools: FaultyTools;
  /** Checkpoints that were reported sealed, and what each must hold. */
  readonly promised: Map<string, string>;
  /** Boots it and waits until its workload has begun. */
  boot(): Promise<void>;
  /**
   * Runs a verb of the agent with a fault at one of its programs' calls. `until`: for a verb that does not end by itself; the
   * machine is killed when it is so. `input`: what it reads.
   */
  strike(verb: readonly string[], plan: ToolPlan, until?: () => boolean, input?: Uint8Array): Promise<Struck>;
  /** Whether its workload has begun since the last boot. */
  hasBegun(): boolean;
  /** Whether its agent has come to look after a workload, which may be over already. */
  isUp(): boolean;
  /** As after `newRoot`, with the agent in place. */
  forgetAll(): void;
  close(): Promise<void>;
}

export interface Struck {
  /** The call that was struck; undefined where it was never reached. */
  readonly call: string | undefined;
  readonly calls: readonly string[];
  /** Null when it was killed. */
  readonly code: number | null;
  readonly stdout: string;
  readonly bytes: Buffer;
  readonly stderr: string;
}

const HUNG_MS = 60_000;

/** tmpfs where there is one: what is measured here is what was written, not the disk. */
const PLACE = existsSync("/dev/shm") ? { below: "/dev/shm" } : {};

export async function makeStruckMachine(settings: Partial<AgentSettings> = {}): Promise<StruckMachine> {
  const machine = await makeMachine(PLACE);
  const base = join(machine.root, "..");
  const folder = join(base, "faults");
  mkdirSync(folder);
  const tools = makeFaultyTools(folder, agentSource, machine.volume);
  const began = join(machine.root, "began");
  const isRun = (name: string) => existsSync(join(machine.root, "run/spot", name));
  const kind = { kind: "process", notices: "controller", endsItself: true, volumes: "mounted" } as const;
  return {
    machine,
    tools,
    promised: new Map(),
    async boot() {
      rmSync(began, { force: true });
      machine.boot({ machine: kind, command: ["sh", "-c", ': >"$SPOT_ROOT/began"; exec sleep 1000'], ...settings });
      await eventually("the workload", () => (existsSync(began) ? true : undefined)).catch((error: unknown) => {
        throw new Error(`${error}: ${machine.log().slice(-500)}`);
      });
    },
    hasBegun: () => existsSync(began),
    isUp: () => isRun("heartbeat") && (existsSync(began) || isRun("exit-code")),
    forgetAll() {
      for (const name of [began, join(machine.root, "run/spot"), machine.checkpointFolder]) rmSync(name, { recursive: true, force: true });
      const lib = join(machine.root, "var/lib/spot");
      for (const name of readdirSync(lib))
        if (!["agent.sh", "settings.env"].includes(name)) rmSync(join(lib, name), { recursive: true, force: true });
    },
    async strike(verb, plan, until, input) {
      tools.arm(plan);
      const agent = join(machine.root, "var/lib/spot/agent.sh");
      const child = spawn("/bin/sh", ["-c", `echo $$ >${tools.mainFile}; exec /bin/sh "$0" "$@"`, agent, ...verb], {
        cwd: machine.root,
        env: { ...machine.reach.env, PATH: tools.path },
        detached: true,
        stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      });
      // One that ends before it has read all.
      child.stdin?.on("error", () => {});
      child.stdin?.end(input);
      const out: Buffer[] = [];
      const err: Buffer[] = [];
      child.stdout?.on("data", (chunk) => out.push(chunk));
      child.stderr?.on("data", (chunk) => err.push(chunk));
      const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
      const hung = setTimeout(() => killGroup(child.pid ?? 0), HUNG_MS);
      const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
      if (until !== undefined) {
        let isOver = false;
        void ended.then(() => {
          isOver = true;
        });
        while (!isOver && !until()) await systemClock.sleep(20);
      } else await ended;
      clearTimeout(hung);
      const { struck, calls } = tools.disarm();
      const { exitCode, signalCode } = child;
      if (until !== undefined || signalCode !== null || exitCode === null) {
        killGroup(child.pid ?? 0);
        await machine.kill();
      }
      await closed;
      const bytes = Buffer.concat(out);
      return { call: struck, calls, code: exitCode, bytes, stdout: String(bytes), stderr: String(Buffer.concat(err)) };
    },
    close: () => machine.close(),
  };
}

/** Puts a volume that went away back to its place. */
export function bringVolumeBack({ machine: { volume } }: StruckMachine): void {
  if (!existsSync(`${volume}.gone`)) return;
  rmSync(volume, { recursive: true, force: true });
  renameSync(`${volume}.gone`, volume);
}

/** What is wrong with what lies on the volume: a listed checkpoint that does not verify, a promised one that is not listed. */
export async function volumeDamage({ machine, promised }: StruckMachine, states: ReadonlySet<string>): Promise<readonly string[]> {
  const { sealed, damaged } = await readCatalogue(machine.volume);
  const wrong = damaged.map(({ id, what }) => `${id} is listed as damaged: ${what}`);
  for (const { id } of sealed) {
    const { problems, manifest } = await verifyCheckpoint(join(machine.sealedFolder, id));
    wrong.push(...problems.map(({ path, what }) => `${id} does not verify: ${path} ${what}`));
    const content = manifest === null ? "" : manifestsContent(manifest);
    if (!states.has(content)) wrong.push(`${id} holds what the workload's folder never held:\n${content}`);
    const due = promised.get(id);
    if (due !== undefined && due !== content) wrong.push(`${id} holds something else than when it was sealed`);
  }
  const there = new Set(sealed.map(({ id }) => id));
  for (const id of promised.keys()) if (!there.has(id)) wrong.push(`${id} was sealed and is lost`);
  return wrong;
}

/** What the agent itself says of the volume must be what the controller reads there. */
export async function agentsView({ machine }: StruckMachine): Promise<readonly string[]> {
  const { sealed } = await readCatalogue(machine.volume);
  const said = await machine.verb("sealed");
  const listed = (said.stdout.match(/"id":"[^"]*"/g) ?? []).map((text) => text.slice(6, -1));
  const wrong: string[] = [];
  if (listed.join() !== sealed.map(({ id }) => id).join()) wrong.push(`the agent lists ${said.stdout}${said.stderr}`);
  const newest = sealed[0]?.id;
  if (newest === undefined) return wrong;
  const verified = await machine.verb("verify", newest);
  if (verified.code !== 0) wrong.push(`the agent's verify of ${newest}: ${verified.stdout}`);
  return wrong;
}

/** What is left lying that nobody will clear away. */
export function leftovers({ machine }: StruckMachine): readonly string[] {
  const known = new Set(["cache", "checkpoints", "pace", "volume"]);
  if (!existsSync(machine.sealedFolder)) return ["nothing was sealed"];
  const onVolume = readdirSync(join(machine.volume, "spot")).filter((name) => !known.has(name));
  const beside = readdirSync(machine.sealedFolder).filter((name) => !name.startsWith("c-"));
  const inside = ["freeze", "restoring"].filter((name) => existsSync(join(machine.root, "var/lib/spot", `.${name}`)));
  return [...onVolume, ...beside, ...inside].map((name) => `left for ever: ${name}`);
}

/** The content of the workload's folder now. */
export function liveContent({ machine }: StruckMachine): string {
  return foldersContent(machine.checkpointFolder);
}
