import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import { SETTING_KEYS } from "../../model/setting-keys.ts";
import { type FollowedProgram, startFollowing } from "../../platform/followed-program.ts";
import { runProgram } from "../../platform/process.ts";
import { settingVariable } from "../../platform/settings.ts";
import { credentialVariables } from "../../providers/credentials.ts";
import { STATE_URL } from "../../state/state-place.ts";
import type { CommandContext } from "../command.ts";

/** Where the demo plays: a home of its own, so that nobody's fleet is touched, and real `spot` commands in it. */
export interface Stage {
  readonly home: string;
  /** Says a sentence of the story; `step` and `facts` are what a script reads. */
  tell(step: string, text: string, facts?: Readonly<Record<string, unknown>>): void;
  /** Runs `spot ARGS`, shows the command and, for people, its answer; returns its JSON data. */
  spot(args: readonly string[], show?: "answer" | "command" | "nothing"): Promise<unknown>;
  /** Runs `spot ARGS` unseen and returns its stdout as it is. */
  raw(args: readonly string[]): Promise<string>;
  /** Starts `spot ARGS` and hands each line of its stdout over as it comes. */
  follow(args: readonly string[], line: (text: string) => void): Promise<FollowedProgram>;
}

const COLUMNS_SHOWN = 100;

export function createStage(context: CommandContext, home: string, signal: AbortSignal): Stage {
  const { world, painter } = context;
  const columns = Math.min(COLUMNS_SHOWN, world.stdout.columns) - 4;
  const color = world.stdout.isTTY && !context.machine && context.options["color"] !== false && (world.env["NO_COLOR"] ?? "") === "";
  const env = {
    ...stageEnvironment(world.env),
    SPOT_HOME: home,
    COLUMNS: String(columns),
    ...(color ? { FORCE_COLOR: "1" } : { NO_COLOR: "1" }),
  };
  const say = (step: string, text: string, facts: Readonly<Record<string, unknown>> = {}) =>
    context.emit({ schema: "spot.demo/1", at: new Date(world.clock.now()).toISOString(), step, text, ...facts }, text);
  const run = async (args: readonly string[]) => runProgram([...world.selfCommand, ...args], { env, signal });
  const human = (text: string) => {
    if (!context.machine) world.stdout.write(text);
  };
  return {
    home,
    tell: (step, text, facts) => {
      if (!context.machine) world.stdout.write("\n");
      say(step, context.machine ? text : wrapped(text, world.stdout.columns), facts);
    },
    async spot(args, show = "answer") {
      if (show !== "nothing") human(`  ${painter.dim("$")} ${painter.cyan(`spot ${args.map(quoted).join(" ")}`)}\n`);
      const answer = await run(withJson(args));
      if (answer.code !== EXIT.done) throw failed(args, answer.code, answer.stderr);
      if (show === "answer" && !context.machine) human(indented(await rendered(args)));
      return dataOf(answer.stdout);
    },
    async raw(args) {
      const answer = await run(args);
      if (answer.code !== EXIT.done) throw failed(args, answer.code, answer.stderr);
      return answer.stdout;
    },
    follow: (args, line) => startFollowing([...world.selfCommand, ...args], env, line),
  };

  /** What the command shows to people; commands that change something are not run twice for that. */
  async function rendered(args: readonly string[]): Promise<string> {
    const [verb = ""] = args;
    const isReading = ["offers", "ls", "show", "cost", "compare", "checkpoints", "volumes"].includes(verb);
    return (await run(isReading ? args : ["ls"])).stdout;
  }
}

/** Without the settings and the credentials of whoever watches: the demo plays on the embedded cloud, whatever is configured. */
export function stageEnvironment(env: CommandContext["world"]["env"]): Readonly<Record<string, string | undefined>> {
  const theirs = new Set([...SETTING_KEYS.map(({ key }) => settingVariable(key)), ...credentialVariables(), STATE_URL]);
  const kept = Object.fromEntries(Object.entries(env).filter(([name]) => !theirs.has(name)));
  return { ...kept, SPOT_PROVIDER: "local" };
}

/** `--json` goes before `--`: what stands behind belongs to the workload. */
function withJson(args: readonly string[]): readonly string[] {
  const end = args.indexOf("--");
  return end < 0 ? [...args, "--json"] : [...args.slice(0, end), "--json", ...args.slice(end)];
}

function dataOf(stdout: string): unknown {
  try {
    const document: unknown = JSON.parse(stdout);
    return typeof document === "object" && document !== null && "data" in document ? document.data : document;
  } catch {
    return undefined;
  }
}

function failed(args: readonly string[], code: number, stderr: string): Problem {
  return new Problem({ code: "SPOT_E_DEMO", message: `spot ${args[0]} ended with exit code ${code}: ${stderr.trim()}`, exit: EXIT.failed });
}

function indented(text: string): string {
  return text.replace(/^(?=.)/gm, "    ");
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function wrapped(text: string, width: number): string {
  const limit = Math.min(COLUMNS_SHOWN, width);
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= limit) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.join("\n");
}
