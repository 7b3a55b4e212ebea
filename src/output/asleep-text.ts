import { ASLEEP_ITEMS, type Asleep, type AsleepBill, type AsleepItem, type AsleepPrice, asleepRate, type Source } from "../model/asleep.ts";
import type { RungName } from "../model/comeback.ts";
import { moneyJson, moneyText } from "../model/money.ts";
import type { DetailBlock } from "./detail-view.ts";

const ITEMS: Readonly<Record<AsleepItem, string>> = { gpu: "GPU", rootDisk: "root disk", volume: "volume", address: "address" };

const RUNGS: Readonly<Record<RungName, string>> = {
  "same-machine": "as it is",
  "same-zone": "another machine where its volume lies",
  snapshot: "from a snapshot in a sister zone",
  copy: "elsewhere, with its checkpoint copied",
  "on-demand": "on demand, where allowed",
};

const BACK: Readonly<Record<Asleep["back"], string>> = {
  sure: "yes",
  "if-stock": "if there is stock then",
  unknown: "unknown",
  empty: "empty: it would begin anew",
  no: "no",
};

const sourceText = ({ document, date, by }: Source) => `${document}, ${date}${by === "vendor" || by === "spot" ? "" : `; ${by}`}`;

const clause = (...parts: readonly (string | null | undefined)[]) => parts.filter((part) => part != null && part !== "").join("; ");

const rateText = ({ hour, month }: NonNullable<AsleepBill["rate"]>) => `${moneyText(hour)}/hour, ${moneyText(month)}/month`;

/** Of one GB where it goes by size. */
const listText = (price: AsleepPrice) => `${rateText(asleepRate(price, 1))}${price.per === "hour" ? "" : " a GB"} by the list`;

function billWords({ value, rate, list, sizeGb, isLive, note }: AsleepBill): string {
  const size = sizeGb === null || value !== "billed" ? "" : ` (${sizeGb} GB)`;
  const unpriced = value === "billed" ? ", at a price that is not known here" : "";
  const listed = list === null ? unpriced : `: ${listText(list)}`;
  const price = rate === null ? listed : `: ${rateText(rate)}${isLive ? "" : " by the list"}`;
  return clause(`${value.replaceAll("-", " ")}${size}${price}`, note);
}

/** Nothing that is billed goes without a word of its price. */
function monthWords({ item, rate, list }: AsleepBill): string {
  if (rate !== null) return `${ITEMS[item]} ${moneyText(rate.month)}/month`;
  if (list === null) return `${ITEMS[item]} (price unknown)`;
  return `${ITEMS[item]} ${moneyText(asleepRate(list, 1).month)}/month${list.per === "hour" ? "" : " a GB"}`;
}

function keptWords({ value, days, note }: Asleep["kept"]): string {
  const words = { "until-deleted": "until you delete it", limited: `at most ${days ?? "?"} days`, unknown: "unknown" }[value];
  return clause(words, note);
}

const wayWords = ({ way, isAssumed }: Asleep) =>
  way === "native"
    ? `by its cloud${isAssumed ? ", if this machine can be; parked otherwise" : ""}`
    : "parked: its machine is ended, what outlives it stays";

/** Every statement with where it comes from: by number, since one document says most of it. */
export function asleepBlock(asleep: Asleep, title = "asleep"): DetailBlock {
  const sources: string[] = [];
  const stated = (words: string, source: Source) => {
    const text = sourceText(source);
    if (!sources.includes(text)) sources.push(text);
    return `${words} [${sources.indexOf(text) + 1}]`;
  };
  const rows: DetailBlock["rows"] = [
    { label: "how", value: wayWords(asleep) },
    { label: "comes back", value: stated(clause(BACK[asleep.back], asleep.backNote), asleep.backSource) },
    { label: "ways back", value: asleep.rungs.map((rung) => RUNGS[rung]).join(" → ") },
    { label: "memory", value: stated(clause(asleep.memory.value, asleep.memory.note), asleep.memory.source) },
    ...asleep.bills.map((bill) => ({ label: ITEMS[bill.item], value: stated(billWords(bill), bill.source) })),
    { label: "kept", value: stated(keptWords(asleep.kept), asleep.kept.source) },
    { label: "refused", value: asleep.refusals, paint: (text: string, painter: { red(text: string): string }) => painter.red(text) },
    { label: "mind", value: asleep.warnings, paint: (text: string, painter: { yellow(text: string): string }) => painter.yellow(text) },
  ];
  return { title, rows: [...rows, { label: "sources", value: sources.map((text, index) => `[${index + 1}] ${text}`) }] };
}

/** In one line, for whoever is about to do it. */
export function asleepLine(asleep: Asleep): string {
  const billed = asleep.bills.filter(({ value }) => value === "billed" || value === "unknown");
  const bills = billed.map(monthWords).join(", ");
  return clause(
    `asleep ${wayWords(asleep)}`,
    `billed meanwhile: ${bills === "" ? "nothing" : bills}`,
    `memory ${asleep.memory.value}`,
    `comes back ${BACK[asleep.back]}`,
    `kept ${keptWords({ ...asleep.kept, note: "" })}`,
  );
}

/** As `asleep` in `spot.plan/1`, `spot.instances/1` and `spot.instance/1` promises it. */
export function asleepJson(asleep: Asleep): Readonly<Record<string, unknown>> {
  const { way, isAssumed, back, backNote, backSource, rungs, memory, bills, kept, refusals, warnings } = asleep;
  return {
    way,
    assumed: isAssumed,
    comesBack: { value: back, note: backNote, source: backSource },
    rungs,
    memory: { ...memory, note: memory.note ?? null },
    billed: Object.fromEntries(
      ASLEEP_ITEMS.flatMap((item) => bills.filter((bill) => bill.item === item)).map(
        ({ item, value, rate, list, isLive, sizeGb, note, source }) => [
          item,
          {
            value,
            price: rate === null ? null : { ...moneyJson(rate.hour), per: "hour", basis: isLive ? "provider" : "list" },
            monthly: rate === null ? null : { ...moneyJson(rate.month), per: "month" },
            list,
            sizeGb,
            note,
            source,
          },
        ],
      ),
    ),
    kept: { ...kept, days: kept.days ?? null, note: kept.note ?? null },
    refusals,
    warnings,
  };
}
