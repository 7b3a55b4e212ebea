import { resolve } from "node:path";
import type { Command } from "commander";
import { stringify } from "yaml";
import { parseFleetFile } from "../fleet/spec/fleet-file.ts";
import { flagFault, specsFromInput } from "../fleet/spec/spec.ts";
import { EXIT } from "../model/exit-codes.ts";
import { Problem, usageProblem } from "../model/problem.ts";
import { readFileIfThere, writeFileAtomic } from "../platform/files.ts";
import { cloudsWithCredentials, configuredProviders } from "../providers/configured.ts";
import { CLOUD_ACCESS } from "../providers/credentials.ts";
import { knownProviders } from "../providers/registry.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";

/** What a first fleet file says; each is asked for on a terminal unless its flag was given. */
interface Answers {
  readonly name: string;
  readonly provider: string;
  readonly gpu: string;
  readonly maxPrice: string;
  readonly ttl: string;
  readonly command: string;
}

interface Question {
  readonly key: keyof Answers;
  readonly flag: string;
  readonly ask: string;
  /** What an empty answer, and a missing flag without a terminal, mean; null must be said. */
  readonly fallback: string | null;
}

const QUESTIONS: readonly Question[] = [
  { key: "name", flag: "--name", ask: "A name for the instance", fallback: null },
  { key: "provider", flag: "--provider", ask: "Provider, or several by comma", fallback: "local" },
  { key: "gpu", flag: "--gpu", ask: "GPU, as MODEL or MODEL:COUNT (any for whatever is cheapest)", fallback: "any" },
  {
    key: "maxPrice",
    flag: "--max-price",
    ask: "The most you would pay for an hour of it, in USD or as 18CNY (empty for no limit)",
    fallback: "",
  },
  { key: "ttl", flag: "--ttl", ask: "End it by itself after (empty for never)", fallback: "" },
  { key: "command", flag: "--command", ask: "What to run on it", fallback: null },
];

/** One answer, checked as `up` would check it. Returns what is wrong, or true. */
function check(key: keyof Answers, value: string): true | string {
  if (value === "" && QUESTIONS.some((question) => question.key === key && question.fallback !== "")) return "this cannot be empty";
  if (value === "") return true;
  const source = { fault: flagFault, folder: "/", providers: ["local"], knownProviders: knownProviders(), fleet: null };
  try {
    specsFromInput({ name: "a", [key]: value }, source);
    return true;
  } catch (error) {
    return error instanceof Problem ? error.message : String(error);
  }
}

async function answer(context: CommandContext, question: Question): Promise<string> {
  const { key, flag, fallback } = question;
  const given = context.options[key];
  if (typeof given === "string") {
    const verdict = check(key, given);
    if (verdict !== true) throw usageProblem(verdict);
    return given;
  }
  if (!context.interactive) {
    if (fallback !== null) return fallback;
    throw usageProblem(`cannot ask for ${key} without a terminal`, `say it with ${flag}`, [
      "spot init --name train --command 'node train.mjs'",
    ]);
  }
  const { input } = await import("@inquirer/prompts");
  const { signal, stderr } = context.world;
  context.progress.stop();
  return input(
    {
      message: question.ask,
      ...(fallback === null || fallback === "" ? {} : { default: fallback }),
      validate: (text) => check(key, text.trim() === "" ? (fallback ?? "") : text.trim()),
    },
    { signal, ...(stderr.node === undefined ? {} : { output: stderr.node }) },
  ).then((text) => text.trim());
}

/** The file as a person would write it, with a line for editors on top. */
function fileText(file: string, answers: Answers): string {
  const instance = {
    name: answers.name,
    provider: answers.provider.includes(",") ? answers.provider.split(",").map((id) => id.trim()) : answers.provider,
    ...(answers.gpu === "any" ? {} : { gpu: answers.gpu }),
    billing: "spot",
    ...(answers.maxPrice === "" ? {} : { maxPrice: answers.maxPrice }),
    ...(answers.ttl === "" ? {} : { ttl: answers.ttl }),
    volume: { size: 10, mount: "/data" },
    onReclaim: "replace",
    command: answers.command,
  };
  const body = stringify({ fleet: answers.name, instances: [instance] }, { lineWidth: 0 });
  return `# spot up -f ${file} brings it up; spot schema > spot.schema.json lets editors complete this file.\n# yaml-language-server: $schema=./spot.schema.json\n${body}`;
}

/** Names the clouds whose credentials are there, never the credentials. @returns whom to ask when nobody says, by comma. */
async function sayWhatIsConfigured(context: CommandContext): Promise<string> {
  const { world, progress, interactive } = context;
  const clouds = await cloudsWithCredentials(world);
  const titles = CLOUD_ACCESS.filter(({ provider }) => clouds.includes(provider)).map(({ title }) => title);
  if (titles.length > 0) progress.note(`credentials found: ${titles.join(", ")}`);
  else if (interactive) progress.note("no credentials of a cloud found: local is this machine; spot provider login adds a cloud");
  return (await configuredProviders(world)).join(",");
}

/** Never over a file that is there, unless a person or `--yes` says so. */
async function mayWrite(context: CommandContext, file: string, path: string): Promise<void> {
  if ((await readFileIfThere(path)) === undefined) return;
  if (await context.confirm(`${file} exists. Overwrite it?`, "--yes")) return;
  throw new Problem({ code: "SPOT_E_DECLINED", message: `${file} was left as it is`, exit: EXIT.refused });
}

export const init: CommandModule = {
  configure(command: Command) {
    command
      .option("-f, --file <fleet file>", "where to write it", "spot.yaml")
      .option("--name <name>", "of the instance, and of the fleet")
      .option("--provider <ids>", "the configured ones when not given, local when there is none")
      .option("--gpu <model[:count]>", "any when not given")
      .option("--max-price <per hour>", "no limit when not given")
      .option("--ttl <duration>", "for ever when not given")
      .option("--command <command>", "what to run, as one shell command");
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const file = typeof context.options["file"] === "string" ? context.options["file"] : "spot.yaml";
    const path = resolve(context.world.cwd, file);
    const collected: Record<string, string> = {};
    const configured = await sayWhatIsConfigured(context);
    for (const question of QUESTIONS)
      collected[question.key] = await answer(context, question.key === "provider" ? { ...question, fallback: configured } : question);
    const { name = "", provider = "", gpu = "", maxPrice = "", ttl = "", command = "" } = collected;
    const text = fileText(file, { name, provider, gpu, maxPrice, ttl, command });
    // What we write must be what we read.
    parseFleetFile(file, text, context.world.cwd, { providers: ["local"], knownProviders: knownProviders() });
    if (context.options["dryRun"] !== true) {
      await mayWrite(context, file, path);
      await writeFileAtomic(path, text, 0o644);
    }
    const next = `${context.options["dryRun"] === true ? "nothing was written" : `written to ${file}`}; next: spot up -f ${file}`;
    return { view: { schema: "spot.init/1", data: { file: path, content: text }, render: () => `${text}\n${next}` } };
  },
};
