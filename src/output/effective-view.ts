import { durationText } from "../model/duration.ts";
import { type Money, moneyJson, moneyText, moneyToDecimal } from "../model/money.ts";
import { safeLine } from "../platform/terminal.ts";
import { type EffectivePrice, timesShare, type WorkModel, type WorkSources, workOn } from "../pricing/effective.ts";
import { MOST_PAID_HOURS, noticeSavesWork } from "../pricing/interrupted-work.ts";
import type { RankedOffer } from "../pricing/rank.ts";
import { rateText } from "../pricing/work-text.ts";
import type { Painter, View } from "./view.ts";

/** `effective` of an offer: how its price of a useful hour comes about. */
export function effectiveJson({ interruptionsPerHour, lostShare, basis, terms, finishes }: EffectivePrice) {
  return { interruptionsPerHour, lostShare, basis, terms, finishes };
}

/** "$1.0234"; `never` where so little gets done that it is no price; `~` where the interruptions are assumed. */
export function effectiveText({ price, finishes, basis }: EffectivePrice): string {
  return `${basis === "assumed" ? "~" : ""}${finishes ? moneyText(price) : "never"}`;
}

/** A price of an hour, for a document. */
export function hourlyJson(money: Money, of: "instance" | "gpu") {
  return { ...moneyJson(money), per: "hour", of };
}

/** The terms as money per useful hour; together with the price they are the effective price to the micro-unit. */
function amounts({ offer, effective }: RankedOffer): Readonly<Record<keyof EffectivePrice["terms"], Money>> {
  const { lostWork, checkpoints, restarts } = effective.terms;
  const all = {
    lostWork: timesShare(offer.price, lostWork),
    checkpoints: timesShare(offer.price, checkpoints),
    restarts: timesShare(offer.price, restarts),
  };
  const sum = offer.price.micros + all.lostWork.micros + all.checkpoints.micros + all.restarts.micros;
  // Three roundings: what is left over goes to the greatest of them.
  const greatest = lostWork >= checkpoints && lostWork >= restarts ? "lostWork" : checkpoints >= restarts ? "checkpoints" : "restarts";
  const { micros, currency } = all[greatest];
  return { ...all, [greatest]: { micros: micros + effective.price.micros - sum, currency } };
}

/** `explained` of a document: the sum for one offer, and what it was reckoned from. */
export function explainedJson(ranked: RankedOffer, model: WorkModel) {
  const { offer, effective } = ranked;
  const { provider, region, zone, type, billing } = offer;
  const parts = amounts(ranked);
  const { work, from } = workOn(offer, model);
  return {
    provider,
    region,
    zone,
    type,
    billing,
    price: hourlyJson(offer.price, "instance"),
    lostWork: { share: effective.terms.lostWork, ...hourlyJson(parts.lostWork, "instance") },
    checkpoints: { share: effective.terms.checkpoints, ...hourlyJson(parts.checkpoints, "instance") },
    restarts: { share: effective.terms.restarts, ...hourlyJson(parts.restarts, "instance") },
    effectivePrice: hourlyJson(effective.price, "instance"),
    finishes: effective.finishes,
    inputs: billing === "spot" ? { ...work, noticeSavesWork: noticeSavesWork(work.noticeSeconds, work), from } : null,
  };
}

const seconds = (value: number) => (value === 0 ? "none" : durationText(value * 1000).replace(/\.0s$/, "s"));

const span = (value: number) => (value === 0 ? "0s" : seconds(value));

const FROM: Readonly<Record<WorkSources[keyof WorkSources], string>> = {
  given: "as given",
  provider: "by the provider",
  history: "by our own machines",
  assumed: "assumed",
  daly: "Daly's for this rate",
  unknown: "not known, none taken",
  uninterrupted: "",
};

