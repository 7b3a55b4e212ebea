import type { SqliteDatabase } from "../../platform/sqlite.ts";
import type { BookConnection, PriceBook, SourceRecord } from "./types.ts";

interface SourceRow {
  readonly id: number;
  readonly name: string;
  readonly kind: SourceRecord["kind"];
  readonly url: string;
  readonly etag: string | null;
  readonly changed_at: number;
  readonly checked_at: number;
  readonly doubted_at: number | null;
  readonly read: number;
  readonly kept: number;
  readonly refused: string;
}

function recordOf({ name, kind, url, etag, changed_at, checked_at, doubted_at, read, kept, refused }: SourceRow): SourceRecord {
  const counts = { read, kept, refused: JSON.parse(refused) as SourceRecord["refused"] };
  return { name, kind, url, etag, changedAt: changed_at, checkedAt: checked_at, doubtedAt: doubted_at ?? undefined, ...counts };
}

/** What was recorded of a source; undefined where no document of it was ever read. */
export function newestRecord(database: SqliteDatabase, name: string): SourceRecord | undefined {
  const row = database.prepare("SELECT * FROM sources WHERE name = ? AND checked_at > 0").get([name]) as SourceRow | undefined;
  return row === undefined ? undefined : recordOf(row);
}

/** What goes off offer was stated until its document was last found unchanged. */
const STATED_UNTIL = `UPDATE series SET seen_at = min(c.checked_at, ?2 - 1) FROM sources c
  WHERE c.name = ?1 AND c.checked_at > c.changed_at AND series.source = c.id AND series.seen_at BETWEEN c.changed_at AND ?2 - 1`;

const RECORD = `INSERT INTO sources (name, kind, url, etag, changed_at, checked_at, doubted_at, read, kept, refused)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, url = excluded.url, etag = excluded.etag, changed_at = excluded.changed_at,
    checked_at = excluded.checked_at, doubted_at = excluded.doubted_at, read = excluded.read, kept = excluded.kept,
    refused = excluded.refused
  WHERE excluded.checked_at >= checked_at AND excluded.changed_at >= changed_at`;

/** Within a transaction: `record` is what is known of its source from now on, unless something newer is. */
export function replaceRecord(database: SqliteDatabase, record: SourceRecord): void {
  const { name, kind, url, etag, changedAt, checkedAt, doubtedAt, read, kept, refused } = record;
  const known = newestRecord(database, name);
  if (known !== undefined && known.changedAt < changedAt) database.prepare(STATED_UNTIL).run([name, changedAt]);
  database.prepare(RECORD).run([name, kind, url, etag, changedAt, checkedAt, doubtedAt ?? null, read, kept, JSON.stringify(refused)]);
}

const OF_SOURCE = "(SELECT id FROM series WHERE source = (SELECT id FROM sources WHERE name = ?1))";

/** Runs that begin later are gone: nobody knows when those prices held. */
const SET_BACK = [
  `DELETE FROM runs WHERE from_at > ?2 AND series IN ${OF_SOURCE}`,
  `UPDATE runs SET to_at = ?2 WHERE to_at > ?2 AND series IN ${OF_SOURCE}`,
  `UPDATE series SET since_at = min(since_at, ?2), seen_at = ?2 WHERE seen_at > ?2 AND source = (SELECT id FROM sources WHERE name = ?1)`,
  "UPDATE sources SET changed_at = min(changed_at, ?2), checked_at = min(checked_at, ?2) WHERE name = ?1",
] as const;

export function sourceQueries({ database, transaction, guarded }: BookConnection): Pick<PriceBook, "sources" | "recordSource" | "setBack"> {
  return {
    async sources() {
      const rows = guarded(() => database.prepare("SELECT * FROM sources WHERE checked_at > 0 ORDER BY name").all() as SourceRow[]);
      return rows.map(recordOf);
    },
    recordSource: (record) => transaction(() => replaceRecord(database, record)),
    setBack: (name, until) =>
      transaction(() => {
        for (const statement of SET_BACK) database.prepare(statement).run([name, until]);
      }),
  };
}
