import type { Adopted } from "../fleet/orphans/adopt.ts";
import type { Orphan } from "../fleet/orphans/orphans.ts";
import type { Reaped } from "../fleet/orphans/reap.ts";
import { orphanJson } from "../fleet/orphans/reap-plan.ts";
import { bytesText } from "../model/bytes.ts";
import { durationText } from "../model/duration.ts";
import { addMoney, type Money, moneyText } from "../model/money.ts";
import { listView } from "./list-view.ts";
import { priceHeader } from "./price-header.ts";
import type { Column, View } from "./view.ts";

const WHY_TEXT: Readonly<Record<Orphan["why"], string>> = {
  "no-record": "no record of ours",
  closed: "given up, and arrived late",
  "record-gone": "its record says that it is gone",
  forgotten: "forgotten",
  replaced: "its record has another machine",
  "in-flight": "its making is under way",
};

function whyText({ why, instance }: Orphan): string {
  return instance === null ? WHY_TEXT[why] : `${WHY_TEXT[why]} (${instance})`;
}

/** What they cost together, by currency; empty when no price is known. */
export function costText(rows: readonly Pick<Orphan, "price">[]): string {
  const sums = new Map<string, Money>();
  for (const { price } of rows)
    if (price !== null) sums.set(price.currency, addMoney(sums.get(price.currency) ?? { ...price, micros: 0n }, price));
  return [...sums.values()].map((sum) => `${moneyText(sum)}/hour`).join(" and ");
}

function footerOf(rows: readonly Orphan[]): string {
  const paid = rows.filter(({ class: kind }) => kind === "bills");
  const unknown = paid.filter(({ price }) => price === null).length;
  const known = costText(paid);
  const rest =
    unknown === 0
      ? ""
      : `${known === "" ? "" : ", and "}what ${unknown === 1 ? "one of them costs" : `${unknown} of them cost`} is not known`;
  const sum =
    paid.length === 0 ? "Nothing of it costs anything." : `They cost ${known === "" && unknown > 0 ? "money: " : ""}${known}${rest}.`;
  return `${sum} Take over: spot adopt ID. End: spot orphans --save plan.json, then spot reap plan.json.`;
}

function columnsOf(rows: readonly Orphan[], now: number): readonly Column<Orphan>[] {
  return [
    { key: "kind", header: "KIND", value: ({ kind }) => kind },
    { key: "name", header: "NAME", value: ({ name }) => name, paint: (text, _, painter) => painter.bold(text) },
    {
      key: "state",
      header: "STATE",
      value: ({ state, rawState, attachedTo }) => state ?? (attachedTo === null ? rawState : `on ${attachedTo}`),
      drop: 3,
    },
    { key: "why", header: "WHY", value: whyText, paint: (text, _, painter) => painter.yellow(text) },
    { key: "where", header: "WHERE", value: ({ provider, zone, region }) => `${provider} ${zone || region}`, drop: 2 },
    { key: "size", header: "SIZE", align: "right", value: ({ sizeGb }) => (sizeGb === null ? "" : bytesText(sizeGb * 1e9)), drop: 5 },
    {
      key: "price",
      header: priceHeader(rows.map(({ price }) => price)),
      align: "right",
      value: ({ price, class: kind }) => (kind !== "bills" ? "-" : price === null ? "?" : moneyText(price)),
    },
    {
      key: "age",
      header: "AGE",
      align: "right",
      value: ({ createdAt }) => (createdAt === null ? "?" : durationText(now - createdAt)),
      drop: 4,
    },
    { key: "id", header: "ID", value: ({ providerId }) => providerId },
  ];
}

/** Nobody can say that a cloud which did not answer has none. */
function noneText(unheard: readonly string[]): string {
  return unheard.length === 0
    ? "No orphans: everything that carries our tag has a record."
    : `No orphans seen, but not everything was told by: ${unheard.join(", ")}.`;
}

/** What is at the clouds and belongs to no living record, as `spot.orphans/1`. `unheard`: the clouds that did not tell all. */
export function orphansView(rows: readonly Orphan[], now: number, unheard: readonly string[] = []): View {
  return listView<Orphan>({
    schema: "spot.orphans/1",
    items: rows,
    toJson: orphanJson,
    columns: columnsOf(rows, now),
    empty: noneText(unheard),
    footer: footerOf(rows),
  });
}

/** What became of a plan, as `spot.reap/1`. */
export function reapView(results: readonly Reaped[]): View {
  return listView<Reaped>({
    schema: "spot.reap/1",
    items: results,
    toJson: ({ row, outcome, why }) => ({ ...orphanJson(row), outcome, reason: why }),
    columns: [
      { key: "kind", header: "KIND", value: ({ row }) => row.kind },
      { key: "name", header: "NAME", value: ({ row }) => row.name, paint: (text, _, painter) => painter.bold(text) },
      {
        key: "outcome",
        header: "OUTCOME",
        value: ({ outcome }) => outcome,
        paint: (text, { outcome }, painter) => {
          if (outcome === "ended") return painter.green(text);
          return outcome === "unconfirmed" || outcome === "failed" ? painter.red(text) : painter.yellow(text);
        },
      },
      { key: "why", header: "WHY", value: ({ why }) => why ?? "", drop: 1 },
      { key: "where", header: "WHERE", value: ({ row }) => `${row.provider} ${row.zone || row.region}`, drop: 2 },
      { key: "id", header: "ID", value: ({ row }) => row.providerId },
    ],
    empty: "The plan is empty: nothing to end.",
  });
}

/** What was taken over, as `spot.adopt/1`. `none`: what is said when there was nothing. */
export function adoptView(results: readonly Adopted[], none = "Nothing to take over."): View {
  return listView<Adopted>({
    schema: "spot.adopt/1",
    items: results,
    toJson: ({ row, outcome, name, why, missing }) => {
      const { kind, provider, providerId } = orphanJson(row);
      return { kind, provider, providerId, name, outcome, reason: why, missing };
    },
    columns: [
      { key: "kind", header: "KIND", value: ({ row }) => row.kind },
      { key: "name", header: "NAME", value: ({ row, name }) => name ?? row.name, paint: (text, _, painter) => painter.bold(text) },
      {
        key: "outcome",
        header: "OUTCOME",
        value: ({ outcome }) => outcome,
        paint: (text, { outcome }, painter) => (outcome === "adopted" ? painter.green(text) : painter.yellow(text)),
      },
      { key: "why", header: "NOT KNOWN", value: ({ why, missing }) => why ?? missing.join("; "), drop: 1 },
      { key: "id", header: "ID", value: ({ row }) => `${row.provider}/${row.providerId}` },
    ],
    empty: none,
  });
}
