import { usageProblem } from "../../model/problem.ts";
import { listView } from "../../output/list-view.ts";
import type { LocalChaosRule } from "../../providers/local-control.ts";
import type { CommandContext, CommandModule } from "../command.ts";
import { durationFlag, textOption, withControl } from "./with-control.ts";

const OPERATIONS = "offers, launch, list, get, destroy, hibernate, restore, volume-create, volume-list, volume-remove, bill or *";

function wholeOption(context: CommandContext, name: string): number | undefined {
  const text = textOption(context, name);
  if (text === undefined) return undefined;
  if (!/^\d{1,7}$/.test(text)) throw usageProblem(`--${name} ${JSON.stringify(text)} is not a whole number`);
  return Number(text);
}

function rule(context: CommandContext): Readonly<Record<string, unknown>> | undefined {
  const [on, effect] = context.args;
  if (on === undefined) return undefined;
  if (effect === undefined) throw usageProblem("say what is to go wrong", "delay, fail, lose-answer or start-failure");
  const wait = textOption(context, "for");
  const ms = wait === undefined ? undefined : durationFlag(wait, "--for");
  return {
    on,
    effect,
    ms,
    status: wholeOption(context, "status"),
    code: textOption(context, "code"),
    times: wholeOption(context, "times"),
  };
}

export const localChaos: CommandModule = {
  configure(command) {
    command
      .argument("[operation]", OPERATIONS)
      .argument("[effect]", "delay, fail, lose-answer (done, but never answered) or start-failure")
      .option("--times <n>", "how often it strikes; once when left out")
      .option("--for <duration>", "how long a delay takes")
      .option("--status <n>", "HTTP status of a failure; 503 when left out")
      .option("--code <word>", "error code of a failure, for example rate_limited or out_of_stock")
      .option("--clear", "forget every rule");
  },
  async run(context) {
    const wanted = rule(context);
    const rules = await withControl(context, { autoStart: true }, async (control, signal): Promise<readonly LocalChaosRule[]> => {
      if (context.options["clear"] === true) await control.clearChaos(signal);
      return wanted === undefined ? control.chaos(signal) : control.addChaos(wanted, signal);
    });
    return {
      view: listView({
        schema: "spot.local-chaos/1",
        items: rules,
        toJson: (item) => item,
        empty: "Nothing goes wrong on request.",
        columns: [
          { key: "on", header: "ON", value: (item) => item.on },
          { key: "effect", header: "EFFECT", value: (item) => item.effect },
          { key: "times", header: "TIMES LEFT", align: "right", value: (item) => String(item.times) },
          {
            key: "detail",
            header: "DETAIL",
            value: (item) => [item.ms && `${item.ms} ms`, item.status, item.code].filter(Boolean).join(" "),
          },
        ],
      }),
    };
  },
};
