import { type Survey, surveyLadder } from "../fleet/climbing/survey.ts";
import { isUp } from "../fleet/deciding/decide.ts";
import { copyText, type Rung } from "../fleet/deciding/ladder.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { lastWake } from "../fleet/wakes/wake-log.ts";
import { asleepAfterFailure, wakeUp } from "../fleet/waking.ts";
import { wakeUntilUp } from "../fleet/waking-until.ts";
import { afterItsStart } from "../fleet/workload.ts";
import type { Comeback, RungName } from "../model/comeback.ts";
import { durationText } from "../model/duration.ts";
import { EXIT } from "../model/exit-codes.ts";
import { moneyText } from "../model/money.ts";
import { Problem, usageProblem } from "../model/problem.ts";
import { wakePhasesText } from "../model/wake.ts";
import { hasFailed } from "../model/workload-end.ts";
import { instancesView } from "../output/instances-view.ts";
import { ladderView, rungJson } from "../output/ladder-view.ts";
import { readyText, wakeJson } from "../output/wake-text.ts";
import { deadlineBy } from "../platform/clock.ts";
import { compareMoney, parsePrice, priceText } from "../pricing/currency.ts";
import type { InstanceRecord } from "../state/records.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { durationOption, instanceRows, namedInstance, openFleet, requiredName } from "./fleet-context.ts";
import { allowedWays, ceilingOf, configureRestore, maxCostOf } from "./restore-options.ts";

const WITHIN_MS = 8 * 60_000;
const CAP_MS = 10 * 60_000;
const SLEEP_LIMIT_MS = 5 * 60_000;
/** Nothing is asked beforehand for longer than this. */
const SURVEY_MS = 45_000;

export const restore: CommandModule = {
  configure: configureRestore,
  async run(context: CommandContext): Promise<CommandResult> {
    const record = await namedInstance(context, requiredName(context));
    if (record.desired === "gone")
      throw new Problem({ code: "SPOT_E_CONFLICT", message: `${record.name} is being ended`, exit: EXIT.failed, next: ["spot reconcile"] });
    const isPlain = context.options["dryRun"] !== true;
    if (isPlain && isUp(record) && record.desired === "running") {
      context.progress.done(`${record.name} runs already (${record.provider} ${record.zone}): nothing was rented`);
      return { view: instancesView(await instanceRows(context, [record])) };
    }
    const { clock } = context.world;
    const withinMs = durationOption(context, "within", WITHIN_MS);
    const capMs = durationOption(context, "cap", CAP_MS);
    const allow = allowedWays(context);
    const isPatient = context.options["untilUp"] === true;
    const forMs = context.options["for"] === undefined ? null : durationOption(context, "for", 0);
    const maxCost = maxCostOf(context);
    if (!isPatient && (forMs !== null || maxCost !== null)) throw usageProblem("--for and --max-cost are for --until-up");
    const fleet = await openFleet(context);
    const asked = clock.monotonic();
    const survey = isUp(record) || record.state === "stopped" ? null : await surveyed(context, fleet, record, allow, capMs);
    const askedMs = clock.monotonic() - asked;
    if (context.options["dryRun"] === true) return await rehearsed(context, record, survey);
    const comeback = await agreed(context, record, allow, survey);
    context.progress.note(
      `restoring ${record.name}${record.price === null ? "" : ` at about ${moneyText(record.price)}/hour`}, cap ${durationText(capMs)}`,
    );
    const start = clock.monotonic();
    const since = clock.now();
    // What was asked before counts as well; what a person thought about it does not.
    const options = { signal: context.world.signal, capMs: Math.max(1, capMs - askedMs), sleepLimitMs: SLEEP_LIMIT_MS, comeback };
    const woken = isPatient ? await wakeUntilUp(fleet, record, { ...options, forMs, maxCost }) : await wakeUp(fleet, record, options);
    const took = clock.monotonic() - start;
    const awake = isUp(record) ? woken : await afterItsStart(fleet, woken, context.world.signal);
    if (hasFailed(awake, since)) throw await asleepAfterFailure(fleet, awake, options);
    context.progress.done(`${record.name} serves again after ${durationText(took)}`);
    if (took > withinMs) context.progress.warn(`that is slower than the target of ${durationText(withinMs)}`);
    const view = instancesView(await instanceRows(context, [awake]));
    const wake = await lastWake(fleet.state, record.name, since);
    if (wake === undefined) return { view };
    context.progress.note(`${wakePhasesText(wake)}; it was ready when ${readyText(wake.readyBy)}`);
    return { view: { ...view, beside: { ...view.beside, wake: wakeJson(wake) } } };
  },
};

