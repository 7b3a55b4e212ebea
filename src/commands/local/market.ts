import { durationText } from "../../model/duration.ts";
import { usageProblem } from "../../model/problem.ts";
import { detailView } from "../../output/detail-view.ts";
import type { View } from "../../output/view.ts";
import type { LocalMarket } from "../../providers/local-control.ts";
import type { CommandContext, CommandModule } from "../command.ts";
import { durationFlag, textOption, withControl } from "./with-control.ts";

function number(text: string, flag: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw usageProblem(`${flag} ${JSON.stringify(text)} is not a number`);
  return value;
}

/** `10m:60s` or `10m:60s:5`: after ten minutes, with a minute's notice, the first five instances. */
function scheduleEntry(text: string): Readonly<Record<string, number>> {
  const [after, notice, times = "1", ...rest] = text.split(":");
  if (after === undefined || notice === undefined || rest.length > 0)
    throw usageProblem(`--reclaim ${JSON.stringify(text)} is not AFTER:NOTICE[:TIMES]`, "for example --reclaim 10m:60s");
  return {
    afterSeconds: durationFlag(after, "--reclaim") / 1000,
    noticeSeconds: durationFlag(notice, "--reclaim") / 1000,
    times: number(times, "--reclaim"),
  };
}

function stockEntry(text: string): readonly [string, number] {
  const [type = "", count = ""] = text.split("=");
  return [type, number(count, "--stock")];
}

function changes(context: CommandContext): Readonly<Record<string, unknown>> {
  const given: Record<string, unknown> = {};
  const profile = textOption(context, "profile");
  if (profile !== undefined) given["profile"] = profile;
  for (const [option, field] of [["seed", "seed"] as const, ["hazard", "hazardPerHour"] as const]) {
    const text = textOption(context, option);
    if (text !== undefined) given[field] = number(text, `--${option}`);
  }
  for (const option of ["provisioning", "hibernate", "restore"]) {
    const text = textOption(context, option);
    if (text !== undefined) given[`${option}Ms`] = durationFlag(text, `--${option}`);
  }
  const { reclaim, stock } = context.options;
  if (Array.isArray(reclaim)) given["schedule"] = reclaim.filter((text) => text !== "none").map((text) => scheduleEntry(String(text)));
  if (Array.isArray(stock))
    given["stock"] = Object.fromEntries(stock.filter((text) => text !== "seed").map((text) => stockEntry(String(text))));
  return given;
}

function marketView(market: LocalMarket): View {
  const reclaims = market.schedule
    .filter(({ times }) => times > 0)
    .map((entry) => `${durationText(entry.afterSeconds * 1000)} after the start, ${entry.noticeSeconds}s notice, ${entry.times} times`);
  return detailView({
    schema: "spot.local-market/1",
    data: market,
    blocks: [
      {
        rows: [
          { label: "behaves like", value: market.profile },
          { label: "seed", value: String(market.seed) },
          { label: "provisioning", value: durationText(market.provisioningMs) },
          { label: "hibernate", value: durationText(market.hibernateMs) },
          { label: "restore", value: durationText(market.restoreMs) },
          { label: "hazard", value: `${market.hazardPerHour} reclaims per instance-hour` },
          { label: "reclaims", value: reclaims.length === 0 ? "none scheduled" : reclaims },
          { label: "stock", value: Object.entries(market.stock).map(([type, count]) => `${type}: ${count} in each zone`) },
        ],
      },
    ],
  });
}

export const localMarket: CommandModule = {
  configure(command) {
    command
      .option("--profile <name>", "notice and protection as aws, gcp, alibaba or ppio have them")
      .option("--seed <n>", "another market: prices and stock depend on the seed and the time alone")
      .option("--provisioning <duration>", "from the request to the first process")
      .option("--hibernate <duration>", "how long hibernating takes")
      .option("--restore <duration>", "how long restoring takes")
      .option("--hazard <n>", "expected reclaims per hour that a spot instance runs")
      .option("--reclaim <after:notice:times...>", "reclaims by the clock, counted from an instance's start; none for none")
      .option("--stock <type=n...>", "machines of a type that each zone can run at once; seed for what the seed says");
  },
  async run(context) {
    const wanted = changes(context);
    const market = await withControl(context, { autoStart: true }, (control, signal) =>
      Object.keys(wanted).length === 0 ? control.market(signal) : control.setMarket(wanted, signal),
    );
    return { view: marketView(market) };
  },
};
