import { setMaxListeners } from "node:events";
import { join } from "node:path";
import { EC2Client, type EC2ClientConfig } from "@aws-sdk/client-ec2";
import { deadline } from "../../platform/clock.ts";
import { HttpFailure, httpClient } from "../../platform/http.ts";
import type { World } from "../../platform/world.ts";
import { quoted } from "../cloud-http.ts";
import { accessOf } from "../credentials.ts";
import { ProviderError } from "../errors.ts";
import { PROVIDER } from "./codes.ts";

export type AwsWorld = Pick<World, "env" | "home" | "clock">;

/** A key pair of AWS, perhaps for a while only. */
export interface Identity {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
  /** Where the SDK had them from: its own names, each with a letter. */
  readonly $source?: Readonly<Record<string, unknown>>;
}

export interface Chain {
  /** @throws ProviderError `auth` when there are none, `unavailable` when whoever gives them does not answer or the signal fires. */
  identity(signal: AbortSignal): Promise<Identity>;
  /** For the SDK's clients and their signers. */
  readonly provider: () => Promise<Identity>;
  /** What must never be shown. */
  secrets(): readonly string[];
}

/** What the SDK asks of a handler, and no more. */
export interface SdkRequest {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}
export interface SdkResponse {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
}
export type SdkHandler = NonNullable<EC2ClientConfig["requestHandler"]>;

const EXCHANGE_WITHIN_MS = 20_000;
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;

export function originOf({ protocol, hostname, port }: SdkRequest): string {
  return `${protocol.replace(/:?$/, ":")}//${hostname}${port === undefined ? "" : `:${port}`}`;
}

export function bodyText(body: unknown): string {
  return typeof body === "string" ? body : body instanceof Uint8Array ? new TextDecoder().decode(body) : "";
}

export function sdkResponse(status: number, headers: Readonly<Record<string, string>>, text: string): { readonly response: SdkResponse } {
  return { response: { statusCode: status, headers: { ...headers }, body: new TextEncoder().encode(text) } };
}

function pathOf({ path, query = {} }: SdkRequest): string {
  const text = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) for (const one of [value ?? ""].flat()) text.append(name, one);
  return text.size === 0 ? path : `${path}?${text}`;
}

/**
 * The chain's own exchanges (STS, SSO) through our HTTP, for the sake of proxies, certificates and limits. They are signed as
 * they are, and their answers hold secrets that nothing may be blotted out of.
 */
function exchangeHandler(env: AwsWorld["env"]): SdkHandler {
  const handle = async (request: SdkRequest, options: { readonly abortSignal?: unknown } = {}) => {
    const http = httpClient(originOf(request), { env });
    const parent = options.abortSignal instanceof AbortSignal ? options.abortSignal : new AbortController().signal;
    const limit = deadline(parent, EXCHANGE_WITHIN_MS);
    try {
      const { host: _, "content-length": __, ...headers } = request.headers;
      const body = bodyText(request.body);
      const method = METHODS.find((one) => one === request.method) ?? "GET";
      const sent = { method, path: pathOf(request), headers, signal: limit.signal };
      const answer = await http.send(body === "" ? sent : { ...sent, body });
      return sdkResponse(answer.status, answer.headers, answer.body);
    } finally {
      limit.done();
      await http.close();
    }
  };
  return { handle } as unknown as SdkHandler;
}

/** Says nothing: the chain would write its warnings to the terminal. */
const SILENT = { debug() {}, info() {}, warn() {}, error() {}, trace() {} };

/**
 * Settings of every client of the SDK's by which it sends each request once, says nothing, and looks up nothing in the person's
 * files: what is not told here or by the environment, it would search there for each client.
 */
export function plainClient(env: AwsWorld["env"]) {
  return {
    logger: SILENT,
    maxAttempts: 1,
    retryMode: "standard",
    defaultsMode: "standard",
    useDualstackEndpoint: env["AWS_USE_DUALSTACK_ENDPOINT"] === "true",
    useFipsEndpoint: env["AWS_USE_FIPS_ENDPOINT"] === "true",
    defaultUserAgentProvider: async (): Promise<[string][]> => [["spot-fleet"]],
    userAgentAppId: async () => undefined,
    authSchemePreference: [] as string[],
  } as const;
}

const given = (env: AwsWorld["env"], name: string) => env[name]?.trim() || undefined;

