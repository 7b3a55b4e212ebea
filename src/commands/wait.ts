import type { Command } from "commander";
import { isUp } from "../fleet/deciding/decide.ts";
import { interrupted } from "../fleet/interrupted.ts";
import { failedProblem, noteWorkload } from "../fleet/workload.ts";
import { EXIT } from "../model/exit-codes.ts";
import { INSTANCE_STATES } from "../model/instance.ts";
import { suggestion } from "../model/nearest.ts";
import { Problem, usageProblem } from "../model/problem.ts";
import { hasFailed } from "../model/workload-end.ts";
import { instancesView } from "../output/instances-view.ts";
import type { InstanceRecord } from "../state/records.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { durationOption, instanceRows, namedInstance, openFleet, requiredName } from "./fleet-context.ts";
import { refresh } from "./ls.ts";

const POLL_MS = 500;
/** The workload has ended by itself; a word of ours beside the states. */
const FINISHED = "finished";

export const wait: CommandModule = {
  configure(command: Command) {
    command
      .argument("<name>", "the instance")
      .requiredOption("--for <state>", `a state (running, hibernated, gone, …), or ${FINISHED}: its workload has ended`);
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const name = requiredName(context);
    const goal = String(context.options["for"]);
    const known: readonly string[] = [...INSTANCE_STATES, FINISHED];
    if (!known.includes(goal)) throw usageProblem(`there is no state ${JSON.stringify(goal)}`, suggestion(goal, known));
    const limitMs = durationOption(context, "timeout", 24 * 3_600_000);
    const { clock, signal } = context.world;
    const start = clock.monotonic();
    const fleet = await openFleet(context);
    let last: InstanceRecord | undefined;
    try {
      return await waited();
    } catch (error) {
      if (!signal.aborted || last === undefined) throw error;
      throw interrupted(signal, `${name} is ${last.state}, not ${goal}`, [`spot show ${name}`], error);
    }

    async function waited(): Promise<CommandResult> {
      for (;;) {
        await refresh(context, [name]);
        const record = await namedInstance(context, name, true);
        last = record;
        context.progress.step(`${name} is ${record.state}, waiting for ${goal}`);
        const workload = goal === FINISHED ? await exitCodeOf(record) : null;
        if (record.state === goal || workload !== null) {
          context.progress.stop();
          const view = instancesView(await instanceRows(context, [record]));
          return workload === null || workload === 0 ? { view } : { view, exit: EXIT.failed };
        }
        if (goal === "running" && !isUp(record) && hasFailed(record)) throw failedProblem([record], EXIT.failed, clock.now());
        if (record.state === "gone")
          throw new Problem({ code: "SPOT_E_GONE", message: `${name} is gone and will not be ${goal}`, exit: EXIT.failed });
        if (clock.monotonic() - start > limitMs)
          throw new Problem({ code: "SPOT_E_TIMEOUT", message: `${name} is still ${record.state}`, exit: EXIT.timeout, retryable: true });
        const { pollMs } = (await fleet.provider(record.provider)).capabilities;
        await clock.sleep(Math.max(POLL_MS, pollMs), signal);
      }
    }

    async function exitCodeOf(record: InstanceRecord): Promise<number | null> {
      if (record.providerId === null || (record.state !== "running" && record.state !== "reclaiming")) return null;
      const provider = await fleet.provider(record.provider);
      const instance = await provider.get(record.providerId, { signal });
      if (instance?.reach == null) return null;
      const report = await fleet.guest.report(instance.reach, signal).catch(() => undefined);
      await noteWorkload(fleet, record, report);
      return report?.phase === "exited" ? report.exitCode : null;
    }
  },
};
