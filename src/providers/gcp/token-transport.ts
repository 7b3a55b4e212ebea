import * as v from "valibot";
import { blotted } from "../blot.ts";
import { type CloudAnswer, type CloudHttp, cloudHttp, quoted, refusalByStatus } from "../cloud-http.ts";
import { ProviderError } from "../errors.ts";
import { PROVIDER } from "./codes.ts";
import type { LibraryAnswer, LibraryRequest } from "./google-library.ts";
import { GOOGLE_TOKEN_URL, type KeyFile, sentSecrets, tokenUrlOf } from "./key-file.ts";
import type { GcpWorld } from "./settings.ts";

/** Fields of a token request that are secret: a server that says one back must not be quoted. */
const SECRET_FIELDS = ["assertion", "refresh_token", "client_secret", "subject_token"];

/** Our HTTP as the transporter of Google's library: deadlines, proxies, certificates and limits are those of every other request. */
export interface TokenTransport {
  send(request: LibraryRequest, signal: AbortSignal): Promise<LibraryAnswer>;
  /** How far the clock of whoever answered last is ahead of ours, in milliseconds. */
  clockOffsetMs(): number;
}

const refusalSchema = v.object({ error: v.unknown(), error_description: v.fallback(v.string(), "") });

/** RFC 6749, 5.2: `{error, error_description}`; Google's APIs send `{error: {message}}`. */
function wordsOf(answer: CloudAnswer): string {
  try {
    const { error, error_description: said } = v.parse(refusalSchema, JSON.parse(answer.text));
    if (typeof error === "string") return said === "" ? error : `${error}: ${said}`;
    return v.parse(v.object({ message: v.string() }), error).message;
  } catch {
    return "";
  }
}

function refusalOf(answer: CloudAnswer, now: number): ProviderError {
  const said = wordsOf(answer);
  if (![400, 401, 403].includes(answer.status)) return refusalByStatus(PROVIDER, answer, said, null, now);
  const why = said === "" ? `HTTP ${answer.status}` : quoted(said);
  return new ProviderError(PROVIDER, { kind: "auth" }, `the credentials are refused: ${why}`, `http-${answer.status}`);
}

/** The body of a request of the library's, in the two ways it sends them. */
function bodyOf(data: unknown): { readonly form: Readonly<Record<string, string>> } | { readonly body: unknown } | Record<string, never> {
  if (data === undefined || data === null) return {};
  if (data instanceof URLSearchParams) return { form: Object.fromEntries(data) };
  return { body: data };
}

function headersOf(given: LibraryRequest["headers"]): Readonly<Record<string, string>> {
  const headers = Object.fromEntries(new Headers(given as ConstructorParameters<typeof Headers>[0]));
  // Said by our HTTP, from the body that it sends.
  delete headers["content-type"];
  return headers;
}

/** `issued`: tokens that were given before. They are read from good answers, so they can be blotted out of refusals alone. */
export function tokenTransport(
  { env, clock }: Pick<GcpWorld, "env" | "clock">,
  file: KeyFile,
  issued: () => readonly string[],
): TokenTransport {
  const clients = new Map<string, CloudHttp>();
  const secrets = new Set(sentSecrets(file));
  let offsetMs = 0;
  const httpOf = (origin: string) => {
    const known = clients.get(origin);
    if (known !== undefined) return known;
    const made = cloudHttp({ provider: PROVIDER, baseUrl: origin, clock, env, headers: () => ({}), secrets: () => [...secrets] });
    clients.set(origin, made);
    return made;
  };
  return {
    async send(request, signal) {
      const asked = String(request.url);
      const url = new URL(asked === GOOGLE_TOKEN_URL ? tokenUrlOf(file) : asked);
      const body = bodyOf(request.data);
      if ("form" in body) for (const field of SECRET_FIELDS) secrets.add(body.form[field] ?? "");
      const method = request.method === "POST" || request.method === "PUT" ? request.method : "GET";
      const http = httpOf(url.origin);
      const answer = await http.send({
        method,
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers: headersOf(request.headers),
        ...body,
        // A token that is lost on its way is no lost machine: it is asked for again.
        effect: "read",
        signal,
      });
      offsetMs = http.clockOffsetMs();
      if (answer.status < 200 || answer.status >= 300) throw refusalOf({ ...answer, text: blotted(answer.text, issued()) }, clock.now());
      return { status: answer.status, headers: new Headers(), data: request.responseType === "text" ? answer.text : jsonIn(answer) };
    },
    clockOffsetMs: () => offsetMs,
  };
}

/** The JSON of an answer that may hold a token: what cannot be read is not repeated. */
function jsonIn(answer: CloudAnswer): unknown {
  try {
    return JSON.parse(answer.text);
  } catch {
    throw new ProviderError(PROVIDER, { kind: "protocol" }, `${answer.asked} was answered without a token`, `http-${answer.status}`);
  }
}