function inputLines(ranked: RankedOffer, model: WorkModel): readonly (readonly [string, string, string])[] {
  const { work, from } = workOn(ranked.offer, model);
  const saves = noticeSavesWork(work.noticeSeconds, work);
  const notice =
    work.noticeSeconds === 0 ? "none" : `${seconds(work.noticeSeconds)}, ${saves ? "enough for" : "too short for"} a checkpoint`;
  return [
    ["interruptions", rateText(work.interruptionsPerHour), `${FROM[from.interruptions]} (--interruptions)`],
    ["protection", seconds(work.protectionSeconds), `${FROM[from.protection]} (--protection)`],
    ["notice", notice, `${FROM[from.notice]} (--notice)`],
    ["checkpoint", seconds(work.checkpointSeconds), `${FROM[from.checkpoint]} (--checkpoint-time)`],
    ["every", seconds(work.checkpointIntervalSeconds), `${FROM[from.checkpointInterval]} (--checkpoint-every)`],
    ["restart", seconds(work.restartSeconds), `${FROM[from.restart]} (--restart-time)`],
  ];
}

/** The sum for one offer, line by line, for people. */
export function explainedText(ranked: RankedOffer, model: WorkModel, painter: Painter): string {
  const { offer, effective } = ranked;
  const { currency } = offer.price;
  const head = safeLine(
    `A useful hour on ${offer.provider} ${offer.zone === "" ? offer.region : offer.zone} ${offer.type} (${offer.billing}):`,
  );
  if (offer.billing !== "spot") return `${head} ${moneyText(offer.price)} ${currency}, as priced: nobody takes such a machine back.`;
  const parts = amounts(ranked);
  const share = (value: number) => `${(100 * value).toFixed(2)}%`;
  // All digits, so that the lines can be added up.
  const sum: readonly (readonly [string, string, string])[] = [
    ["price", moneyToDecimal(offer.price), ""],
    ["+ lost work", moneyToDecimal(parts.lostWork), share(effective.terms.lostWork)],
    ["+ checkpoints", moneyToDecimal(parts.checkpoints), share(effective.terms.checkpoints)],
    ["+ restarts", moneyToDecimal(parts.restarts), share(effective.terms.restarts)],
    ["= useful hour", moneyToDecimal(effective.price), `× ${(1 + effective.lostShare).toFixed(4)}`],
  ];
  const width = Math.max(...sum.map(([, amount]) => amount.length));
  const inputs = inputLines(ranked, model);
  const wide = Math.max(...inputs.map(([, value]) => value.length));
  const never = `It never finishes: more than ${MOST_PAID_HOURS} paid hours for a useful one.`;
  return [
    head,
    ...sum.map(([what, amount, of]) =>
      `  ${what.padEnd(14)} ${amount.padStart(width)} ${currency}  ${painter.dim(of.padStart(8))}`.trimEnd(),
    ),
    ...(effective.finishes ? [] : [painter.red(never)]),
    "reckoned from",
    ...inputs.map(([what, value, from]) => `  ${what.padEnd(14)} ${value.padEnd(wide)}  ${painter.dim(from)}`),
  ].join("\n");
}

/** The same view, with the sum for one of its offers below it, and as `explained` beside the data. */
export function explainedView(view: View, ranked: RankedOffer, model: WorkModel): View {
  return {
    ...view,
    beside: { ...view.beside, explained: explainedJson(ranked, model) },
    async render(painter, width, options) {
      return `${await view.render(painter, width, options)}\n\n${explainedText(ranked, model, painter)}`;
    },
  };
}

/** What effective prices are reckoned from, for a document: of our own machines, how many hours and reclaims each kind has. */
export function workModelJson({ history, ...work }: WorkModel) {
  if (history === undefined) return work;
  const kinds = history.map(({ runs, ...kind }) => ({ ...kind, hours: runs.reduce((sum, run) => sum + run, 0) }));
  return { ...work, history: kinds };
}

/** The same in a sentence. */
export function workModelText({
  isDaly,
  checkpointIntervalSeconds,
  checkpointSeconds,
  restartSeconds,
  restarts,
  basis,
}: WorkModel): string {
  const every = isDaly === true ? "as often as pays" : `every ${span(checkpointIntervalSeconds)}`;
  const measured = basis?.restart === "given" ? [] : (restarts ?? []).map((one) => `${one.provider} ${span(one.seconds)}, as measured`);
  const back = `${span(restartSeconds)} to come back${measured.length === 0 ? "" : ` (${measured.join("; ")})`}`;
  return `Spot counts lost work: a checkpoint of ${span(checkpointSeconds)} ${every}, ${back}.`;
}
