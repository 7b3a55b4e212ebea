import { EXIT } from "../model/exit-codes.ts";
import { Problem, usageProblem } from "../model/problem.ts";
import { type Keeper, type KeeperWorld, type ServicePlan, STILL } from "./service-plan.ts";
import { failed, type Programs, type Ran } from "./service-programs.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Vixie's cron cuts a command at 999 characters, and says nothing. */
const MOST_BYTES = 990;

/**
 * The five fields for a time between two passes that cron can say: whole minutes that divide an hour, or hours that divide a day.
 * @throws Problem (usage).
 */
export function cronSchedule(everyMs: number): string {
  const minutes = everyMs / MINUTE_MS;
  if (Number.isInteger(minutes) && minutes >= 1) {
    if (minutes < 60 && 60 % minutes === 0) return minutes === 1 ? "* * * * *" : `*/${minutes} * * * *`;
    const hours = minutes / 60;
    if (Number.isInteger(hours) && 24 % hours === 0) return hours === 1 ? "0 * * * *" : hours === 24 ? "0 0 * * *" : `0 */${hours} * * *`;
  }
  throw usageProblem("--every: cron knows only parts of an hour and of a day", "1m, 2m, 3m, 4m, 5m, 6m, 10m, 12m, 15m, 20m, 30m, 1h, 2h …");
}

/**
 * One word for the shell inside a crontab. Cron ends a command at a bare percent sign, and some crons read a doubled backslash
 * as one: so a percent sign stands outside the quotes behind a backslash, which cron or else the shell takes away, and each
 * backslash stands in quotes of its own. A newline cannot be written in a line; the third character of IFS is one.
 */