/** The environment's own keys; a profile that is named goes before them, as in the SDK. */
function fromEnvironment(env: AwsWorld["env"]): Identity | undefined {
  const [accessKeyId, secretAccessKey] = [given(env, "AWS_ACCESS_KEY_ID"), given(env, "AWS_SECRET_ACCESS_KEY")];
  if (accessKeyId === undefined || secretAccessKey === undefined || given(env, "AWS_PROFILE") !== undefined) return undefined;
  const sessionToken = given(env, "AWS_SESSION_TOKEN");
  const expires = given(env, "AWS_CREDENTIAL_EXPIRATION");
  return {
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === undefined ? {} : { sessionToken }),
    // As `aws configure export-credentials` says it.
    ...(expires === undefined || Number.isNaN(Date.parse(expires)) ? {} : { expiration: new Date(expires) }),
  };
}

/**
 * The SDK's own default chain: profiles, SSO, web identity, processes, containers, the machine's role. It reads the process's
 * environment by itself; what our own environment says of profiles and files is handed to it, so that both agree.
 */
function fromSdk(env: AwsWorld["env"]): () => Promise<Identity> {
  const home = given(env, "HOME");
  const files = (name: string, file: string) => given(env, name) ?? (home === undefined ? undefined : join(home, ".aws", file));
  const told = {
    region: given(env, "AWS_REGION") ?? given(env, "AWS_DEFAULT_REGION") ?? "us-east-1",
    profile: given(env, "AWS_PROFILE"),
    filepath: files("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
    configFilepath: files("AWS_CONFIG_FILE", "config"),
    webIdentityTokenFile: given(env, "AWS_WEB_IDENTITY_TOKEN_FILE"),
    roleArn: given(env, "AWS_ROLE_ARN"),
    roleSessionName: given(env, "AWS_ROLE_SESSION_NAME"),
    requestHandler: exchangeHandler(env),
    logger: SILENT,
    maxAttempts: 2,
  };
  const known = Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined));
  const { credentials } = new EC2Client(known as EC2ClientConfig).config;
  return () => credentials();
}

const login = () => accessOf(PROVIDER).chain?.login ?? "aws configure";
const OUT_OF_REACH = /^(?:ECONN|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|UND_ERR)|Timeout/;

/** Whether whoever gives the keys refused for now alone: too many questions, or a server that broke down. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { httpStatusCode = 0 } = (error as { readonly $metadata?: { readonly httpStatusCode?: number } }).$metadata ?? {};
  return httpStatusCode >= 500 || httpStatusCode === 429 || /Throttl|TooManyRequests|LimitExceeded/.test(error.name);
}

/** What it means that the chain has no keys. Of an exchange only its words are shown. */
function noKeys(error: unknown): ProviderError {
  const words = quoted(error instanceof Error ? error.message : String(error));
  const code = error instanceof HttpFailure ? error.code : error instanceof Error && "code" in error ? String(error.code) : "";
  const name = error instanceof Error ? error.name : "";
  if (error instanceof HttpFailure || OUT_OF_REACH.test(code) || OUT_OF_REACH.test(name) || isPassing(error))
    return new ProviderError(PROVIDER, { kind: "unavailable" }, `whoever gives the credentials did not answer: ${words}`, code || null);
  if (/Could not load credentials/.test(words))
    return new ProviderError(PROVIDER, { kind: "auth" }, `no credentials: ${login()}, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`);
  return new ProviderError(PROVIDER, { kind: "auth" }, `no credentials (${words}): ${login()}`, name || null);
}

/** Nobody waits for keys longer than for what they are needed for. */
function orStopped<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const stop = () =>
      reject(new ProviderError(PROVIDER, { kind: "unavailable" }, "stopped before it was sent", null, signal.reason as unknown));
    if (signal.aborted) return stop();
    // As many requests as there are regions may wait for the same keys; Node takes eleven of them for a leak.
    setMaxListeners(0, signal);
    signal.addEventListener("abort", stop, { once: true });
    void work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

/** Searches when it is first asked. Keys that last only a while are fetched anew by the chain itself. */
export function credentialChain({ env }: AwsWorld): Chain {
  let search: (() => Promise<Identity>) | undefined;
  let last: Identity | undefined;
  const provider = async () => {
    const own = fromEnvironment(env);
    search ??= own === undefined ? fromSdk(env) : async () => own;
    try {
      last = await search();
      return last;
    } catch (error) {
      throw noKeys(error);
    }
  };
  return {
    provider,
    identity: (signal) => orStopped(provider(), signal),
    secrets: () => (last === undefined ? [] : [last.secretAccessKey, ...(last.sessionToken === undefined ? [] : [last.sessionToken])]),
  };
}
