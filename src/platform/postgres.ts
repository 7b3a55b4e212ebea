import pg from "pg";
import type { TlsWish } from "./postgres-tls.ts";

/** Which server, which database, and as whom. What is undefined is left to the server or to a password file (`~/.pgpass`). */
export interface PostgresTarget {
  /** A name, an address, or the folder of a socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string | undefined;
  readonly tls: TlsWish;
  /** Settings of the session, as `-c name=value` words. */
  readonly options: string | undefined;
  readonly channelBinding: boolean;
}

export interface PostgresLimits {
  /** Connections at once. */
  readonly connections: number;
  readonly connectMs: number;
  /** What the server allows one statement, waiting for a lock included. */
  readonly statementMs: number;
  /** How much longer than the server we wait ourselves: only who does not answer at all is given up by us. */
  readonly answerMs: number;
  /** The server ends a transaction in which nothing was said for so long: whoever began it stands still or is unreachable. */
  readonly silentTransactionMs: number;
  /** Once the command was told to stop, nothing is waited for longer than this. */
  readonly graceMs: number;
}

export const USUAL_LIMITS: PostgresLimits = {
  connections: 4,
  connectMs: 10_000,
  statementMs: 20_000,
  answerMs: 5_000,
  silentTransactionMs: 10_000,
  graceMs: 3_000,
};

const IDLE_MS = 10_000;
const CLOSING_MS = 1_000;

export interface PostgresAnswer {
  readonly rows: readonly unknown[];
  /** What was done, in capitals: `SELECT`, `COMMIT`, `ROLLBACK`. */
  readonly command: string;
  readonly rowCount: number;
}

/** One connection, for one caller at a time. */
export interface PostgresSession {
  /** It was used before, so whoever was at its other end may have gone since. */
  readonly wasIdle: boolean;
  /** Throws what the server or the network says, `ETIMEDOUT` when nobody answers, or the signal's reason. */
  query(text: string, values: readonly unknown[]): Promise<PostgresAnswer>;
  /** It is not to be used again: its transaction ends with it. */
  spoil(): void;
  release(): void;
}

export interface Postgres {
  /** Waits for a free connection as long as it takes; each of those who have one is bound by the limits. */
  session(): Promise<PostgresSession>;
  close(): Promise<void>;
}

const INT8 = 20;

/** Whole numbers come as numbers; past 2^53 as big ones, so that nobody reads a rounded one. */
function wholeNumber(text: string): number | bigint {
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : BigInt(text);
}

const types: pg.CustomTypesConfig = {
  // The library's own signature names a few overloads; what is not a whole number is read as it always is.
  getTypeParser: ((oid: number, format?: "text" | "binary") =>
    oid === INT8 && format !== "binary" ? wholeNumber : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
};

function tooLate(ms: number): Error {
  return Object.assign(new Error(`no answer within ${ms} ms`), { code: "ETIMEDOUT" });
}

/** Waits for `work`, but not past `ms`, and not past `graceMs` once the signal has fired. `giveUp` ends the work itself. */
function limited<Result>(
  work: Promise<Result>,
  { ms, graceMs, signal }: { readonly ms: number; readonly graceMs: number; readonly signal: AbortSignal | undefined },
  giveUp: () => void,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      clearTimeout(timer);
      clearTimeout(graceTimer);
      signal?.removeEventListener("abort", stop);
      settle();
    };
    const timer = setTimeout(() => {
      end(() => reject(tooLate(ms)));
      giveUp();
    }, ms);
    let graceTimer: NodeJS.Timeout | undefined;
    const stop = () => {
      graceTimer = setTimeout(() => {
        end(() => reject(signal?.reason));
        giveUp();
      }, graceMs);
    };
    if (signal?.aborted === true) stop();
    else signal?.addEventListener("abort", stop, { once: true });
    work.then(
      (result) => end(() => resolve(result)),
      (error: unknown) => end(() => reject(error)),
    );
  });
}

/** Lets so many at once through, in the order of asking. */
function gate(places: number): { enter(): Promise<void>; leave(): void } {
  const waiting: (() => void)[] = [];
  let free = places;
  return {
    async enter() {
      if (free > 0) free--;
      else await new Promise<void>((resolve) => waiting.push(resolve));
    },
    leave() {
      const next = waiting.shift();
      if (next === undefined) free++;
      else next();
    },
  };
}

function poolOf(target: PostgresTarget, limits: PostgresLimits): pg.Pool {
  const { host, port, database, user, password, tls, options, channelBinding } = target;
  const pool = new pg.Pool({
    host,
    port,
    database,
    user,
    ...(password === undefined ? {} : { password }),
    ...(options === undefined ? {} : { options }),
    ssl: tls === "none" ? false : tls,
    application_name: "spot",
    enableChannelBinding: channelBinding,
    max: limits.connections,
    connectionTimeoutMillis: limits.connectMs,
    idleTimeoutMillis: IDLE_MS,
    allowExitOnIdle: true,
    statement_timeout: limits.statementMs,
    idle_in_transaction_session_timeout: limits.silentTransactionMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: IDLE_MS,
    types,
  });
  // A connection that breaks while nobody asks anything is reported here; the next to ask hears of it from its own query.
  pool.on("error", () => undefined);
  pool.on("connect", (client) => client.on("error", () => undefined));
  return pool;
}

/** The connection's own end, so that the server lets go of whatever it held for us. */
function cut(client: pg.PoolClient): void {
  (client as unknown as { readonly connection: { readonly stream: { destroy(): void } } }).connection.stream.destroy();
}

/**
 * Connections to a PostgreSQL server, made when they are wanted. Once `signal` has fired statements still work, because who
 * is interrupted has something to undo, but none is waited for longer than a moment.
 */
export function openPostgres(target: PostgresTarget, signal: AbortSignal | undefined, limits: PostgresLimits = USUAL_LIMITS): Postgres {
  const pool = poolOf(target, limits);
  const places = gate(limits.connections);
  const known = new WeakSet<pg.PoolClient>();
  const within = (ms: number) => ({ ms, graceMs: limits.graceMs, signal });
  const connect = async () => {
    const coming = pool.connect();
    let isWanted = true;
    coming.then(
      (client) => isWanted || client.release(true),
      () => undefined,
    );
    return limited(coming, within(limits.connectMs + limits.answerMs), () => {
      isWanted = false;
    });
  };
  return {
    async session() {
      await places.enter();
      try {
        const client = await connect();
        const wasIdle = known.has(client);
        known.add(client);
        let isSpoilt = false;
        return {
          wasIdle,
          async query(text, values) {
            const answer = await limited(client.query(text, [...values]), within(limits.statementMs + limits.answerMs), () => {
              isSpoilt = true;
              cut(client);
            });
            return { rows: answer.rows, command: answer.command, rowCount: answer.rowCount ?? 0 };
          },
          spoil() {
            isSpoilt = true;
          },
          release() {
            if (isSpoilt) cut(client);
            client.release(isSpoilt);
            places.leave();
          },
        };
      } catch (error) {
        places.leave();
        throw error;
      }
    },
    close: () => limited(pool.end(), { ms: CLOSING_MS, graceMs: CLOSING_MS, signal: undefined }, () => undefined).catch(() => undefined),
  };
}