/** The ways back as they are now; null, and said, when nobody answered in time. */
async function surveyed(
  context: CommandContext,
  fleet: Fleet,
  record: InstanceRecord,
  allow: readonly RungName[],
  capMs: number,
): Promise<Survey | null> {
  const { clock, signal } = context.world;
  context.progress.step("asking for the ways back");
  const limit = deadlineBy(clock, signal, Math.min(SURVEY_MS, capMs / 2));
  try {
    return await surveyLadder(fleet, record, { allow, ...agreedBefore(context, record) }, limit.signal);
  } catch (error) {
    if (signal.aborted) throw error;
    context.progress.warn(`the ways back are not known beforehand: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  } finally {
    limit.done();
  }
}

async function rehearsed(context: CommandContext, record: InstanceRecord, survey: Survey | null): Promise<CommandResult> {
  const view = instancesView(await instanceRows(context, [record]));
  if (survey === null) return { view };
  for (const { provider, why } of survey.silent) context.progress.warn(`${provider} did not answer and was left out: ${why}`);
  const ladder = ladderView(survey.rungs);
  context.progress.note("nothing was changed: these are the ways back as they are now");
  return {
    view: {
      ...view,
      beside: { ladder: survey.rungs.map(rungJson) },
      render: (painter, width, options) => ladder.render(painter, width, options),
    },
  };
}

function dearText({ rung, price, offers: [best], copy }: Rung): string {
  const where = best === undefined ? "" : ` in ${best.provider} ${best.zone}`;
  const from = copy === undefined ? "" : `, from ${copyText(copy)}`;
  return `${rung}${where}${price === null ? "" : ` at ${moneyText(price)}/hour`}${from}`;
}

/** What was agreed to with the command: with `--yes` any price, and any copy, however old. */
function agreedBefore({ options }: CommandContext, record: InstanceRecord): Required<Pick<Comeback, "ceiling" | "oldest">> {
  const isAgreed = options["yes"] === true;
  return { ceiling: ceilingOf(isAgreed, record), oldest: isAgreed ? 0 : null };
}

/**
 * What it may do on its way, after a person was asked where a way costs more than it did, or goes back to older work.
 * @throws Problem (exit 3) when nothing but such a way is open, and nobody agrees to it.
 */
async function agreed(
  context: CommandContext,
  record: InstanceRecord,
  allow: readonly RungName[],
  survey: Survey | null,
): Promise<Pick<Comeback, "allow" | "ceiling" | "oldest">> {
  const { ceiling, oldest } = agreedBefore(context, record);
  const dear = survey?.rungs.filter(({ isDear }) => isDear) ?? [];
  if (survey === null || dear.length === 0) return { allow, ceiling, oldest };
  const what = dear.map(dearText).join(", ");
  if (context.interactive) {
    const { rate } = survey.input;
    const [most] = dear.flatMap(({ price }) => (price === null ? [] : [price])).sort((a, b) => compareMoney(b, a, rate));
    const before = record.price === null ? "" : `, and cost ${moneyText(record.price)}/hour before`;
    if (await context.confirm(`${record.name} may come back by ${what}${before}. Agree?`, "--yes")) {
      const isWithin = ceiling === null || (most !== undefined && compareMoney(most, parsePrice(ceiling), rate) <= 0);
      const sealed = dear.flatMap(({ copy }) => (copy === undefined ? [] : [copy.sealedAt]));
      return {
        allow,
        ceiling: isWithin ? ceiling : most === undefined ? null : priceText(most),
        oldest: sealed.length === 0 ? null : Math.min(...sealed),
      };
    }
  } else context.progress.note(`left out, because it costs more than before, or goes back to older work: ${what} (--yes agrees)`);
  if (survey.rungs.some(({ isOpen }) => isOpen)) return { allow, ceiling, oldest };
  throw new Problem({
    code: "SPOT_E_DECLINED",
    message: `${record.name} could come back by ${what} alone, and that was not agreed to`,
    exit: EXIT.refused,
    hint: "nothing was changed",
    next: [`spot restore ${record.name} --yes`, `spot restore ${record.name} --dry-run`],
  });
}
