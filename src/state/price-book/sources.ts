import type { BookConnection, PriceBook, SourceRecord } from "./types.ts";

interface SourceRow {
  readonly name: string;
  readonly kind: SourceRecord["kind"];
  readonly url: string;
  readonly etag: string | null;
  readonly changed_at: number;
  readonly checked_at: number;
  readonly read: number;
  readonly kept: number;
  readonly refused: string;
}

export function sourceQueries({ database, transaction, guarded }: BookConnection): Pick<PriceBook, "sources" | "recordSource"> {
  return {
    async sources() {
      const rows = guarded(() => database.prepare("SELECT * FROM sources WHERE checked_at > 0 ORDER BY name").all() as SourceRow[]);
      return rows.map(({ name, kind, url, etag, changed_at, checked_at, read, kept, refused }) => ({
        name,
        kind,
        url,
        etag,
        changedAt: changed_at,
        checkedAt: checked_at,
        read,
        kept,
        refused: JSON.parse(refused) as SourceRecord["refused"],
      }));
    },
    async recordSource({ name, kind, url, etag, changedAt, checkedAt, read, kept, refused }) {
      await transaction(() =>
        database
          .prepare(
            `INSERT INTO sources (name, kind, url, etag, changed_at, checked_at, read, kept, refused) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, url = excluded.url, etag = excluded.etag,
              changed_at = excluded.changed_at, checked_at = excluded.checked_at, read = excluded.read, kept = excluded.kept,
              refused = excluded.refused
            WHERE excluded.checked_at >= checked_at`,
          )
          .run([name, kind, url, etag, changedAt, checkedAt, read, kept, JSON.stringify(refused)]),
      );
    },
  };
}
