import { isFault } from "../../providers/errors.ts";
import type { CommandModule } from "../command.ts";
import { runningView, stoppedView } from "./status-view.ts";
import { withControl } from "./with-control.ts";

export const localStatus: CommandModule = {
  configure() {},
  run: (context) =>
    withControl(context, { autoStart: false }, async (control, signal) => {
      try {
        return { view: await runningView(control, context.world.clock.now(), signal) };
      } catch (error) {
        if (!isFault(error, "unavailable") || signal.aborted) throw error;
        return { view: stoppedView() };
      }
    }),
};
