import type { FakeAnswer, FakeRequest } from "../fake-server.ts";
import { invalid, Refusal } from "./answers.ts";
import type { Call, VerdaState } from "./state.ts";

/** The fields of a token request, in JSON or as a form. */
function fieldsOf(state: VerdaState, request: FakeRequest): Readonly<Record<string, unknown>> {
  const isForm = (request.headers["content-type"] ?? "").startsWith("application/x-www-form-urlencoded");
  if (isForm) return Object.fromEntries(new URLSearchParams(request.body));
  if (state.switches.formTokensOnly) throw invalid("The mandatory 'grant_type' parameter is not specified");
  const body = request.json();
  if (typeof body !== "object" || body === null) throw invalid("request body is not valid JSON");
  return body as Readonly<Record<string, unknown>>;
}

/** POST /oauth2/token. Times of life are counted by the server's clock alone. */
export function issueToken({ state, request }: Call): FakeAnswer {
  const fields = fieldsOf(state, request);
  if (fields["client_id"] !== state.clientId || fields["client_secret"] !== state.clientSecret)
    throw new Refusal(401, "unauthorized_request", "Invalid client id or client secret");
  const grant = fields["grant_type"];
  if (grant === "refresh_token") {
    const old = [...state.tokens.values()].find(({ refresh }) => refresh === fields["refresh_token"]);
    if (old === undefined || !state.switches.honourRefresh) throw new Refusal(400, "invalid_request", "Invalid refresh token");
    state.tokens.delete(old.access);
  } else if (grant !== "client_credentials") throw invalid("unsupported grant type");
  const token = {
    access: `canary-access-${state.nextId()}`,
    refresh: `canary-refresh-${state.nextId()}`,
    until: state.clock.now() + state.switches.tokenSeconds * 1000,
  };
  state.tokens.set(token.access, token);
  return {
    status: 200,
    body: {
      access_token: token.access,
      refresh_token: token.refresh,
      token_type: "Bearer",
      expires_in: state.switches.tokenSeconds,
      scope: "cloud-api-v1",
    },
  };
}

export function requireToken(state: VerdaState, request: FakeRequest): void {
  const access = /^Bearer (.+)$/.exec(request.headers["authorization"] ?? "")?.[1];
  const token = access === undefined ? undefined : state.tokens.get(access);
  if (token === undefined || token.until <= state.clock.now())
    throw new Refusal(401, "unauthorized_request", "Access token is missing or expired");
}

const A_MINUTE_MS = 60_000;

/** Both of the vendor's limits: per project, and per method and path. */
export function requireLimits(state: VerdaState, request: FakeRequest): void {
  const { limits } = state.switches;
  if (limits === null) return;
  const now = state.clock.now();
  const counted: readonly (readonly [string, number])[] = [
    ["project", limits.project],
    [`${request.method} ${request.path}`, limits.route],
  ];
  for (const [what, most] of counted) {
    const times = (state.recent.get(what) ?? []).filter((at) => at > now - A_MINUTE_MS);
    state.recent.set(what, [...times, now]);
    const [oldest] = times;
    if (times.length < most || oldest === undefined) continue;
    const waitMs = oldest + A_MINUTE_MS - now;
    const { retryAfter } = state.switches;
    const text = retryAfter === "date" ? new Date(now + waitMs).toUTCString() : String(Math.ceil(waitMs / 1000));
    throw new Refusal(429, "rate_limit_exceeded", "Rate limit exceeded", retryAfter === "none" ? {} : { "retry-after": text });
  }
}
