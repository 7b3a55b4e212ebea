/** Version n is the n-th entry. An entry never changes once released: a change is a new entry. */
export const MIGRATIONS: readonly (readonly string[])[] = [
  [
    `CREATE TABLE instances (
      id TEXT PRIMARY KEY, name TEXT NOT NULL, live_name TEXT, version BIGINT NOT NULL,
      created_at BIGINT NOT NULL, record_json TEXT NOT NULL, spec_json TEXT NOT NULL)`,
    "CREATE UNIQUE INDEX instances_live_name ON instances (live_name)",
    "CREATE INDEX instances_name ON instances (name, created_at)",
    `CREATE TABLE intents (
      id TEXT PRIMARY KEY, kind TEXT NOT NULL, instance_id TEXT, provider TEXT NOT NULL, token TEXT NOT NULL,
      created_at BIGINT NOT NULL, status TEXT NOT NULL, closed_at BIGINT, detail_json TEXT NOT NULL)`,
    "CREATE INDEX intents_status ON intents (status, created_at)",
    "CREATE INDEX intents_token ON intents (token)",
    // AUTOINCREMENT, because a plain INTEGER PRIMARY KEY may give the number of a deleted row again.
    `CREATE TABLE events (
      seq INTEGER PRIMARY KEY AUTOINCREMENT, at BIGINT NOT NULL, type TEXT NOT NULL, instance TEXT, provider TEXT,
      data_json TEXT NOT NULL)`,
    "CREATE INDEX events_at ON events (at)",
    `CREATE TABLE volumes (
      id TEXT PRIMARY KEY, name TEXT NOT NULL, live_name TEXT, provider TEXT NOT NULL, provider_id TEXT, region TEXT NOT NULL,
      zone TEXT NOT NULL, size_gb DOUBLE PRECISION NOT NULL, state TEXT NOT NULL, created_at BIGINT NOT NULL,
      price_micros BIGINT, price_currency TEXT)`,
    "CREATE UNIQUE INDEX volumes_live_name ON volumes (provider, live_name)",
    `CREATE TABLE checkpoints (
      id TEXT PRIMARY KEY, instance TEXT NOT NULL, volume TEXT NOT NULL, created_at BIGINT NOT NULL, files BIGINT NOT NULL,
      bytes BIGINT NOT NULL, sha256 TEXT NOT NULL, sealed INTEGER NOT NULL, verified_at BIGINT, step TEXT, reason TEXT NOT NULL)`,
    "CREATE INDEX checkpoints_instance ON checkpoints (instance, created_at)",
    "CREATE INDEX checkpoints_volume ON checkpoints (volume, created_at)",
    `CREATE TABLE prices (
      offer_key TEXT NOT NULL, observed_at BIGINT NOT NULL, price_micros BIGINT NOT NULL, currency TEXT NOT NULL,
      source TEXT NOT NULL, PRIMARY KEY (offer_key, observed_at))`,
    `CREATE TABLE ledger (
      id TEXT PRIMARY KEY, instance_id TEXT, instance TEXT NOT NULL, fleet TEXT, provider TEXT NOT NULL, provider_id TEXT NOT NULL,
      kind TEXT NOT NULL, billing TEXT NOT NULL, from_at BIGINT NOT NULL, to_at BIGINT, rate_micros BIGINT NOT NULL,
      rate_currency TEXT NOT NULL, on_demand_micros BIGINT, on_demand_currency TEXT, billed_micros BIGINT, billed_currency TEXT)`,
    "CREATE INDEX ledger_instance ON ledger (instance_id)",
    "CREATE INDEX ledger_to ON ledger (to_at)",
    "CREATE TABLE leases (name TEXT PRIMARY KEY, owner TEXT NOT NULL, expires_at BIGINT NOT NULL)",
    "CREATE TABLE blocked_offers (offer_key TEXT PRIMARY KEY, until_at BIGINT NOT NULL, why TEXT NOT NULL)",
  ],
  [
    // One cap a scope: `total`, `day`, `fleet:NAME` or `fleet:NAME:day`.
    `CREATE TABLE budgets (
      scope TEXT PRIMARY KEY, cap_micros BIGINT NOT NULL, cap_currency TEXT NOT NULL, at_cap TEXT NOT NULL,
      created_at BIGINT NOT NULL, said_percent BIGINT NOT NULL, said_at BIGINT NOT NULL)`,
    // How far a reader of the events has come (a webhook, say), so that a restart loses none.
    "CREATE TABLE cursors (name TEXT PRIMARY KEY, seq BIGINT NOT NULL, at BIGINT NOT NULL)",
    // The public keys of the computers that share this state: each of them comes into every new machine.
    "CREATE TABLE peers (host TEXT PRIMARY KEY, public_key TEXT NOT NULL, seen_at BIGINT NOT NULL)",
    "CREATE INDEX events_instance ON events (instance, seq)",
    // Whose it is at its cloud; NULL when nobody could tell.
    "ALTER TABLE volumes ADD COLUMN account TEXT",
    // What was last heard of the agents that keep a TTL or an idle time; beside the records, which it must not change.
    `CREATE TABLE guards (
      instance_id TEXT PRIMARY KEY, provider_id TEXT NOT NULL, heartbeat_at BIGINT, asked_at BIGINT NOT NULL, silent_at BIGINT,
      warned INTEGER NOT NULL)`,
    // Since when its owner has a lease; 0 for one that an older program took.
    "ALTER TABLE leases ADD COLUMN since BIGINT NOT NULL DEFAULT 0",
  ],
  [
    // A checkpoint that was copied keeps its id, and lies on two volumes.
    `CREATE TABLE checkpoints_moved (
      id TEXT NOT NULL, instance TEXT NOT NULL, volume TEXT NOT NULL, created_at BIGINT NOT NULL, files BIGINT NOT NULL,
      bytes BIGINT NOT NULL, sha256 TEXT NOT NULL, sealed INTEGER NOT NULL, verified_at BIGINT, step TEXT, reason TEXT NOT NULL,
      PRIMARY KEY (id, volume))`,
    `INSERT INTO checkpoints_moved (id, instance, volume, created_at, files, bytes, sha256, sealed, verified_at, step, reason)
      SELECT id, instance, volume, created_at, files, bytes, sha256, sealed, verified_at, step, reason FROM checkpoints`,
    "DROP TABLE checkpoints",
    "ALTER TABLE checkpoints_moved RENAME TO checkpoints",
    "CREATE INDEX checkpoints_instance ON checkpoints (instance, created_at)",
    "CREATE INDEX checkpoints_volume ON checkpoints (volume, created_at)",
    // Where else checkpoints lie: in buckets, which nobody reads on every pass. `endpoint` is empty for AWS's own.
    `CREATE TABLE bucket_copies (
      checkpoint TEXT NOT NULL, place TEXT NOT NULL, endpoint TEXT NOT NULL, instance TEXT NOT NULL, sha256 TEXT NOT NULL,
      bytes BIGINT NOT NULL, sealed_at BIGINT NOT NULL, verified_at BIGINT NOT NULL, proof TEXT NOT NULL,
      PRIMARY KEY (checkpoint, place, endpoint))`,
    "CREATE INDEX bucket_copies_instance ON bucket_copies (instance, sealed_at)",
  ],
  // When a look last found the machine of an interval; NULL when none did, or an older program wrote it.
  ["ALTER TABLE ledger ADD COLUMN seen_at BIGINT"],
];

/** What this program reads and writes. */
export const SCHEMA_VERSION = MIGRATIONS.length;
