import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import { isFault } from "../../providers/errors.ts";
import type { CommandModule } from "../command.ts";
import { isLiving, stoppedView } from "./status-view.ts";
import { withControl } from "./with-control.ts";

export const localStop: CommandModule = {
  configure(command) {
    command.option("--force", "end what still runs first; volumes stay");
  },
  run: (context) =>
    withControl(context, { autoStart: false }, async (control, signal) => {
      try {
        await control.shutdown(context.options["force"] === true, signal);
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
