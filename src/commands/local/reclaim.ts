import { durationText } from "../../model/duration.ts";
import { usageProblem } from "../../model/problem.ts";
import { detailView } from "../../output/detail-view.ts";
import type { View } from "../../output/view.ts";
import type { LocalInstance } from "../../providers/local-control.ts";
import type { CommandContext, CommandModule } from "../command.ts";
import { durationFlag, textOption, withControl } from "./with-control.ts";

/** Seconds of notice; null leaves it to the profile. */
function noticeSeconds(context: CommandContext): number | null {
  const text = textOption(context, "notice");
  return text === undefined ? null : durationFlag(text, "--notice") / 1000;
}

function reclaimView(instance: LocalInstance, now: number): View {
  const { notice } = instance;
  const iso = (at: number) => new Date(at).toISOString();
  const data = {
    instance: instance.name,
    providerId: instance.id,
    rawState: instance.state,
    notice: notice === null ? null : { kind: notice.kind, at: iso(notice.at), deadline: iso(notice.deadline) },
  };
  const what = notice === null ? "no notice any more" : `${notice.kind} notice given`;
  return detailView({
    schema: "spot.local-reclaim/1",
    data,
    blocks: [
      {
        rows: [
          { label: instance.name, value: what },
          { label: "deadline", value: notice === null ? null : `${iso(notice.deadline)}, in ${durationText(notice.deadline - now)}` },
        ],
      },
    ],
  });
}

export const localReclaim: CommandModule = {
  configure(command) {
    command
      .argument("<name>", "the instance: its name, or its id in the local cloud")
      .option("--notice <duration>", "time between the notice and the reclaim, 0 for none; the profile's when left out")
      .option("--rebalance", "only warn: nothing is taken at the deadline")
      .option("--withdraw", "take a notice back");
  },
  async run(context) {
    const [name] = context.args;
    if (name === undefined) throw usageProblem("name the instance to reclaim", "spot ls shows the names");
    const seconds = noticeSeconds(context);
    const kind = context.options["rebalance"] === true ? "rebalance" : "reclaim";
    const instance = await withControl(context, { autoStart: true }, (control, signal) =>
      context.options["withdraw"] === true
        ? control.withdraw(name, signal)
        : control.reclaim(name, { noticeSeconds: seconds, kind }, signal),
    );
    return { view: reclaimView(instance, context.world.clock.now()) };
  },
};
