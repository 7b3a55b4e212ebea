import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import { identifyProcess, isProcessAlive } from "../../platform/process-identity.ts";
import { isFault } from "../../providers/errors.ts";
import type { CommandModule } from "../command.ts";
import { isLiving, runningView, stoppedView } from "./status-view.ts";
import { withControl } from "./with-control.ts";

/** How long its process may take to end once it has stopped serving. */
const MOST_ROUNDS = 250;
const ROUND_MS = 20;

export const localStop: CommandModule = {
  configure(command) {
    command.option("--force", "end what still runs first; volumes stay");
  },
  run: (context) =>
    withControl(context, { autoStart: false }, async (control, signal) => {
      try {
        const { pid } = await control.health(signal);
        if (context.options["dryRun"] === true) {
          context.progress.note("nothing was stopped: this is what runs");
          return { view: await runningView(control, context.world.clock.now(), signal) };
        }
        const daemon = identifyProcess(pid);
        await control.shutdown(context.options["force"] === true, signal);
        // Only then may its folder be removed, or another one started.
        for (let round = 0; daemon !== undefined && isProcessAlive(daemon) && round < MOST_ROUNDS; round++)
          await context.world.clock.sleep(ROUND_MS, signal);
      } catch (error) {
        if (isFault(error, "conflict")) {
          const running = (await control.instances(signal)).filter(isLiving).map(({ name }) => name);
          throw new Problem({
            code: "SPOT_E_LOCAL_BUSY",
            message: `instances still run in the local cloud: ${running.join(", ")}`,
            exit: EXIT.failed,
            hint: "stopping it with --force ends them; their volumes stay",
            next: [...running.map((name) => `spot down ${name}`), "spot local stop --force"],
            cause: error,
          });
        }
        // It does not run: that is what was wanted.
        if (!isFault(error, "unavailable") || signal.aborted) throw error;
      }
      return { view: stoppedView() };
    }),
};
