import { commandContext } from "./command-context.ts";
import { COMMANDS } from "./command-table.ts";
import { addNames, configureVerb, findVerb, newRoot, tableOf } from "./command-tree.ts";
import type { CommandModule, CommandResult } from "./commands/command.ts";
import { type GlobalFlags, readGlobalFlags } from "./global-flags.ts";
import { EXIT } from "./model/exit-codes.ts";
import { Problem, usageProblem } from "./model/problem.ts";
import { viewText } from "./output/format.ts";
import { painterFor } from "./output/painter.ts";
import { deadline } from "./platform/clock.ts";
import type { World } from "./platform/world.ts";
import { printVersion } from "./version.ts";

/** Wide enough to cut nothing: for stdout that is no terminal and has no COLUMNS. */
const ENDLESS_WIDTH = 1000;

/** Parses one command line, runs its verb and writes the answer; gives the exit code, throws what went wrong. */
export async function dispatch(argv: readonly string[], world: World, onVerb: (words: readonly string[]) => void): Promise<number> {
  const root = newRoot(world.stdout);
  const { operands, unknown } = root.parseOptions([...argv]);
  if (root.opts()["version"] === true) return printVersion(world);
  const askedForHelp = unknown.some((word) => word === "--help" || word === "-h");
  const bare = operands.length === 0 && !askedForHelp;
  const line = bare ? ["overview", ...argv] : argv;
  const verb = findVerb(bare ? ["overview"] : operands);
  if (verb === undefined) {
    if (!askedForHelp) throw missingVerb(operands);
    addNames(root, COMMANDS, operands);
    await root.parseAsync([...operands, "--help"], { from: "user" });
    return EXIT.done;
  }
  onVerb(verb.words);
  // Only the way to this verb: making all of the commands takes longer than the parsing.
  addNames(root, tableOf(verb));
  const module = await verb.leaf.load();
  const command = configureVerb(root, verb.words, module);
  await root.parseAsync([...line], { from: "user" });
  const options = command.optsWithGlobals();
  return runVerb(module, command.args, options, readGlobalFlags(options), world);
}

function missingVerb(operands: readonly string[]) {
  const command = ["spot", ...operands].join(" ");
  return usageProblem(`${command} needs a command`, undefined, [`${command} --help`]);
}

async function runVerb(
  module: CommandModule,
  args: readonly string[],
  options: Readonly<Record<string, unknown>>,
  flags: GlobalFlags,
  outside: World,
): Promise<number> {
  const cap = flags.timeoutMs === null ? undefined : deadline(outside.signal, flags.timeoutMs);
  const world = cap === undefined ? outside : { ...outside, signal: cap.signal };
  const { context, close } = await commandContext(world, args, options, flags);
  try {
    const result = await module.run(context);
    context.progress.stop();
    await writeAnswer(result, flags, world);
    if (result.problem !== undefined) throw result.problem;
    if (result.exit !== undefined) return result.exit;
    // Without an answer it has only come to its end because its time was over, as a watch does.
    if (result.view === undefined && cap?.signal.aborted === true && !outside.signal.aborted) throw timeIsUp(options["timeout"]);
    return exitOfSignal(outside.signal);
  } finally {
    context.progress.stop();
    cap?.done();
    await close();
  }
}

function timeIsUp(given: unknown) {
  return new Problem({
    code: "SPOT_E_TIMEOUT",
    message: `the time was up (--timeout ${String(given)})`,
    exit: EXIT.timeout,
    retryable: true,
    next: ["spot ls"],
  });
}

/** A command that came to its end although it was told to stop still says that it was stopped. */
function exitOfSignal(signal: AbortSignal): number {
  if (!signal.aborted) return EXIT.done;
  if (signal.reason === "SIGINT") return EXIT.interrupted;
  return signal.reason === "SIGTERM" ? EXIT.terminated : EXIT.done;
}

async function writeAnswer(result: CommandResult, flags: GlobalFlags, world: World): Promise<void> {
  if (result.view === undefined) return;
  const { stdout, env } = world;
  const text = await viewText(result.view, {
    format: flags.format,
    painter: await painterFor(stdout, env, flags.color),
    width: stdout.isTTY || env["COLUMNS"] !== undefined ? stdout.columns : ENDLESS_WIDTH,
    header: flags.header,
    indent: stdout.isTTY,
  });
  if (text !== "") stdout.write(text);
}
