import type { SyncOutcome } from "../fleet/prices/sync.ts";
import { durationText } from "../model/duration.ts";
import { isStillToCome } from "../pricing/price-age.ts";
import { isoTime } from "./json.ts";
import { listView } from "./list-view.ts";
import type { View } from "./view.ts";

/** What became of asking for the bands of the AWS Spot Advisor. */
export type AdvisorOutcome =
  | { readonly outcome: "read"; readonly url: string; readonly bands: number; readonly dataAt: number }
  | { readonly outcome: "failed"; readonly why: string };

/** One file that was asked for, as it is shown. */
interface SyncRow {
  readonly cloud: string;
  /** What the file has: prices of machines, or bands of how often they are taken back. */
  readonly of: "prices" | "interruptions";
  readonly outcome: SyncOutcome["outcome"];
  readonly why: string | null;
  readonly url: string | null;
  /** Rows of the file; null where nothing is known of it, as below. */
  readonly read: number | null;
  readonly kept: number | null;
  readonly refused: Readonly<Record<string, number>>;
  /** Since when what is known is as it is, and when it was last asked for: epoch milliseconds. */
  readonly changedAt: number | null;
  readonly checkedAt: number | null;
  /** For people: what else is to be said of it. */
  readonly note: string | null;
}

function minuteText(ms: number): string {
  return new Date(ms).toISOString().slice(0, 16).replace("T", " ");
}

function catalogRow(outcome: SyncOutcome): SyncRow {
  const record = "record" in outcome ? outcome.record : outcome.stands;
  return {
    cloud: outcome.cloud,
    of: "prices",
    outcome: outcome.outcome,
    why: "why" in outcome ? outcome.why : null,
    url: record?.url ?? null,
    read: record?.read ?? null,
    kept: record?.kept ?? null,
    refused: record?.refused ?? {},
    changedAt: record?.changedAt ?? null,
    checkedAt: record?.checkedAt ?? null,
    note:
      outcome.datedAhead === undefined
        ? null
        : `the last look was dated ${minuteText(outcome.datedAhead)} UTC by a clock that was ahead; what was dated later than now is dated now.`,
  };
}

function advisorRow(outcome: AdvisorOutcome, now: number): SyncRow {
  const row = { cloud: "aws", of: "interruptions", refused: {}, note: null } as const;
  if (outcome.outcome === "failed")
    return { ...row, outcome: "failed", why: outcome.why, url: null, read: null, kept: null, changedAt: null, checkedAt: null };
  const { url, bands, dataAt } = outcome;
  return { ...row, outcome: "read", why: null, url, read: bands, kept: bands, changedAt: dataAt, checkedAt: now };
}

const sum = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((total, count) => total + count, 0);
const countText = (count: number | null) => (count === null ? "-" : count.toLocaleString("en-US"));

/** Below the table: why something was not read, each reason once, and what was refused of the rest. */
function footerOf(rows: readonly SyncRow[], isDry: boolean): string | undefined {
  const failures = new Map<string, string[]>();
  for (const { cloud, of, outcome, why, kept } of rows) {
    if (why === null) continue;
    const text = outcome === "absent" ? `${why}.` : `${why}; ${kept === null ? "nothing is known of it" : "what is known of it stands"}.`;
    failures.set(text, [...(failures.get(text) ?? []), of === "prices" ? cloud : `${cloud} ${of}`]);
  }
  const refusals = rows.flatMap(({ cloud, refused }) => {
    const reasons = Object.entries(refused).map(([why, count]) => `${countText(count)} ${why}`);
    return reasons.length === 0 ? [] : [`${cloud}: refused ${reasons.join(", ")}.`];
  });
  const notes = rows.flatMap(({ cloud, note }) => (note === null ? [] : [`${cloud}: ${note}`]));
  const lines = [
    ...[...failures].map(([text, names]) => `${names.join(", ")}: ${text}`),
    ...notes,
    ...refusals,
    ...(isDry ? ["Nothing was kept (--dry-run)."] : []),
  ];
  return lines.length === 0 ? undefined : lines.join("\n");
}

/** What became of every file, as `spot.price-sync/1`; `isDry`: what would have. */
export function priceSyncView(outcomes: readonly SyncOutcome[], advisor: AdvisorOutcome | null, now: number, isDry: boolean): View {
  const rows = [...outcomes.map(catalogRow), ...(advisor === null ? [] : [advisorRow(advisor, now)])];
  const footer = footerOf(rows, isDry);
  return listView<SyncRow>({
    schema: "spot.price-sync/1",
    items: rows,
    toJson: ({ note: _, changedAt, checkedAt, ...row }) => ({ ...row, changedAt: isoTime(changedAt), checkedAt: isoTime(checkedAt) }),
    columns: [
      { key: "cloud", header: "CLOUD", value: ({ cloud }) => cloud, paint: (text, _, painter) => painter.bold(text) },
      { key: "of", header: "OF", value: ({ of }) => of, drop: 2 },
      {
        key: "outcome",
        header: "OUTCOME",
        value: ({ outcome }) => outcome,
        paint: (text, { outcome }, painter) => (outcome === "failed" ? painter.red(text) : outcome === "absent" ? painter.dim(text) : text),
      },
      { key: "kept", header: "KEPT", align: "right", value: ({ kept }) => countText(kept) },
      {
        key: "refused",
        header: "REFUSED",
        align: "right",
        value: ({ kept, refused }) => (kept === null ? "-" : countText(sum(refused))),
        drop: 1,
      },
      { key: "since", header: "SINCE", value: ({ changedAt }) => (changedAt === null ? "-" : minuteText(changedAt)), drop: 3 },
      {
        key: "age",
        header: "AGE",
        align: "right",
        value: ({ checkedAt }) => (checkedAt === null ? "-" : isStillToCome(checkedAt, now) ? "?" : durationText(now - checkedAt)),
      },
      { key: "read", header: "ROWS", align: "right", value: ({ read }) => countText(read), hidden: true },
      { key: "url", header: "URL", value: ({ url }) => url ?? "-", hidden: true },
    ],
    empty: "No cloud was asked for.",
    ...(footer === undefined ? {} : { footer }),
  });
}
