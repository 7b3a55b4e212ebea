import type { Command } from "commander";
import { launching, withinBudgets } from "../fleet/budgets/budget-guard.ts";
import { checkpointClock } from "../fleet/deciding/checkpoint-interval.ts";
import { isUp } from "../fleet/deciding/decide.ts";
import { TOO_DEAR } from "../fleet/deciding/offer-choice.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { preflightOfPlan } from "../fleet/sleeping/facts.ts";
import { specDifference } from "../fleet/spec/spec.ts";
import { planLaunch } from "../fleet/steps/plan.ts";
import { interruptionsAt } from "../fleet/steps/request.ts";
import { bringUp, claimName, newRecord } from "../fleet/up.ts";
import { afterItsStart, failedProblem } from "../fleet/workload.ts";
import { durationText } from "../model/duration.ts";
import { EXIT, type ExitCode } from "../model/exit-codes.ts";
import type { Offer } from "../model/offer.ts";
import { Problem } from "../model/problem.ts";
import { makesSnapshot } from "../model/volume-policy.ts";
import { billsUntil, hasFailed, workloadEnd } from "../model/workload-end.ts";
import { instancesView } from "../output/instances-view.ts";
import { type PlanLine, planView } from "../output/plan-view.ts";
import type { InstanceRecord, InstanceSpec } from "../state/records.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { requireSnapshots } from "./down-volumes.ts";
import { durationOption, instanceRows, openFleet } from "./fleet-context.ts";
import { applyBudgets, warningsBefore } from "./up-limits.ts";
import { configureUp, specsOf } from "./up-options.ts";

const LIMIT_MS = 15 * 60_000;

export const up: CommandModule = {
  configure(command: Command) {
    configureUp(command);
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const { specs, budgets } = await specsOf(context);
    const fleet = await openFleet(context);
    const known: InstanceRecord[] = [];
    const wanted: PlanLine[] = [];
    for (const spec of specs) {
      const existing = await sameLiving(fleet, spec);
      // Those that are planned here do not know of each other yet.
      const before = wanted.filter((other) => other.spec.fleet === spec.fleet).length;
      if (existing === undefined) wanted.push(await planned(context, fleet, spec, await bestOffer(context, fleet, spec, before)));
      else known.push(existing);
    }
    const warnings = await warningsBefore(context, fleet, wanted, budgets);
    const plan = planView(wanted, warnings);
    if (context.options["dryRun"] === true) {
      context.progress.note("nothing was rented: this is what it would be now");
      return { view: plan };
    }
    if (wanted.length > 0) await agree(context, plan);
    await applyBudgets(context, fleet, budgets);
    const claims = await claimAll(context, fleet, wanted);
    const settled = await Promise.all([
      ...known.map((record) => finish(context, fleet, record, false)),
      ...claims.map((claim) => bringClaimUp(context, fleet, claim)),
    ]);
    for (const provider of new Set(wanted.map(({ offer }) => offer.provider))) await sayWhoIsAwake(context, fleet, provider, wanted);
    context.progress.stop();
    const served = new Set(known.filter(isUp).map(({ id }) => id));
    const failed = context.options["wait"] === false ? [] : settled.filter((record) => hasFailed(record) && !served.has(record.id));
    if (failed.length > 0) throw failedProblem(failed, EXIT.partial, context.world.clock.now());
    const view = instancesView(await instanceRows(context, settled));
    return { view: warnings.length === 0 ? view : { ...view, beside: { warnings } }, exit: exitOf(context, settled) };
  },
};

/**
 * What would be rented, how often it would seal a checkpoint, and, where a reclaim puts it to sleep, what that means.
 * @throws Problem (usage) when its volume could not end there as ordered.
 */
async function planned(context: CommandContext, fleet: Fleet, spec: InstanceSpec, offer: Offer): Promise<PlanLine> {
  const atDown = spec.volume?.atDown;
  if (atDown !== undefined && makesSnapshot(atDown))
    await requireSnapshots(context, offer.provider, `${spec.name}: its volume is to end by ${atDown}`);
  const clock = checkpointClock(spec, await interruptionsAt(fleet, offer));
  return { spec, offer, clock, ...(spec.onReclaim === "hibernate" ? { asleep: await preflightOfPlan(fleet, spec, offer) } : {}) };
}

/** Where a machine neither hears its notice nor ends its own billing, something of the user's must: say so while they look. */
async function sayWhoIsAwake(context: CommandContext, fleet: Fleet, provider: string, wanted: readonly PlanLine[]): Promise<void> {
  const { noticeSeconds, machine, endsAtTtl } = (await fleet.provider(provider)).capabilities;
  const specs = wanted.filter(({ offer }) => offer.provider === provider).map(({ spec }) => spec);
  const hasTtl = !machine.endsItself && specs.some((spec) => spec.ttlMs !== null);
  if (hasTtl && endsAtTtl)
    context.progress.note(
      `${provider}: the cloud ends the machine some minutes after its --ttl; spot watch --act or spot reconcile end it in time, its work sealed`,
    );
  const needs = [
    ...(machine.notices === "controller" && noticeSeconds > 0 ? ["its notices"] : []),
    ...(hasTtl && !endsAtTtl ? ["--ttl"] : []),
    ...(!machine.endsItself && specs.some((spec) => spec.idleMs !== null) ? ["--idle"] : []),
  ];
  if (needs.length === 0) return;
  context.progress.note(
    `${provider}: ${needs.join(" and ")} ${needs[0] === "its notices" || needs.length > 1 ? "take" : "takes"} effect only while spot watch --act runs, or spot reconcile each minute`,
  );
}

