import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { insideEnv, reachOf } from "../fleet/reach.ts";
import { agentLine } from "../guest/run-verb.ts";
import { sshAccess } from "../guest/ssh-access.ts";
import { EXIT } from "../model/exit-codes.ts";
import { Problem, usageProblem } from "../model/problem.ts";
import { runOnStreams, type Screens } from "../platform/attached-program.ts";
import { attachSsh } from "../platform/ssh.ts";
import type { World } from "../platform/world.ts";
import type { Reach } from "../providers/provider.ts";
import type { InstanceRecord } from "../state/records.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { namedInstance, openFleet, requiredName } from "./fleet-context.ts";

export const exec: CommandModule = {
  configure(command: Command) {
    command
      .argument("<name>", "the instance")
      .argument("[command...]", "what to run, behind --; word by word, no shell reads it")
      .addHelpText("after", "\nIt runs with the workload's environment, in its folder. Its exit code is kept.");
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const { world } = context;
    const record = await namedInstance(context, requiredName(context));
    const argv = context.args.slice(1);
    if (argv.length === 0) throw usageProblem("nothing to run", `for example: spot exec ${record.name} -- nvidia-smi`);
    const reach = await reachOf(await openFleet(context), record, world.signal);
    context.progress.stop();
    const terminal = personSits(world);
    const screens = terminal ? null : world;
    if (reach.kind === "process") return { exit: await runHere(world, reach, record, argv, screens) };
    const options = { terminal, screens, signal: world.signal };
    return { exit: await attachSsh(sshAccess(world), reach, agentLine(["exec", "--", ...argv]), options) };
  },
};

/** Somebody works at a terminal, and both sides of it are that terminal. */
export function personSits(world: World): boolean {
  return world.stdinIsTTY && world.stdout.isTTY;
}

/** Runs a program in a machine of the embedded cloud, on our streams; `screens` as `runOnStreams` takes them. */
export async function runHere(
  world: World,
  reach: Extract<Reach, { readonly kind: "process" }>,
  record: InstanceRecord,
  argv: readonly string[],
  screens: Screens | null,
): Promise<number> {
  const name = world.env["TERM"];
  const env = { ...insideEnv(reach, record), ...(name === undefined ? {} : { TERM: name }) };
  const leave = await signIn(world, reach);
  try {
    return await runOnStreams(argv, screens, { cwd: record.spec.workdir ?? reach.cwd, env, signal: world.signal });
  } catch (error) {
    world.signal.throwIfAborted();
    throw new Problem({
      code: "SPOT_E_EXEC",
      message: `${argv[0]} could not be started: ${error instanceof Error ? error.message : String(error)}`,
      exit: EXIT.failed,
      cause: error,
    });
  } finally {
    await leave();
  }
}

/** Tells the machine's agent that somebody is here, so that it does not end meanwhile for being idle; best effort. */
async function signIn({ pid }: World, { env }: Extract<Reach, { readonly kind: "process" }>): Promise<() => Promise<void>> {
  const run = join(env["SPOT_ROOT"] ?? "", "run/spot");
  const mine = join(run, "sessions", String(pid));
  if (existsSync(run))
    await mkdir(join(run, "sessions"), { recursive: true })
      .then(() => writeFile(mine, ""))
      .catch(() => undefined);
  return () => rm(mine, { force: true }).catch(() => undefined);
}
