import type { CommandModule } from "../command.ts";
import { runningView } from "./status-view.ts";
import { withControl } from "./with-control.ts";

export const localStart: CommandModule = {
  configure() {},
  run: (context) =>
    withControl(context, { autoStart: true }, async (control, signal) => ({
      view: await runningView(control, context.world.clock.now(), signal),
    })),
};
