/**
 * Until when a source is known to have stated what a series (`name`, in SQL) says. A catalogue that was found unchanged stated it
 * until then, though its rows were not read again.
 */
export function knownTo(name: string): string {
  return `CASE WHEN c.kind <> 'live' AND ${name}.seen_at >= c.changed_at THEN max(${name}.seen_at, c.checked_at) ELSE ${name}.seen_at END`;
}

const LEAVE_A_RUN = `DELETE FROM runs WHERE series = old.id AND from_at = old.since_at;
      INSERT INTO runs (series, from_at, to_at, micros) SELECT old.id, old.since_at, ${knownTo("old")}, old.micros
        FROM sources c WHERE c.id = old.source;`;

/**
 * The price book's tables, by migration. What is said of a machine and of a place stands once, so that a catalogue of millions
 * of rows is some forty bytes a row. A series is all that one source says of one machine in one place.
 */
export const PRICE_BOOK_MIGRATIONS: readonly (readonly string[])[] = [
  [
    `CREATE TABLE sources (
      id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, url TEXT NOT NULL, etag TEXT,
      changed_at INTEGER NOT NULL, checked_at INTEGER NOT NULL, read INTEGER NOT NULL, kept INTEGER NOT NULL, refused TEXT NOT NULL)`,
    `CREATE TABLE machines (
      id INTEGER PRIMARY KEY, provider TEXT NOT NULL, type TEXT NOT NULL, model TEXT NOT NULL, form TEXT NOT NULL,
      count INTEGER NOT NULL, vram_gb REAL NOT NULL, vcpus REAL NOT NULL, memory_gb REAL NOT NULL,
      UNIQUE (model, provider, type, form, count, vram_gb, vcpus, memory_gb))`,
    `CREATE TABLE places (
      id INTEGER PRIMARY KEY, region TEXT NOT NULL, zone TEXT NOT NULL, UNIQUE (region, zone))`,
    `CREATE TABLE series (
      id INTEGER PRIMARY KEY, machine INTEGER NOT NULL, place INTEGER NOT NULL, source INTEGER NOT NULL, billing TEXT NOT NULL,
      currency TEXT NOT NULL, micros INTEGER NOT NULL, on_demand_micros INTEGER, since_at INTEGER NOT NULL, seen_at INTEGER NOT NULL,
      UNIQUE (machine, place, source, billing, currency))`,
    `CREATE TABLE runs (
      series INTEGER NOT NULL, from_at INTEGER NOT NULL, to_at INTEGER NOT NULL, micros INTEGER NOT NULL,
      PRIMARY KEY (series, from_at)) WITHOUT ROWID`,
    // A price that changes leaves a run behind, in the same statement that changes it.
    // (Not INSERT OR REPLACE: in a trigger the conflict clause of the statement outside is the one that counts.)
    `CREATE TRIGGER price_changed BEFORE UPDATE OF micros ON series WHEN old.micros <> new.micros BEGIN
      ${LEAVE_A_RUN}
    END`,
  ],
  [
    "ALTER TABLE sources ADD COLUMN doubted_at INTEGER",
    "DROP TRIGGER price_changed",
    // Of two prices of one moment the second one takes the place of the first: neither was before the other.
    `CREATE TRIGGER price_changed BEFORE UPDATE OF micros ON series
      WHEN old.micros <> new.micros AND (old.since_at <> new.since_at OR old.seen_at <> new.seen_at) BEGIN
      ${LEAVE_A_RUN}
    END`,
  ],
];
