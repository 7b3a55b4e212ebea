import type { Command } from "commander";
import { controllerOf } from "../../fleet/leases/controller.ts";
import { EXIT, type ExitCode } from "../../model/exit-codes.ts";
import { cronEveryMs } from "../../platform/service-cron.ts";
import { STILL } from "../../platform/service-plan.ts";
import { type Pulse, readPulse } from "../../platform/service-pulse.ts";
import { lingers } from "../../platform/service-systemd.ts";
import type { CommandContext, CommandModule, CommandResult } from "../command.ts";
import { installedKeepers, keepersOf, keeperWorld } from "./keepers.ts";
import { type ServiceHealth, type ServiceStatus, statusView } from "./status-view.ts";

/** A watch that has made no pass for so long hangs: a pass notes itself every 30 s, and no request waits longer than 60 s. */
const SILENT_MS = 5 * 60_000;
/** A pass under cron begins on the minute and may take one. */
const CRON_SLACK_MS = 3 * 60_000;

/** `spot service status`: whether it is installed, runs, and when it last looked after the fleet. */
export const serviceStatus: CommandModule = {
  configure(command: Command) {
    command.addHelpText(
      "after",
      `
Exit 0: installed and alive. 1: installed, but it does not run or makes no passes. 9: not installed.`,
    );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const { world } = context;
    const outside = keeperWorld(world);
    const installed = await installedKeepers(keepersOf(world, outside));
    const pulse = (await readPulse(world.home)) ?? null;
    const [keeper] = installed;
    const state = keeper === undefined ? STILL : await keeper.state();
    const now = world.clock.now();
    const everyMs = keeper?.kind === "cron" ? cronEveryMs((await keeper.installed()) ?? "") : null;
    const health = keeper === undefined ? "absent" : healthOf({ running: state.running, since: state.since, pulse, everyMs, now });
    const status: ServiceStatus = {
      keeper: keeper === undefined ? null : { kind: keeper.kind, name: keeper.name, path: keeper.path, log: keeper.log },
      also: installed.slice(1).map(({ kind, path }) => ({ kind, path })),
      state,
      health,
      pulse,
      everyMs,
      lingers: keeper?.kind === "systemd" ? await lingers(outside) : null,
      controller: await holderOf(context, now),
      now,
    };
    return { view: statusView(status), exit: EXIT_OF[health] };
  },
};

const EXIT_OF: Readonly<Record<ServiceHealth, ExitCode>> = {
  alive: EXIT.done,
  absent: EXIT.notFound,
  dead: EXIT.failed,
  silent: EXIT.failed,
};

/** Pure: whether somebody looks after the fleet, from what the keeper says and when the last pass was. */
export function healthOf({
  running,
  since,
  pulse,
  everyMs,
  now,
}: {
  readonly running: boolean | null;
  readonly since: number | null;
  readonly pulse: Pick<Pulse, "at"> | null;
  /** Between two passes, where each is started anew. */
  readonly everyMs: number | null;
  readonly now: number;
}): Exclude<ServiceHealth, "absent"> {
  if (running === false) return "dead";
  const silentMs = everyMs === null ? SILENT_MS : 2 * everyMs + CRON_SLACK_MS;
  const seen = Math.max(pulse?.at ?? Number.NEGATIVE_INFINITY, since ?? Number.NEGATIVE_INFINITY);
  return now - seen > silentMs ? "silent" : "alive";
}

/** Who may act for this fleet now; null when nobody does. A state that cannot be read has its own command to say so. */
async function holderOf(context: CommandContext, now: number): Promise<ServiceStatus["controller"]> {
  try {
    const found = await controllerOf(await context.state(), now);
    if (found === undefined || found.leftMs <= 0) return null;
    const { host, pid, since, leftMs } = found;
    return { host, pid: pid === 0 ? null : pid, since: since === 0 ? null : since, expiresAt: now + leftMs };
  } catch (error) {
    context.progress.warn(`the state cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}
