import type { Generated, Kysely } from "kysely";

/** The columns as they lie in the database. Times are epoch milliseconds, money is micros, `…_json` is JSON text. */
export interface Tables {
  schema_migrations: { version: number };
  instances: {
    id: string;
    name: string;
    /** The name while the record is not gone, NULL afterwards; unique, so that a name is taken once. */
    live_name: string | null;
    version: number;
    created_at: number;
    /** The whole record except `id` and `version`. */
    record_json: string;
    spec_json: string;
  };
  intents: {
    id: string;
    kind: string;
    instance_id: string | null;
    provider: string;
    token: string;
    created_at: number;
    status: string;
    closed_at: number | null;
    detail_json: string;
  };
  events: {
    seq: Generated<number>;
    at: number;
    type: string;
    instance: string | null;
    provider: string | null;
    data_json: string;
  };
  volumes: {
    id: string;
    name: string;
    live_name: string | null;
    provider: string;
    provider_id: string | null;
    region: string;
    zone: string;
    size_gb: number;
    state: string;
    created_at: number;
    price_micros: number | bigint | null;
    price_currency: string | null;
    account: string | null;
  };
  checkpoints: {
    id: string;
    instance: string;
    volume: string;
    created_at: number;
    files: number;
    bytes: number;
    sha256: string;
    /** 0 or 1. */
    sealed: number;
    verified_at: number | null;
    step: string | null;
    reason: string;
  };
  bucket_copies: {
    checkpoint: string;
    place: string;
    endpoint: string;
    instance: string;
    sha256: string;
    bytes: number;
    sealed_at: number;
    verified_at: number;
    proof: string;
  };
  prices: {
    offer_key: string;
    observed_at: number;
    price_micros: number | bigint;
    currency: string;
    source: string;
  };
  ledger: {
    id: string;
    instance_id: string | null;
    instance: string;
    fleet: string | null;
    provider: string;
    provider_id: string;
    kind: string;
    billing: string;
    from_at: number;
    to_at: number | null;
    rate_micros: number | bigint;
    rate_currency: string;
    on_demand_micros: number | bigint | null;
    on_demand_currency: string | null;
    billed_micros: number | bigint | null;
    billed_currency: string | null;
    seen_at: number | null;
  };
  leases: { name: string; owner: string; expires_at: number; since: number };
  blocked_offers: { offer_key: string; until_at: number; why: string };
  budgets: {
    scope: string;
    cap_micros: number | bigint;
    cap_currency: string;
    at_cap: string;
    created_at: number;
    said_percent: number;
    said_at: number;
  };
  cursors: { name: string; seq: number; at: number };
  /** `warned` is 0 or 1. */
  guards: {
    instance_id: string;
    provider_id: string;
    heartbeat_at: number | null;
    asked_at: number;
    silent_at: number | null;
    warned: number;
  };
  peers: { host: string; public_key: string; seen_at: number };
}

/** The database, or a transaction on it. */
export type Executor = Kysely<Tables>;
