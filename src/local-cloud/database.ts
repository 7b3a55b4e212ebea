import type { Account } from "../model/account.ts";
import { openSqlite } from "../platform/sqlite.ts";
import { type ChaosRule, type Charge, type CloudInstance, type CloudVolume, DEFAULT_MARKET, type MarketSettings } from "./records.ts";

const SCHEMA_VERSION = 1;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS instances (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  token TEXT,
  metadata_token TEXT NOT NULL,
  state TEXT NOT NULL,
  ended_at INTEGER,
  doc TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS instances_state ON instances (state);
CREATE INDEX IF NOT EXISTS instances_token ON instances (token);
CREATE INDEX IF NOT EXISTS instances_metadata ON instances (metadata_token);
CREATE TABLE IF NOT EXISTS volumes (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, doc TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS charges (
  id TEXT PRIMARY KEY, resource TEXT NOT NULL, open INTEGER NOT NULL, ended_at INTEGER, doc TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS charges_open ON charges (open, resource);
CREATE TABLE IF NOT EXISTS settings (key TEXT PRIMARY KEY, value TEXT NOT NULL);
`;

/** A row of the list, with what the next page begins after. */
export interface ListedInstance {
  readonly seq: number;
  readonly instance: CloudInstance;
}

/** The cloud's own database. Every function is one statement; `transaction` makes several of them one. */
export interface CloudDatabase {
  transaction<Result>(work: () => Result): Result;
  addInstance(instance: CloudInstance): void;
  saveInstance(instance: CloudInstance): void;
  instance(id: string): CloudInstance | undefined;
  instanceByToken(token: string): CloudInstance | undefined;
  instanceByMetadataToken(token: string): CloudInstance | undefined;
  /** Everything that is not terminated. */
  livingInstances(): readonly CloudInstance[];
  /** In order of creation; terminated ones only when they ended at `endedSince` or later. */
  listInstances(afterSeq: number, limit: number, endedSince: number): readonly ListedInstance[];
  saveVolume(volume: CloudVolume): void;
  volume(id: string): CloudVolume | undefined;
  volumes(): readonly CloudVolume[];
  removeVolume(id: string): void;
  saveCharge(charge: Charge): void;
  openCharges(resourceId: string): readonly Charge[];
  /** Those that had not ended at `since`. */
  charges(since: number): readonly Charge[];
  market(): MarketSettings;
  saveMarket(market: MarketSettings): void;
  chaos(): readonly ChaosRule[];
  saveChaos(rules: readonly ChaosRule[]): void;
  /** Whose this cloud is, for the whole of its life; made when it is first asked for. */
  account(make: () => Account): Account;
  metadataPort(): number;
  saveMetadataPort(port: number): void;
  /** Forgets everything but the settings of this kind: instances, volumes, charges, market, chaos. */
  clear(): void;
  close(): void;
}

function parse<Doc>(row: unknown): Doc | undefined {
  if (typeof row !== "object" || row === null || !("doc" in row) || typeof row.doc !== "string") return undefined;
  return JSON.parse(row.doc) as Doc;
}

function parseAll<Doc>(rows: readonly unknown[]): readonly Doc[] {
  return rows.flatMap((row) => parse<Doc>(row) ?? []);
}

/** Opens, and makes or checks, the cloud's SQLite file. @throws what SQLite throws, and on a database from a newer version. */
export function openCloudDatabase(path: string): CloudDatabase {
  const sql = openSqlite(path);
  try {
    const found = sql.prepare("PRAGMA user_version").get() as { user_version: number };
    if (found.user_version > SCHEMA_VERSION) throw new Error(`${path} was written by a newer version of spot`);
    sql.exec(SCHEMA);
    sql.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
  } catch (error) {
    sql.close();
    throw error;
  }
  const setting = (key: string): string | undefined => {
    const row = sql.prepare("SELECT value FROM settings WHERE key = ?").get(key) as { value: string } | undefined;
    return row?.value;
  };
  const saveSetting = (key: string, value: string) => {
    sql.prepare("INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value").run(key, value);
  };
  return {
    transaction(work) {
      sql.exec("BEGIN IMMEDIATE");
      try {
        const result = work();
        sql.exec("COMMIT");
        return result;
      } catch (error) {
        // A full disk has rolled it back already.
        if (sql.inTransaction) sql.exec("ROLLBACK");
        throw error;
      }
    },
    addInstance(instance) {
      sql
        .prepare("INSERT INTO instances (id, token, metadata_token, state, ended_at, doc) VALUES (?, ?, ?, ?, ?, ?)")
        .run(instance.id, instance.clientToken, instance.metadataToken, instance.state, instance.endedAt, JSON.stringify(instance));
    },
    saveInstance(instance) {
      sql
        .prepare("UPDATE instances SET metadata_token = ?, state = ?, ended_at = ?, doc = ? WHERE id = ?")
        .run(instance.metadataToken, instance.state, instance.endedAt, JSON.stringify(instance), instance.id);
    },
    instance: (id) => parse(sql.prepare("SELECT doc FROM instances WHERE id = ?").get(id)),
    instanceByToken: (token) => parse(sql.prepare("SELECT doc FROM instances WHERE token = ? ORDER BY seq DESC LIMIT 1").get(token)),
    instanceByMetadataToken: (token) => parse(sql.prepare("SELECT doc FROM instances WHERE metadata_token = ?").get(token)),
    livingInstances: () => parseAll(sql.prepare("SELECT doc FROM instances WHERE state <> 'terminated' ORDER BY seq").all()),
    listInstances(afterSeq, limit, endedSince) {
      const rows = sql
        .prepare("SELECT seq, doc FROM instances WHERE seq > ? AND (state <> 'terminated' OR ended_at >= ?) ORDER BY seq LIMIT ?")
        .all(afterSeq, endedSince, limit) as { seq: number; doc: string }[];
      return rows.map((row) => ({ seq: row.seq, instance: JSON.parse(row.doc) as CloudInstance }));
    },
    saveVolume(volume) {
      sql
        .prepare("INSERT INTO volumes (id, doc) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET doc = excluded.doc")
        .run(volume.id, JSON.stringify(volume));
    },
    volume: (id) => parse(sql.prepare("SELECT doc FROM volumes WHERE id = ?").get(id)),
    volumes: () => parseAll(sql.prepare("SELECT doc FROM volumes ORDER BY seq").all()),
    removeVolume(id) {
      sql.prepare("DELETE FROM volumes WHERE id = ?").run(id);
    },
    saveCharge(charge) {
      sql
        .prepare(
          `INSERT INTO charges (id, resource, open, ended_at, doc) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT (id) DO UPDATE SET open = excluded.open, ended_at = excluded.ended_at, doc = excluded.doc`,
        )
        .run(charge.id, charge.resourceId, charge.to === null ? 1 : 0, charge.to, JSON.stringify(charge));
    },
    openCharges: (resourceId) => parseAll(sql.prepare("SELECT doc FROM charges WHERE open = 1 AND resource = ?").all(resourceId)),
    charges: (since) => parseAll(sql.prepare("SELECT doc FROM charges WHERE open = 1 OR ended_at >= ? ORDER BY rowid").all(since)),
    market() {
      const text = setting("market");
      return text === undefined ? DEFAULT_MARKET : { ...DEFAULT_MARKET, ...(JSON.parse(text) as Partial<MarketSettings>) };
    },
    saveMarket: (market) => saveSetting("market", JSON.stringify(market)),
    chaos: () => JSON.parse(setting("chaos") ?? "[]") as ChaosRule[],
    saveChaos: (rules) => saveSetting("chaos", JSON.stringify(rules)),
    account(make) {
      if (setting("account") === undefined) saveSetting("account", JSON.stringify(make()));
      return JSON.parse(setting("account") ?? "null") as Account;
    },
    metadataPort: () => Number(setting("metadataPort") ?? "0"),
    saveMetadataPort: (port) => saveSetting("metadataPort", String(port)),
    clear() {
      for (const table of ["instances", "volumes", "charges"]) sql.exec(`DELETE FROM ${table}`);
      sql.exec("DELETE FROM settings WHERE key IN ('market', 'chaos')");
    },
    close: () => void sql.close(),
  };
}
