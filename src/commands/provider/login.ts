import type { Command } from "commander";
import { problemOf } from "../../fleet/faults.ts";
import { EXIT } from "../../model/exit-codes.ts";
import { Problem, usageProblem } from "../../model/problem.ts";
import { detailView } from "../../output/detail-view.ts";
import { deadline } from "../../platform/clock.ts";
import { changeCredentials, credentialsFile } from "../../platform/secrets.ts";
import type { CloudAccess } from "../../providers/credentials.ts";
import { isFault } from "../../providers/errors.ts";
import { createProvider } from "../../providers/registry.ts";
import type { CommandContext, CommandModule, CommandResult } from "../command.ts";
import { namedCloud, warnOfEnvironment } from "./access.ts";

type Values = Readonly<Record<string, string>>;

const MOST_BYTES = 65_536;
const ANSWER_MS = 30_000;

/** `spot provider login NAME`: asks for credentials, tries them, and keeps them where only this user can read them. */
export const providerLogin: CommandModule = {
  configure(command: Command) {
    command
      .argument("<name>", "the provider, for example ppio")
      .option("--stdin", "read them from a pipe: NAME=value, or the bare value, a line each in the order of the variables")
      .option("--no-check", "keep them without trying them")
      .addHelpText(
        "after",
        `
Examples:
  $ spot provider login ppio
  $ pass show ppio | spot provider login ppio --stdin`,
      );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const { world, options, progress } = context;
    const access = namedCloud(context);
    refuseChain(access);
    const values = options["stdin"] === true ? await piped(context, access) : await asked(context, access);
    const instances = options["check"] === false ? null : await tried(context, access, values);
    await changeCredentials(world.home, values, world);
    warnOfEnvironment(context, access);
    progress.stop();
    const file = credentialsFile(world.home);
    const seen = instances === null ? "not tried" : `accepted, ${instances} instance${instances === 1 ? "" : "s"} in the account`;
    const data = { provider: access.provider, configured: true, stored: access.variables, checked: instances !== null, instances, file };
    const text = `the credentials of ${access.title} are kept in ${file} (${seen})\nnext: spot offers --provider ${access.provider}`;
    return { view: { ...detailView({ schema: "spot.provider/1", data, blocks: [] }), render: () => text } };
  },
};

/** @throws Problem (usage) for a cloud whose own tools keep its credentials: a copy of ours would only grow old. */
function refuseChain({ chain, title, provider }: CloudAccess): void {
  if (chain === undefined) return;
  throw usageProblem(`${title} keeps its credentials itself, and spot reads them there`, chain.login, [
    `spot offers --provider ${provider}`,
    "spot doctor",
  ]);
}

/** Asks on the terminal; nothing that is typed appears. */
async function asked(context: CommandContext, access: CloudAccess): Promise<Values> {
  const { world, progress, interactive } = context;
  if (!interactive)
    throw usageProblem(`cannot ask for ${access.variables.join(" and ")} without a terminal`, "pipe it in with --stdin", [
      `spot provider login ${access.provider} --stdin < FILE`,
    ]);
  progress.note(`${access.title}: ${access.obtain}`);
  progress.stop();
  const { password } = await import("@inquirer/prompts");
  const values: Record<string, string> = {};
  for (const name of access.variables)
    values[name] = (
      await password(
        { message: name, mask: false, toggleMask: false, validate: (text) => unfit(name, text.trim()) ?? true },
        { signal: world.signal, ...(world.stderr.node === undefined ? {} : { output: world.stderr.node }) },
      )
    ).trim();
  return values;
}

async function piped(context: CommandContext, access: CloudAccess): Promise<Values> {
  const { world } = context;
  if (world.stdinIsTTY) throw usageProblem("--stdin reads from a pipe, and this is a terminal", "leave it away to be asked unseen");
  let text: string;
  try {
    text = await world.readStdin(MOST_BYTES, world.signal);
  } catch (error) {
    if (error instanceof RangeError) throw usageProblem(`--stdin: ${error.message}`);
    throw error;
  }
  return valuesOf(text, access);
}

/**
 * `NAME=value` lines, and bare values for the names that are left, in their order. Nothing of a line is ever said again.
 * @throws Problem (usage).
 */
export function valuesOf(text: string, { variables, title }: Pick<CloudAccess, "variables" | "title">): Values {
  const lines = text
    .split(/\r?\n/)
    .map((line) => line.trim().replace(/^export\s+/, ""))
    .filter((line) => line !== "" && !line.startsWith("#"));
  const needed = variables.join(" and ");
  const named: Record<string, string> = {};
  const bare: string[] = [];
  for (const [index, line] of lines.entries()) {
    const name = variables.find((candidate) => line.startsWith(`${candidate}=`));
    if (name !== undefined) named[name] = unquoted(line.slice(name.length + 1));
    else if (/^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+=/.test(line))
      throw usageProblem(`--stdin: line ${index + 1} sets something that ${title} does not take`, `it takes ${needed}`);
    else bare.push(unquoted(line));
  }
  const left = variables.filter((name) => named[name] === undefined);
  if (bare.length > left.length) throw usageProblem(`--stdin: there are more lines than ${title} takes`, `it takes ${needed}`);
  for (const [index, name] of left.entries()) {
    const value = bare[index];
    if (value === undefined) throw usageProblem(`--stdin: ${name} is missing`, `it takes ${needed}`);
    named[name] = value;
  }
  for (const [name, value] of Object.entries(named)) {
    const wrong = unfit(name, value);
    if (wrong !== undefined) throw usageProblem(`--stdin: ${wrong}`);
  }
  return named;
}

function unquoted(text: string): string {
  return /^(["']).*\1$/.test(text) && text.length >= 2 ? text.slice(1, -1) : text;
}

/** What is wrong with a value, without the value; it travels in an HTTP header. */
function unfit(name: string, value: string): string | undefined {
  if (value === "") return `${name} is empty`;
  return /^[\x21-\x7e]{1,4096}$/.test(value) ? undefined : `${name} has a blank or a character that is not ASCII`;
}

/** Asks the cloud for its list, with these values. @returns how many instances it has. @throws Problem; nothing is kept then. */
async function tried({ world, progress }: CommandContext, access: CloudAccess, values: Values): Promise<number> {
  progress.step(`asking ${access.title}`);
  const limit = deadline(world.signal, ANSWER_MS);
  try {
    const provider = await createProvider(access.provider, { ...world, env: { ...world.env, ...values } });
    return (await provider.list({ signal: limit.signal })).length;
  } catch (error) {
    world.signal.throwIfAborted();
    if (isFault(error, "auth"))
      throw new Problem({
        code: "SPOT_E_CREDENTIALS",
        message: `${access.title} refuses these credentials: ${error.message}`,
        hint: `nothing was kept; they are made at ${access.obtain}`,
        next: [`spot provider login ${access.provider}`],
        exit: EXIT.credentials,
        cause: error,
      });
    const known = problemOf(error);
    if (!(known instanceof Problem)) throw error;
    throw new Problem({
      code: known.code,
      message: `the credentials could not be tried: ${known.message}`,
      hint: "nothing was kept; --no-check keeps them untried",
      next: [`spot provider login ${access.provider} --no-check`],
      exit: EXIT.failed,
      retryable: known.retryable,
      cause: error,
    });
  } finally {
    limit.done();
  }
}
