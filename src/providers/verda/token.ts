import type * as v from "valibot";
import type { Clock } from "../../platform/clock.ts";
import { type CloudAnswer, type CloudHttp, parsed, quoted, refusalByStatus } from "../cloud-http.ts";
import { isFault, ProviderError } from "../errors.ts";
import { wordsOf } from "./codes.ts";
import { tokenSchema } from "./wire.ts";

export interface Credentials {
  readonly clientId: string;
  readonly clientSecret: string;
}

/** The access token of this process. It is kept in memory and nowhere else. */
export interface TokenKeeper {
  /** A token that is good for a while; fetched by the first call, renewed before it ends, once for everybody who waits. */
  access(signal: AbortSignal): Promise<string>;
  /** The server refused this one: the next call gets another, unless another is there already. */
  refuse(access: string): void;
  /** What must never be shown. */
  secrets(): readonly string[];
}

export interface TokenKeeperOptions {
  /** Sends without a token. */
  readonly http: CloudHttp;
  readonly clock: Clock;
  /** @throws ProviderError `auth` when there are none. */
  credentials(): Promise<Credentials>;
}

interface Token {
  readonly access: string;
  readonly refresh: string | null;
  /** By the monotonic clock. */
  readonly renewAt: number;
}

/** The margin of the vendor's Go SDK; of a life that is shorter than two margins, half. */
const MARGIN_MS = 30_000;
/** What servers that want a form say to JSON (the vendor's Go SDK, auth.go). */
const WANTS_FORM = /grant_type.*not specified|unsupported grant type|not valid json/i;

const stopped = (signal: AbortSignal) =>
  new ProviderError("verda", { kind: "unavailable" }, "stopped while waiting for an access token", null, signal.reason);

/** The token of an answer. One that cannot be read may hold a token all the same, so none of its words are repeated. */
function tokenIn(answer: CloudAnswer): v.InferOutput<typeof tokenSchema> {
  try {
    return parsed("verda", tokenSchema, answer);
  } catch {
    throw new ProviderError("verda", { kind: "protocol" }, `${answer.asked} was answered without a token`, `http-${answer.status}`);
  }
}

/** `POST /oauth2/token`: client credentials, then refresh (RFC 6749, sections 4.4 and 6). */
export function tokenKeeper({ http, clock, credentials }: TokenKeeperOptions): TokenKeeper {
  let token: Token | undefined;
  let wantsForm = false;
  let renewal: { readonly work: Promise<Token>; readonly stop: AbortController; waiting: number } | undefined;

  async function request(fields: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Token> {
    const began = clock.monotonic();
    const send = () =>
      http.send({
        method: "POST",
        path: "/oauth2/token",
        ...(wantsForm ? { form: fields } : { body: fields }),
        // Asking twice for a token does no harm.
        effect: "read",
        signal,
      });
    let answer = await send();
    if (!wantsForm && answer.status === 400 && WANTS_FORM.test(answer.text)) {
      wantsForm = true;
      answer = await send();
    }
    if (answer.status >= 200 && answer.status < 300) {
      const { access_token: access, refresh_token: refresh, expires_in: seconds } = tokenIn(answer);
      const life = seconds * 1000;
      return { access, refresh, renewAt: began + life - Math.min(MARGIN_MS, life / 2) };
    }
    if (![400, 401, 403].includes(answer.status)) throw refusalByStatus("verda", answer, "", null, clock.now());
    throw new ProviderError(
      "verda",
      { kind: "auth" },
      `the client id or secret is refused: ${quoted(wordsOf(answer).message)}`,
      `http-${answer.status}`,
    );
  }

  async function renew(old: Token | undefined, signal: AbortSignal): Promise<Token> {
    const { clientId, clientSecret } = await credentials();
    const client = { client_id: clientId, client_secret: clientSecret };
    if (old?.refresh != null) {
      try {
        return await request({ grant_type: "refresh_token", refresh_token: old.refresh, ...client }, signal);
      } catch (error) {
        // A refresh token ends some day; the credentials do not.
        if (!isFault(error, "auth", "not-found", "protocol")) throw error;
      }
    }
    return request({ grant_type: "client_credentials", ...client }, signal);
  }

  /** One renewal for all; it is given up only when everybody who waited for it has gone. */
  async function renewed(signal: AbortSignal): Promise<Token> {
    if (signal.aborted) throw stopped(signal);
    if (renewal === undefined) {
      const stop = new AbortController();
      const work = renew(token, stop.signal);
      const mine = { work, stop, waiting: 0 };
      renewal = mine;
      const over = () => {
        if (renewal === mine) renewal = undefined;
      };
      void work.then((fresh) => {
        token = fresh;
        over();
      }, over);
    }
    const shared = renewal;
    shared.waiting += 1;
    return new Promise((resolve, reject) => {
      const leave = () => {
        shared.waiting -= 1;
        if (shared.waiting === 0) {
          if (renewal === shared) renewal = undefined;
          shared.stop.abort(signal.reason);
        }
        reject(stopped(signal));
      };
      signal.addEventListener("abort", leave, { once: true });
      const stay = () => signal.removeEventListener("abort", leave);
      void shared.work.then(resolve, reject).finally(stay);
    });
  }

  return {
    async access(signal) {
      if (token !== undefined && clock.monotonic() < token.renewAt) return token.access;
      return (await renewed(signal)).access;
    },
    refuse(access) {
      if (token?.access === access) token = { ...token, renewAt: 0 };
    },
    secrets: () => (token === undefined ? [] : [token.access, ...(token.refresh === null ? [] : [token.refresh])]),
  };
}
