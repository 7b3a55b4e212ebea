import type * as v from "valibot";
import { readCredentials } from "../../platform/secrets.ts";
import type { World } from "../../platform/world.ts";
import { type CloudAnswer, type CloudRequest, cloudHttp, parsed } from "../cloud-http.ts";
import { accessOf } from "../credentials.ts";
import { ProviderError } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import { refusalOf } from "./codes.ts";
import { type Credentials, tokenKeeper } from "./token.ts";

export type VerdaWorld = Pick<World, "env" | "home" | "clock">;

export interface VerdaClient {
  /** Any answer but 401, which renews the token once and is an error after that. */
  send(request: CloudRequest): Promise<CloudAnswer>;
  /** @throws ProviderError for every answer that is not a success. */
  read<Schema extends v.GenericSchema>(
    schema: Schema,
    path: string,
    context: CallContext,
    query?: CloudRequest["query"],
  ): Promise<v.InferOutput<Schema>>;
  /** @throws ProviderError what this refusal means. */
  refuse(answer: CloudAnswer): never;
  now(): number;
  /** How far the server's clock is ahead of ours, in milliseconds. */
  clockOffsetMs(): number;
}

export const isSuccess = ({ status }: CloudAnswer): boolean => status >= 200 && status < 300;

const ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/;
/** The form of every id in the vendor's examples. */
const WHOLE_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The id in an answer: plain text, the same in quotes, an object that holds it, or an array of one. */
function idIn(text: string): string | null {
  let said: unknown = text;
  try {
    said = JSON.parse(text);
  } catch {
    // Plain text.
  }
  const one: unknown = Array.isArray(said) && said.length === 1 ? said[0] : said;
  const id = typeof one === "object" && one !== null && "id" in one ? one.id : typeof one === "number" ? text : one;
  return typeof id === "string" && ID.test(id) ? id : null;
}

/**
 * The id that a create was answered with. Plain text that was cut on its way looks like any other, so one that has not the
 * form of an id of this cloud is believed only if there `isThere` something of that id.
 * @throws ProviderError `protocol` when there is none: it may have been made all the same.
 */
export async function madeId(answer: CloudAnswer, isThere: (id: string) => Promise<boolean>): Promise<string> {
  const id = idIn(answer.text.trim());
  if (id !== null && (WHOLE_ID.test(id) || (await isThere(id)))) return id;
  throw new ProviderError("verda", { kind: "protocol" }, `${answer.asked} was answered without an id`, `http-${answer.status}`);
}

/** Verda's API with our credentials. They are read by the first request, so that making a client never fails. */
export function verdaClient({ env, home, clock }: VerdaWorld): VerdaClient {
  const access = accessOf("verda");
  const baseUrl = env[access.endpoint.variable] ?? access.endpoint.url;
  let known: Credentials | undefined;
  const credentials = async (): Promise<Credentials> => {
    if (known !== undefined) return known;
    const [idName = "", secretName = ""] = access.variables;
    const values = await readCredentials(access.variables, { env, home });
    const clientId = values?.[idName];
    const clientSecret = values?.[secretName];
    if (clientId === undefined || clientSecret === undefined)
      throw new ProviderError(
        "verda",
        { kind: "auth" },
        `no credentials: set ${access.variables.join(" and ")} or run spot provider login verda`,
      );
    known = { clientId, clientSecret };
    return known;
  };
  const own = () => (known === undefined ? [] : [known.clientId, known.clientSecret]);
  const common = { provider: "verda", baseUrl, clock, env };
  // Tokens are read from these answers, so they cannot be blotted out of them.
  const plain = cloudHttp({ ...common, headers: () => ({}), secrets: own });
  const tokens = tokenKeeper({ http: plain, clock, credentials });
  const http = cloudHttp({ ...common, headers: () => ({}), secrets: () => [...own(), ...tokens.secrets()] });

  async function attempt(request: CloudRequest): Promise<{ readonly token: string; readonly answer: CloudAnswer }> {
    const token = await tokens.access(request.signal);
    const answer = await http.send({ ...request, headers: { ...request.headers, authorization: `Bearer ${token}` } });
    return { token, answer };
  }
  const refuse = (answer: CloudAnswer): never => {
    throw refusalOf(answer, clock.now());
  };
  const send = async (request: CloudRequest): Promise<CloudAnswer> => {
    const first = await attempt(request);
    if (first.answer.status !== 401) return first.answer;
    // Refused before anything was done: also a change may be sent again, once.
    tokens.refuse(first.token);
    const { answer } = await attempt(request);
    return answer.status === 401 ? refuse(answer) : answer;
  };
  return {
    send,
    refuse,
    async read(schema, path, context, query) {
      const answer = await send({ method: "GET", path, ...(query === undefined ? {} : { query }), effect: "read", signal: context.signal });
      return isSuccess(answer) ? parsed("verda", schema, answer) : refuse(answer);
    },
    now: () => clock.now(),
    clockOffsetMs: () => http.clockOffsetMs(),
  };
}
