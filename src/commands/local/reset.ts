import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import type { CommandModule } from "../command.ts";
import { isLiving, runningView } from "./status-view.ts";
import { withControl } from "./with-control.ts";

export const localReset: CommandModule = {
  configure() {},
  run: (context) =>
    withControl(context, { autoStart: true }, async (control, signal) => {
      const running = (await control.instances(signal)).filter(isLiving).length;
      if (context.options["dryRun"] === true) {
        context.progress.note(`nothing was reset: ${running} instances would be ended, and all volumes deleted`);
        return { view: await runningView(control, context.world.clock.now(), signal) };
      }
      const question = `End ${running} instances of the local cloud and DELETE all its volumes with every checkpoint on them?`;
      if (!(await context.confirm(question, "--yes")))
        throw new Problem({ code: "SPOT_E_DECLINED", message: "nothing was reset", exit: EXIT.refused });
      await control.reset(signal);
      return { view: await runningView(control, context.world.clock.now(), signal) };
    }),
};
