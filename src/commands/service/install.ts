import type { Command } from "commander";
import { EXIT } from "../../model/exit-codes.ts";
import { Problem, usageProblem } from "../../model/problem.ts";
import type { Keeper, KeeperWorld, ServiceKind } from "../../platform/service-plan.ts";
import { lingers } from "../../platform/service-systemd.ts";
import type { CommandContext, CommandModule, CommandResult } from "../command.ts";
import { durationOption } from "../fleet-context.ts";
import { differenceText, type Installation, installationView } from "./install-view.ts";
import { keepersOf, keeperWorld } from "./keepers.ts";
import { planService } from "./service-plan.ts";

const EVERY_MS = 300_000;
const KINDS: readonly ServiceKind[] = ["systemd", "launchd", "cron"];

/** `spot service install`: something that outlives this terminal answers notices, and what was written is shown. */
export const serviceInstall: CommandModule = {
  configure(command: Command) {
    command
      .option("--systemd", "a unit of systemd for this user (the default where systemctl --user answers)")
      .option("--launchd", "an agent of launchd (the default on macOS)")
      .option("--cron", "a line in the crontab: a pass of spot reconcile every few minutes, hearing no notice in between")
      .option("--every <duration>", "cron: from one pass to the next (default 5m)")
      .option("--environment-file <path>", "a file of yours (0600) with NAME=value lines that the service reads: credentials, for example")
      .option("--linger", "systemd: go on after the last logout and start with the machine")
      .addHelpText(
        "after",
        `
Examples:
  $ spot service install --dry-run
  $ spot service install --yes
  $ spot service install --cron --every 10m`,
      );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const { world, options, progress } = context;
    const outside = keeperWorld(world);
    const keeper = await chosenKeeper(context, outside);
    const everyMs = cronInterval(context, keeper);
    if (options["linger"] === true && keeper.kind !== "systemd") throw usageProblem("--linger goes with --systemd");
    const envFile = typeof options["environmentFile"] === "string" ? options["environmentFile"] : null;
    const { plan, warnings, unreachable } = await planService(world, { tag: outside.tag, logFile: outside.logFile, everyMs, envFile });
    const text = await keeper.text(plan);
    const isDry = options["dryRun"] === true;
    // What cannot be read now is no reason not to show what would be written.
    const previous = (await keeper.installed().catch((error: unknown) => (isDry ? undefined : Promise.reject(error)))) ?? null;
    const planned: Installation = { keeper, text, previous, warnings, unreachable, done: "planned", ran: [], lingers: null };
    const isKept = previous === text && (await keeper.state()).running !== false;
    if (!isDry && !isKept) {
      await agreed(context, planned);
      await keeper.put(text);
    }
    const lasting = keeper.kind === "systemd" ? await linger(context, outside) : { lingers: null, warnings: [] };
    const done = isKept ? "unchanged" : isDry ? "planned" : previous === null ? "installed" : "replaced";
    const view = installationView({
      ...planned,
      done,
      ran: outside.run.changes,
      warnings: [...warnings, ...lasting.warnings],
      lingers: lasting.lingers,
    });
    for (const warning of view.said) progress.warn(warning);
    return { view };
  },
};

/** @throws Problem when nothing here can keep a service, or when what was asked for cannot. */
async function chosenKeeper({ options, world }: CommandContext, outside: KeeperWorld): Promise<Keeper> {
  const asked = KINDS.filter((kind) => options[kind] === true);
  if (asked.length > 1) throw usageProblem(`--${asked.join(" and --")} contradict each other`);
  const keepers = keepersOf(world, outside);
  const [kind] = asked;
  if (kind === undefined) return firstFit(keepers);
  const keeper = keepers.find((candidate) => candidate.kind === kind);
  if (keeper === undefined)
    throw usageProblem(`there is no ${kind} on ${world.platform}`, `there may be ${keepers.map((one) => one.kind).join(" or ")}`);
  // What would be written can be shown anywhere.
  const why = options["dryRun"] === true ? null : await keeper.unfit();
  if (why !== null) throw noKeeper(`${kind}: ${why}`);
  return keeper;
}

async function firstFit(keepers: readonly Keeper[]): Promise<Keeper> {
  const reasons: string[] = [];
  for (const keeper of keepers) {
    const why = await keeper.unfit();
    if (why === null) return keeper;
    reasons.push(`${keeper.kind}: ${why}`);
  }
  throw noKeeper(reasons.join("; "));
}

function noKeeper(why: string): Problem {
  return new Problem({
    code: "SPOT_E_SERVICE",
    message: `nothing here can keep a service running (${why})`,
    hint: "run the watch by hand, in tmux or in whatever starts the programs of this machine",
    next: ["spot watch --act", "nohup spot watch --act --quiet --no-color >spot.log 2>&1 &"],
    exit: EXIT.failed,
  });
}

function cronInterval(context: CommandContext, { kind }: Keeper): number {
  if (kind !== "cron" && context.options["every"] !== undefined)
    throw usageProblem("--every goes with --cron", `under ${kind} a watch looks as often as each cloud's notices need`);
  return durationOption(context, "every", EVERY_MS);
}

/** @throws Problem (exit 3) when the person says no. */
async function agreed(context: CommandContext, planned: Installation): Promise<void> {
  const { keeper, previous, text } = planned;
  if (context.interactive) {
    context.progress.note(previous === null || previous === text ? text : differenceText(previous, text));
    for (const warning of installationView(planned).said) context.progress.warn(warning);
  }
  const question = previous === null ? `Write this to ${keeper.path} and start it?` : `Change ${keeper.path} and start it anew?`;
  if (await context.confirm(question, "--yes")) return;
  throw new Problem({ code: "SPOT_E_DECLINED", message: "nothing was written", exit: EXIT.refused });
}

/** Whether the unit outlives the last login, after `--linger` has asked for it; and what to type when it does not. */
async function linger(
  { options }: CommandContext,
  outside: KeeperWorld,
): Promise<{ readonly lingers: boolean | null; readonly warnings: readonly string[] }> {
  const already = await lingers(outside);
  if (already === true) return { lingers: true, warnings: [] };
  if (options["linger"] !== true || options["dryRun"] === true)
    return { lingers: already, warnings: options["linger"] === true ? [] : ["it ends with your last logout; --linger lets it go on"] };
  const { code, stderr } = await outside.run.try(["loginctl", "enable-linger"]);
  if (code === 0) return { lingers: true, warnings: [] };
  const said = stderr.trim() === "" ? `it ended with ${code}` : stderr.trim();
  return { lingers: false, warnings: [`loginctl enable-linger: ${said}; sudo loginctl enable-linger ${outside.userName}`] };
}
