import { type AuthClient, GoogleAuth, type gaxios, Impersonated } from "google-auth-library";

/**
 * The only file that loads Google's library; it is imported when the first token is needed.
 * The library gets the credentials from us and sends through us: of `process.env` it reads only what an external account
 * names (an AWS role's variables, GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES).
 */
const SCOPE = "https://www.googleapis.com/auth/cloud-platform";

export type LibraryRequest = gaxios.GaxiosOptions;
export interface LibraryAnswer {
  readonly data: unknown;
  readonly status: number;
  readonly headers: Headers;
}

export interface TokenSource {
  readonly file: Readonly<Record<string, unknown>>;
  /** Sends one request of the library's; throws for every answer that is no success. */
  send(request: LibraryRequest): Promise<LibraryAnswer>;
  /** `iat`, `exp` and `aud` of a signed assertion, in the server's time. */
  readonly claims: Readonly<Record<string, string | number>>;
}

function clientOf({ file, send, claims }: TokenSource): AuthClient {
  const auth = new GoogleAuth({ scopes: [SCOPE], projectId: "unused" });
  // Of its transporter the library calls `request` alone once it adds no headers of its own.
  const transporter = { request: send } as unknown as gaxios.Gaxios;
  const options = { transporter, useAuthRequestParameters: false };
  if (file["type"] !== "impersonated_service_account") return auth.fromJSON(file, { ...options, additionalClaims: { ...claims } } as never);
  const { source_credentials: source, service_account_impersonation_url: url, delegates } = file;
  const targetPrincipal = /([^/]+):generateAccessToken$/.exec(String(url ?? ""))?.[1];
  if (typeof source !== "object" || source === null || targetPrincipal === undefined)
    throw new Error("the credentials of an impersonated service account name no source, or no account");
  return new Impersonated({
    ...options,
    sourceClient: clientOf({ file: { ...source }, send, claims }),
    targetPrincipal,
    targetScopes: [SCOPE],
    delegates: Array.isArray(delegates) ? delegates.map(String) : [],
  });
}

/** A new access token for these credentials, by whatever exchange their type asks for. */
export async function newAccessToken(source: TokenSource): Promise<string> {
  const { token } = await clientOf(source).getAccessToken();
  if (typeof token !== "string" || token === "") throw new Error("no access token in the answer");
  return token;
}
