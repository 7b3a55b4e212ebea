import { verify } from "node:crypto";
import type { FakeAnswer, FakeRequest } from "../fake-server.ts";
import { CLIENT_EMAIL, type Credentials } from "./key-file.ts";
import { Refusal } from "./refusal.ts";

const SCOPES = "https://www.googleapis.com/auth/";
/** How far the clock of the client may be ahead. */
const SKEW_SECONDS = 300;
const LONGEST_SECONDS = 3_600;
/** What Google's libraries write, whatever the file says. */
const GOOGLE_TOKEN_URI = "https://oauth2.googleapis.com/token";

interface Token {
  readonly until: number;
  readonly scopes: readonly string[];
}

export interface OAuth {
  /** POST to the token endpoint. */
  exchange(request: FakeRequest): FakeAnswer;
  /** @throws Refusal without a valid token, or with one that may not do this. */
  require(request: FakeRequest, scopes: readonly string[]): void;
  mint(): string;
  /** Every token that was given is worth nothing from now on. */
  revoke(): void;
  /** Every token that was ever given. */
  given(): readonly string[];
}

function denied(status: number, error: string, description: string): FakeAnswer {
  return { status, body: { error, error_description: description } };
}

function partOf(text: string | undefined): Readonly<Record<string, unknown>> | null {
  try {
    return JSON.parse(Buffer.from(text ?? "", "base64url").toString("utf8")) as Readonly<Record<string, unknown>>;
  } catch {
    return null;
  }
}

/** The scopes of an assertion, or why it is none. `now` is in seconds. */
function assertedScopes(assertion: string, credentials: Credentials, now: number): readonly string[] | FakeAnswer {
  const [head, claims, signature, more] = assertion.split(".");
  const header = partOf(head);
  const payload = partOf(claims);
  if (header === null || payload === null || signature === undefined || more !== undefined)
    return denied(400, "invalid_grant", "Bad Request");
  if (header["alg"] !== "RS256") return denied(400, "invalid_grant", "Invalid JWT: Only RS256 is supported.");
  if (payload["iss"] !== CLIENT_EMAIL) return denied(400, "invalid_grant", "Invalid grant: account not found");
  const signed = Buffer.from(`${head}.${claims}`);
  if (!verify("RSA-SHA256", signed, credentials.publicKey, Buffer.from(signature, "base64url")))
    return denied(400, "invalid_grant", "Invalid JWT Signature.");
  if (header["kid"] !== undefined && header["kid"] !== credentials.keyId) return denied(400, "invalid_grant", "Invalid JWT Signature.");
  if (payload["aud"] !== credentials.tokenUri && payload["aud"] !== GOOGLE_TOKEN_URI)
    return denied(400, "invalid_grant", "Invalid JWT: Failed audience check.");
  const { iat, exp } = payload;
  const isTimely =
    typeof iat === "number" &&
    typeof exp === "number" &&
    Number.isInteger(iat) &&
    Number.isInteger(exp) &&
    exp - iat <= LONGEST_SECONDS &&
    exp > now &&
    iat <= now + SKEW_SECONDS;
  if (!isTimely)
    return denied(
      400,
      "invalid_grant",
      "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.",
    );
  const scopes = typeof payload["scope"] === "string" ? payload["scope"].split(" ").filter((one) => one !== "") : [];
  if (scopes.length === 0 || !scopes.every((scope) => scope.startsWith(SCOPES)))
    return denied(400, "invalid_scope", "Invalid OAuth scope or ID token audience provided.");
  return scopes;
}

function refreshedScopes(fields: URLSearchParams, credentials: Credentials): readonly string[] | FakeAnswer {
  if (fields.get("client_id") !== credentials.clientId || fields.get("client_secret") !== credentials.clientSecret)
    return denied(401, "invalid_client", "The OAuth client was not found.");
  if (fields.get("refresh_token") !== credentials.refreshToken) return denied(400, "invalid_grant", "Token has been expired or revoked.");
  return [`${SCOPES}cloud-platform`];
}

/** Google's token endpoint, and who may do what with its tokens. `now` is in milliseconds, `life` in seconds. */
export function oauth(credentials: () => Credentials, now: () => number, life: () => number): OAuth {
  const tokens = new Map<string, Token>();
  const all: string[] = [];
  /** The same one again while it lives, as Google does it for a while. */
  const give = (scopes: readonly string[]): string => {
    for (const [token, { until, scopes: those }] of tokens) if (until > now() && those.join(" ") === scopes.join(" ")) return token;
    const token = `canary-gcp-access-${all.length + 1}-c2PzkQ`;
    all.push(token);
    tokens.set(token, { until: now() + life() * 1_000, scopes });
    return token;
  };
  return {
    exchange(request) {
      if (request.method !== "POST") throw new Refusal(404, "notFound", "Not Found");
      if (!(request.headers["content-type"] ?? "").startsWith("application/x-www-form-urlencoded"))
        return denied(400, "invalid_request", "Content-Type must be application/x-www-form-urlencoded");
      const fields = new URLSearchParams(request.body);
      const grant = fields.get("grant_type");
      const isJwt = grant === "urn:ietf:params:oauth:grant-type:jwt-bearer";
      if (!isJwt && grant !== "refresh_token") return denied(400, "unsupported_grant_type", `Invalid grant_type: ${grant ?? ""}`);
      const scopes = isJwt
        ? assertedScopes(fields.get("assertion") ?? "", credentials(), now() / 1_000)
        : refreshedScopes(fields, credentials());
      if ("status" in scopes) return scopes;
      const token = give(scopes);
      const left = Math.floor(((tokens.get(token)?.until ?? 0) - now()) / 1_000);
      const answer = { access_token: token, expires_in: left, token_type: "Bearer" };
      return { status: 200, body: isJwt ? answer : { ...answer, scope: scopes.join(" ") } };
    },
    require(request, scopes) {
      const bearer = /^Bearer (.+)$/.exec(request.headers["authorization"] ?? "")?.[1];
      const token = bearer === undefined ? undefined : tokens.get(bearer);
      if (token === undefined || token.until <= now())
        throw new Refusal(
          401,
          "authError",
          bearer === undefined
            ? "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid authentication credential."
            : "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.",
          { "www-authenticate": 'Bearer realm="https://accounts.google.com/", error="invalid_token"' },
        );
      if (!scopes.some((scope) => token.scopes.includes(`${SCOPES}${scope}`)))
        throw new Refusal(403, "insufficientPermissions", "Request had insufficient authentication scopes.");
    },
    mint: () => give([`${SCOPES}cloud-platform`]),
    revoke: () => tokens.clear(),
    given: () => all,
  };
}
