import type * as v from "valibot";
import { type CloudAnswer, type CloudHttp, type CloudRequest, cloudHttp, parsed } from "../cloud-http.ts";
import { ProviderError } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import { PROVIDER, refusalOf } from "./codes.ts";
import { type GcpWorld, type Settings, settingsOf } from "./settings.ts";
import { identity } from "./token.ts";
import { type Operation, operationSchema } from "./wire.ts";

type Query = NonNullable<CloudRequest["query"]>;

export interface ChangeRequest {
  readonly method: "POST" | "DELETE";
  /** Below `projects/{project}/`. */
  readonly path: string;
  readonly query?: Query;
  readonly body?: unknown;
  /** `beta` for what v1 does not know. */
  readonly version?: "v1" | "beta";
}

/** Compute Engine and the billing catalogue. All throw `ProviderError`. Paths are below `projects/{project}/`. */
export interface Api {
  /** Any answer but 401, which renews the token once and is `auth` after that. */
  ask(path: string, context: CallContext, query?: Query): Promise<CloudAnswer>;
  read<Schema extends v.GenericSchema>(schema: Schema, path: string, context: CallContext, query?: Query): Promise<v.InferOutput<Schema>>;
  /** Sent once. Every change of this cloud answers with an operation, which may fail later. */
  change(request: ChangeRequest, context: CallContext): Promise<Operation>;
  /** A page of the billing catalogue; its path is below `/v1/`. */
  catalogue<Schema extends v.GenericSchema>(
    schema: Schema,
    path: string,
    context: CallContext,
    query: Query,
  ): Promise<v.InferOutput<Schema>>;
  /** @throws ProviderError what this refusal means. */
  refuse(answer: CloudAnswer): never;
  project(context: CallContext): Promise<string>;
  now(): number;
  monotonic(): number;
  /** How far the cloud's clock is ahead of ours, in milliseconds. */
  clockOffsetMs(): number;
  /** @throws ProviderError `unavailable` when the signal fires. */
  sleep(ms: number, context: CallContext): Promise<void>;
  readonly settings: Settings;
}

const isSuccess = ({ status }: CloudAnswer): boolean => status >= 200 && status < 300;

export function gcpApi(world: GcpWorld): Api {
  const settings = settingsOf(world);
  // Where the endpoint is moved nothing else is asked, unless it is named.
  const who = identity(world, !settings.isMoved || (world.env["GCE_METADATA_HOST"]?.trim() ?? "") !== "");
  const client = (baseUrl: string): CloudHttp =>
    cloudHttp({ provider: PROVIDER, baseUrl, clock: world.clock, env: world.env, headers: () => ({}), secrets: () => who.secrets() });
  const compute = client(settings.computeUrl);
  const billing = client(settings.billingUrl);

  async function attempt(http: CloudHttp, request: CloudRequest): Promise<{ readonly token: string; readonly answer: CloudAnswer }> {
    const token = await who.access(request.signal);
    const quota = who.quotaProject();
    const headers = { authorization: `Bearer ${token}`, ...(quota === null ? {} : { "x-goog-user-project": quota }) };
    return { token, answer: await http.send({ ...request, headers }) };
  }
  const refuse = (answer: CloudAnswer): never => {
    throw refusalOf(answer, world.clock.now());
  };
  const send = async (http: CloudHttp, request: CloudRequest): Promise<CloudAnswer> => {
    const first = await attempt(http, request);
    if (first.answer.status !== 401) return first.answer;
    // Refused before anything was done: a change may be sent again, too, once.
    who.refuse(first.token);
    const { answer } = await attempt(http, request);
    return answer.status === 401 ? refuse(answer) : answer;
  };
  const pathOf = async (path: string, signal: AbortSignal, version = "v1") =>
    `/compute/${version}/projects/${encodeURIComponent(await who.project(signal))}/${path}`;
  const ask = async (path: string, { signal }: CallContext, query: Query = {}) =>
    send(compute, { method: "GET", path: await pathOf(path, signal), query, effect: "read", signal });
  return {
    ask,
    async read(schema, path, context, query) {
      const answer = await ask(path, context, query);
      return isSuccess(answer) ? parsed(PROVIDER, schema, answer) : refuse(answer);
    },
    async change({ method, path, query = {}, body, version }, { signal }) {
      const full = await pathOf(path, signal, version);
      const answer = await send(compute, { method, path: full, query, ...(body === undefined ? {} : { body }), effect: "change", signal });
      return isSuccess(answer) ? parsed(PROVIDER, operationSchema, answer) : refuse(answer);
    },
    async catalogue(schema, path, { signal }, query) {
      const answer = await send(billing, { method: "GET", path: `/v1/${path}`, query, effect: "read", signal });
      return isSuccess(answer) ? parsed(PROVIDER, schema, answer) : refuse(answer);
    },
    refuse,
    project: ({ signal }) => who.project(signal),
    now: () => world.clock.now(),
    monotonic: () => world.clock.monotonic(),
    clockOffsetMs: () => compute.clockOffsetMs(),
    async sleep(ms, { signal }) {
      await world.clock.sleep(ms, signal).catch((error: unknown) => {
        throw new ProviderError(PROVIDER, { kind: "unavailable" }, "stopped while waiting for the cloud", null, error);
      });
    },
    settings,
  };
}
