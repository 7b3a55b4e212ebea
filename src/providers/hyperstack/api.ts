import type * as v from "valibot";
import { readCredentials } from "../../platform/secrets.ts";
import type { World } from "../../platform/world.ts";
import { type CloudAnswer, type CloudHttp, type CloudRequest, cloudHttp, parsed } from "../cloud-http.ts";
import { accessOf } from "../credentials.ts";
import { type Fault, ProviderError } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import { PROVIDER, refusalOf, saysNo } from "./codes.ts";

export type HyperstackWorld = Pick<World, "env" | "home" | "clock">;

type Query = NonNullable<CloudRequest["query"]>;

export interface ChangeRequest {
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly query?: Query;
  readonly body?: unknown;
  /** What a 400 stands for whose text says nothing; `invalid-request` unless told. */
  readonly unknown400?: Fault;
}

/** The API of Hyperstack: reads, lists page by page, and changes that are sent exactly once. All throw `ProviderError`. */
export interface Api {
  read<Schema extends v.GenericSchema>(schema: Schema, path: string, context: CallContext, query?: Query): Promise<v.InferOutput<Schema>>;
  /** The same, undefined for 404. */
  find<Schema extends v.GenericSchema>(schema: Schema, path: string, context: CallContext): Promise<v.InferOutput<Schema> | undefined>;
  /** Sent once, whatever its method: the lifecycle actions of this cloud are GET. */
  change(request: ChangeRequest, context: CallContext): Promise<CloudAnswer>;
  made<Schema extends v.GenericSchema>(schema: Schema, request: ChangeRequest, context: CallContext): Promise<v.InferOutput<Schema>>;
  now(): number;
  /** How far the cloud's clock is ahead of ours, in milliseconds. */
  clockOffsetMs(): number;
  /** @throws ProviderError `unavailable` when the signal fires. */
  sleep(ms: number, context: CallContext): Promise<void>;
  readonly env: HyperstackWorld["env"];
}

/** 500 requests a minute and address, then 429 for the rest of that minute (docs.hyperstack.cloud, rate limits). */
const WINDOW_MS = 60_000;
const SHORTEST_WAIT_MS = 1_000;

/**
 * The rest of the minute in which too much was asked. No header tells it, and where a minute begins is not documented: at
 * the full minute of the cloud's clock, or with the first request. The later of both ends; never more than a minute.
 */
function restOfWindow(now: number, offsetMs: number, windowFrom: number): number {
  const byClock = WINDOW_MS - ((now + offsetMs) % WINDOW_MS);
  return Math.min(WINDOW_MS, Math.max(SHORTEST_WAIT_MS, byClock, windowFrom + WINDOW_MS - now));
}

export function hyperstackApi(world: HyperstackWorld): Api {
  const { endpoint, variables } = accessOf(PROVIDER);
  let key: string | undefined;
  let windowFrom = Number.NEGATIVE_INFINITY;
  const credential = async () => {
    key ??= (await readCredentials(variables, world))?.["HYPERSTACK_API_KEY"];
    if (key === undefined)
      throw new ProviderError(PROVIDER, { kind: "auth" }, "no credentials: set HYPERSTACK_API_KEY or run spot provider login hyperstack");
    return key;
  };
  const http: CloudHttp = cloudHttp({
    provider: PROVIDER,
    baseUrl: world.env[endpoint.variable] ?? endpoint.url,
    clock: world.clock,
    env: world.env,
    headers: async () => ({ api_key: await credential() }),
    secrets: () => (key === undefined ? [] : [key]),
  });
  const now = () => world.clock.now();
  const send = async (request: CloudRequest): Promise<CloudAnswer> => {
    if (now() - windowFrom >= WINDOW_MS) windowFrom = now();
    return http.send(request);
  };
  const refused = (answer: CloudAnswer, request: Pick<ChangeRequest, "body" | "unknown400"> = {}) =>
    refusalOf(answer, {
      now: now() + http.clockOffsetMs(),
      waitMs: restOfWindow(now(), http.clockOffsetMs(), windowFrom),
      unknown400: request.unknown400 ?? { kind: "invalid-request" },
      hasBody: request.body !== undefined,
    });
  const isSuccess = ({ status }: CloudAnswer) => status >= 200 && status < 300;
  const change = async (request: ChangeRequest, { signal }: CallContext) => {
    const { unknown400: _, ...sent } = request;
    const answer = await send({ ...sent, effect: "change", signal });
    if (!isSuccess(answer)) throw refused(answer, request);
    if (saysNo(answer)) throw refused({ ...answer, status: 400 }, request);
    return answer;
  };
  return {
    async read(schema, path, { signal }, query = {}) {
      const answer = await send({ method: "GET", path, query, effect: "read", signal });
      if (!isSuccess(answer)) throw refused(answer);
      return parsed(PROVIDER, schema, answer);
    },
    async find(schema, path, { signal }) {
      const answer = await send({ method: "GET", path, effect: "read", signal });
      if (answer.status === 404) return undefined;
      if (!isSuccess(answer)) throw refused(answer);
      return parsed(PROVIDER, schema, answer);
    },
    change,
    made: async (schema, request, context) => parsed(PROVIDER, schema, await change(request, context)),
    now,
    clockOffsetMs: () => http.clockOffsetMs(),
    async sleep(ms, { signal }) {
      await world.clock.sleep(ms, signal).catch((error: unknown) => {
        throw new ProviderError(PROVIDER, { kind: "unavailable" }, "stopped while waiting for the cloud", null, error);
      });
    },
    env: world.env,
  };
}
