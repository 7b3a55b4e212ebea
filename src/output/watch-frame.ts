import { durationText } from "../model/duration.ts";
import { gpuText } from "../model/gpu.ts";
import type { Notice } from "../model/notice.ts";
import { costText, type InstanceRow, paintState, stateText } from "./instances-view.ts";
import { listView } from "./list-view.ts";
import type { Column, View } from "./view.ts";

/** A notice and how long is left of it; empty without one. */
export function noticeText(notice: Notice | null, now: number): string {
  if (notice === null) return "";
  const left = notice.deadline - now;
  const when = left >= 0 ? `${durationText(left)} left` : `${durationText(-left)} ago`;
  return `${notice.kind}, ${when}${notice.assumed === true ? " (assumed)" : ""}`;
}

/** Who says it, whoever spoke first first, and when that was. */
export function mouthText(notice: Notice | null): string {
  if (notice === null) return "";
  const heard = notice.heard ?? { [notice.source]: notice.seenAt };
  const mouths = [
    heard.api === undefined ? null : { who: "provider", at: heard.api },
    heard.guest === undefined ? null : { who: "agent", at: heard.guest },
  ];
  return mouths
    .filter((mouth) => mouth !== null)
    .sort((one, other) => one.at - other.at)
    .map(({ who, at }) => `${who} ${new Date(at).toISOString().slice(11, 19)}`)
    .join(", ");
}

const COLUMNS: readonly Column<InstanceRow>[] = [
  { key: "name", header: "NAME", value: ({ record }) => record.name, paint: (text, _, painter) => painter.bold(text) },
  {
    key: "notice",
    header: "NOTICE",
    value: ({ record, now }) => noticeText(record.notice, now),
    paint: (text, { record }, painter) => (record.notice?.kind === "reclaim" ? painter.red(text) : painter.yellow(text)),
  },
  { key: "said", header: "SAID BY", value: ({ record }) => mouthText(record.notice), drop: 1 },
  { key: "state", header: "STATE", value: stateText, paint: (text, { record }, painter) => paintState(text, record, painter) },
  { key: "where", header: "WHERE", value: ({ record }) => `${record.provider} ${record.zone}`, drop: 2 },
  { key: "gpu", header: "GPU", value: ({ record }) => gpuText(record.gpu), drop: 3 },
  { key: "cost", header: "SO FAR", align: "right", value: ({ cost }) => costText(cost), drop: 4 },
  { key: "age", header: "AGE", align: "right", value: ({ record, now }) => durationText(now - record.createdAt), drop: 5 },
];

/** Whoever has least time left comes first; without a notice by name. */
export function byUrgency(rows: readonly InstanceRow[]): readonly InstanceRow[] {
  const rank = ({ record: { notice } }: InstanceRow) => {
    if (notice === null) return Number.POSITIVE_INFINITY;
    // An advice is less urgent than any reclaim.
    return notice.kind === "reclaim" ? notice.deadline : Number.MAX_SAFE_INTEGER / 2 + notice.deadline / 1000;
  };
  return [...rows].sort((one, other) => {
    const [first, second] = [rank(one), rank(other)];
    return first === second ? one.record.name.localeCompare(other.record.name) : first - second;
  });
}

/** The instances as a watch shows them: what needs eyes first. */
export function watchView(rows: readonly InstanceRow[]): View {
  return listView({
    schema: "spot.instances/1",
    items: byUrgency(rows),
    toJson: ({ record }) => record,
    columns: COLUMNS,
    empty: "No instances. Rent one with: spot up",
  });
}