export function cronWord(text: string): string {
  if (/^[\w./:=,@+-]+$/.test(text)) return text;
  const parts = text.split(/(['%\\\n])/).filter((part) => part !== "");
  return parts.map((part) => WORDS[part] ?? `'${part}'`).join("") || "''";
}

// biome-ignore lint/suspicious/noTemplateCurlyInString: the shell is to read it
const WORDS: Readonly<Record<string, string>> = { "'": `"'"`, "%": "\\%", "\\": "'\\'", "\n": '"${IFS#??}"' };

/** The crontab's line. @throws Problem (usage) when cron would cut it off. */
export function cronLine(plan: ServicePlan): string {
  const { node, program, environment, envFile, logFile, everyMs } = plan;
  const command = [
    ...(envFile === null ? [] : [`set -a; . ${cronWord(envFile)}; set +a;`]),
    ...Object.entries(environment).map(([name, value]) => `${name}=${cronWord(value)}`),
    ...[node, program, "reconcile", "--quiet", "--no-color"].map(cronWord),
    `>/dev/null 2>>${cronWord(logFile)}`,
  ].join(" ");
  const bytes = Buffer.byteLength(command);
  if (bytes > MOST_BYTES)
    throw usageProblem(
      `cron would cut off a command of ${bytes} bytes (${MOST_BYTES} are safe)`,
      "a shorter SPOT_HOME, or fewer variables in this shell; --systemd has no such limit",
    );
  return `${cronSchedule(everyMs)} ${command}`;
}

const opening = (tag: string) => `# >>> spot service${tag} >>>`;
const closing = (tag: string) => `# <<< spot service${tag} <<<`;

/** What stands between our two marks, with them: the block's lines, or undefined. @throws Problem when a mark is alone. */
function findBlock(crontab: string, tag: string): { readonly before: string; readonly block: string; readonly after: string } | undefined {
  const lines = crontab.split("\n");
  const from = lines.indexOf(opening(tag));
  const to = lines.indexOf(closing(tag));
  const isTwice = lines.lastIndexOf(opening(tag)) !== from || lines.lastIndexOf(closing(tag)) !== to;
  if (from === -1 && to === -1) return undefined;
  if (from === -1 || to < from || isTwice)
    throw new Problem({
      code: "SPOT_E_SERVICE",
      message: `the crontab holds a mark of spot without its other half, or twice`,
      hint: `nothing was changed; the block goes from "${opening(tag)}" to "${closing(tag)}"`,
      next: ["crontab -e"],
      exit: EXIT.failed,
    });
  const joined = (part: readonly string[]) => part.map((line) => `${line}\n`).join("");
  return { before: joined(lines.slice(0, from)), block: joined(lines.slice(from, to + 1)), after: lines.slice(to + 1).join("\n") };
}

/** The crontab with this block in the place of the one of that tag, or behind everything. The rest stays, byte for byte. */
export function withBlock(crontab: string, tag: string, block: string): string {
  const found = findBlock(crontab, tag);
  if (found !== undefined) return `${found.before}${block}${found.after}`;
  // Cron itself refuses a last line without its end.
  return `${crontab}${crontab === "" || crontab.endsWith("\n") ? "" : "\n"}${block}`;
}

export function withoutBlock(crontab: string, tag: string): string {
  const found = findBlock(crontab, tag);
  return found === undefined ? crontab : `${found.before}${found.after}`;
}

const blockText = (tag: string, plan: ServicePlan) =>
  [
    opening(tag),
    "# Written by `spot service install`, which also changes it; `spot service uninstall` removes it.",
    cronLine(plan),
    closing(tag),
    "",
  ].join("\n");

/** cron, which makes one pass at a time. */
export function cronKeeper({ tag, run, logFile }: KeeperWorld): Keeper {
  return {
    kind: "cron",
    name: `spot service${tag}`,
    path: "crontab",
    log: `tail ${logFile}`,
    async unfit() {
      const ran = await run(["crontab", "-l"]);
      if (ran.code === 127) return "there is no crontab";
      return ran.code === 0 || isEmpty(ran) ? null : `crontab -l failed: ${ran.stderr.trim()}`;
    },
    installed: async () => {
      const block = findBlock(await read(run), tag)?.block;
      return block === undefined ? undefined : Buffer.from(block, "latin1").toString();
    },
    text: (plan) => Promise.resolve(blockText(tag, plan)),
    put: async (text) => write(run, withBlock(await read(run), tag, Buffer.from(text).toString("latin1"))),
    async remove() {
      const before = await read(run);
      const after = withoutBlock(before, tag);
      if (after !== before) await write(run, after);
    },
    state: () => Promise.resolve({ ...STILL, running: null }),
  };
}

/** What crons say of a user who has no crontab; any other failure must not be taken for an empty one. */
function isEmpty({ code, stdout, stderr }: Ran): boolean {
  return code !== 0 && stdout.length === 0 && /no crontab for|can't open .*No such file/i.test(stderr);
}

/** One character a byte, so that lines in any encoding come back as they were. */
async function read(run: Programs): Promise<string> {
  const ran = await run(["crontab", "-l"]);
  if (ran.code !== 0 && !isEmpty(ran)) throw failed(ran);
  return ran.code === 0 ? ran.stdout.toString("latin1") : "";
}

async function write(run: Programs, crontab: string): Promise<void> {
  if (crontab === "") await run.change(["crontab", "-r"]);
  else await run.change(["crontab", "-"], Buffer.from(crontab, "latin1"));
}

/** How often the line of a block runs, in milliseconds; null when somebody has changed it to what we would not write. */
export function cronEveryMs(block: string): number | null {
  const fields = /^(\*|0|\*\/(\d+)) (\*|0|\*\/(\d+)) \* \* \* /m.exec(block);
  if (fields === null) return null;
  const [, minute, minutes, hour, hours] = fields;
  if (hour === "*") return minute === "0" ? HOUR_MS : Number(minutes ?? 1) * MINUTE_MS;
  return minute === "0" ? Number(hours ?? 24) * HOUR_MS : null;
}