/** Shows the priced plan, always, and asks; the price stands in the question. */
async function agree(context: CommandContext, plan: ReturnType<typeof planView>): Promise<void> {
  const { stderr } = context.world;
  if (!context.machine && context.options["quiet"] !== true) {
    context.progress.stop();
    stderr.write(`${await plan.render(context.painter, stderr.columns)}\n`);
  }
  if (await context.confirm(plan.question, "--yes")) return;
  throw new Problem({ code: "SPOT_E_DECLINED", message: "nothing was rented", exit: EXIT.refused });
}

/** The living instance of that name when it is the same; undefined when there is none. @throws Problem (exit 3) when it differs. */
async function sameLiving(fleet: Fleet, spec: InstanceSpec): Promise<InstanceRecord | undefined> {
  const record = await fleet.state.instanceByName(spec.name);
  if (record === undefined || record.state === "gone") return undefined;
  const differences = specDifference(record.spec, spec);
  if (differences.length > 0)
    throw new Problem({
      code: "SPOT_E_DIFFERENT_SPEC",
      message: `${spec.name} exists with a different spec: ${differences.join("; ")}`,
      exit: EXIT.refused,
      hint: "nothing was changed; end it first, or choose another name",
      next: [`spot show ${spec.name}`, `spot down ${spec.name}`],
    });
  if (record.desired !== "running")
    throw new Problem({
      code: "SPOT_E_CONFLICT",
      message: `${spec.name} exists and is ${record.desired === "gone" ? "being ended" : "hibernated"}`,
      exit: EXIT.refused,
      next: record.desired === "gone" ? ["spot reconcile"] : [`spot restore ${spec.name}`],
    });
  return record;
}

async function bestOffer(context: CommandContext, fleet: Fleet, spec: InstanceSpec, before: number): Promise<Offer> {
  context.progress.step("asking the market");
  const plan = await planLaunch(fleet, spec, context.world.signal, { before });
  for (const { provider, why } of plan.silent) context.progress.warn(`${provider} did not answer and was left out: ${why}`);
  const [offer] = plan.offers;
  if (offer !== undefined) return offer;
  if (spec.fallbackAfterMs !== null) {
    const [fallback] = (await planLaunch(fleet, spec, context.world.signal, { before, onDemand: true })).offers;
    if (fallback !== undefined) {
      context.progress.note(
        `${spec.name}: ${plan.why ?? "no spot"}; on demand after ${durationText(spec.fallbackAfterMs)}, if spot does not come first`,
      );
      return fallback;
    }
  }
  throw new Problem({
    code: "SPOT_E_NO_CAPACITY",
    message: `no machine for ${spec.name}: ${plan.why ?? "nothing fits"}`,
    exit: plan.why?.startsWith(TOO_DEAR) === true ? EXIT.refused : EXIT.noCapacity,
    retryable: true,
    next: ["spot offers"],
  });
}

interface Claim extends PlanLine {
  readonly record: InstanceRecord;
  /** Nobody else had the name. */
  readonly isOurs: boolean;
}

/** Takes the names, all of them together where there is room for all of them in the budgets. @throws Problem (exit 3) otherwise. */
async function claimAll(context: CommandContext, fleet: Fleet, wanted: readonly PlanLine[]): Promise<readonly Claim[]> {
  const claims = wanted.map((line) => ({ ...line, record: newRecord(fleet, line.spec, line.offer) }));
  const asked = claims.map(({ record }) => launching(record, record.price, record.createdAt));
  return withinBudgets(fleet, asked, context.world.signal, (held) =>
    Promise.all(claims.map(async (claim) => ({ ...claim, isOurs: await claimName(held, claim.record) }))),
  );
}

async function bringClaimUp(context: CommandContext, fleet: Fleet, claim: Claim): Promise<InstanceRecord> {
  if (claim.isOurs) return finish(context, fleet, claim.record, true);
  // Somebody else took the name between our look and now: theirs is as good, if it is the same.
  const other = await sameLiving(fleet, claim.spec);
  if (other !== undefined) return finish(context, fleet, other, false);
  const again = await claimAll(context, fleet, [claim]);
  return (await Promise.all(again.map((one) => bringClaimUp(context, fleet, one))))[0] ?? claim.record;
}

async function finish(context: CommandContext, fleet: Fleet, record: InstanceRecord, ours: boolean): Promise<InstanceRecord> {
  const { clock, signal } = context.world;
  const start = clock.monotonic();
  const brought = await bringUp(fleet, record, {
    signal,
    limitMs: durationOption(context, "timeout", LIMIT_MS + (record.spec.fallbackAfterMs ?? 0)),
    waitFor: context.options["wait"] === false ? "machine" : "ready",
    ours,
  });
  const isNew = context.options["wait"] !== false && !isUp(record) && isUp(brought);
  const ready = isNew ? await afterItsStart(fleet, brought, signal) : brought;
  const end = workloadEnd(ready);
  if (ours && context.options["wait"] !== false && isUp(ready) && !hasFailed(ready))
    context.progress.done(`${ready.name} is ${ready.state}, ready after ${durationText(clock.monotonic() - start)}`);
  if (end !== null && (end.code === 0 || !ours))
    context.progress.warn(
      `${ready.name}: its command has ended with exit code ${end.code}; ${billsUntil(ready, clock.now())} (spot logs ${ready.name}, spot down ${ready.name})`,
    );
  if (ready.state === "stopped") context.progress.warn(`${ready.name} is stopped: ${ready.reason ?? "nobody says why"}`);
  return ready;
}

function exitOf(context: CommandContext, records: readonly InstanceRecord[]): ExitCode {
  return context.options["wait"] === false && records.some((record) => record.readyAt === null) ? EXIT.pending : EXIT.done;
}
