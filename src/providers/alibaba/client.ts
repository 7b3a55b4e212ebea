import { randomUUID } from "node:crypto";
import * as v from "valibot";
import { readCredentials } from "../../platform/secrets.ts";
import type { World } from "../../platform/world.ts";
import { type CloudAnswer, type CloudHttp, type CloudRequest, cloudHttp, type Effect, parsed } from "../cloud-http.ts";
import { accessOf } from "../credentials.ts";
import { ProviderError } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import { NONCE_USED, PROVIDER, refusalOf, saysStale, wordsOf } from "./codes.ts";
import { type Parameters, wireParameters } from "./parameters.ts";
import { authorization, sha256Hex } from "./signature.ts";

export type AlibabaWorld = Pick<World, "env" | "home" | "clock">;

/** A call of ECS (2014-05-26). Where `region` is null, at the central endpoint. `RegionId` is a parameter like any other. */
export interface EcsCall<Schema extends v.GenericSchema> {
  readonly region: string | null;
  readonly action: string;
  readonly parameters: Parameters;
  readonly answer: Schema;
}

/** All throw `ProviderError`. */
export interface Ecs {
  read<Schema extends v.GenericSchema>(call: EcsCall<Schema>, context: CallContext): Promise<v.InferOutput<Schema>>;
  /** Sent once, but for a refusal that says that the signature was too old: then nothing was done. */
  change<Schema extends v.GenericSchema>(call: EcsCall<Schema>, context: CallContext): Promise<v.InferOutput<Schema>>;
  /** The number of the account whose the keys are (STS, GetCallerIdentity); null where the endpoint is moved and STS is not. */
  account(context: CallContext): Promise<string | null>;
  /** Whether the keys are temporary ones (STS). @throws ProviderError `auth` when there are none. */
  isTemporary(): Promise<boolean>;
  /** Epoch milliseconds by our clock, and by the cloud's. */
  now(): number;
  theirNow(): number;
  /** How far the cloud's clock is ahead of ours, in milliseconds. */
  clockOffsetMs(): number;
  /** @throws ProviderError `unavailable` when the signal fires. */
  sleep(ms: number, context: CallContext): Promise<void>;
}

const VERSION = "2014-05-26";
const FORM = "application/x-www-form-urlencoded";
const CENTRAL = "https://ecs.aliyuncs.com";
const STS = "https://sts.aliyuncs.com";
const STS_VERSION = "2015-04-01";
const callerSchema = v.object({ AccountId: v.pipe(v.string(), v.regex(/^\d{6,20}$/)) });

interface Credentials {
  readonly id: string;
  readonly secret: string;
  /** Of temporary credentials (STS). */
  readonly securityToken: string | null;
}

function credentialKeeper({ env, home }: AlibabaWorld) {
  let known: Credentials | undefined;
  const { variables } = accessOf(PROVIDER);
  return {
    async read(): Promise<Credentials> {
      if (known !== undefined) return known;
      const values = await readCredentials(variables, { env, home });
      const { ALIBABA_CLOUD_ACCESS_KEY_ID: id, ALIBABA_CLOUD_ACCESS_KEY_SECRET: secret } = values ?? {};
      if (id === undefined || secret === undefined)
        throw new ProviderError(
          PROVIDER,
          { kind: "auth" },
          `no credentials: set ${variables.join(" and ")} or run spot provider login ${PROVIDER}`,
        );
      known = { id, secret, securityToken: env["ALIBABA_CLOUD_SECURITY_TOKEN"]?.trim() || null };
      return known;
    },
    secrets: () => (known === undefined ? [] : [known.id, known.secret, ...(known.securityToken === null ? [] : [known.securityToken])]),
  };
}

/** ISO 8601 without milliseconds, as all of this API's times are. */
export function isoTime(at: number): string {
  return new Date(at).toISOString().replace(/\.\d{3}Z$/, "Z");
}

/** What is signed of a request: parameters travel as a form, so there is one text of them, and no long URL. */
function signedHeaders(
  request: CloudRequest,
  baseUrl: string,
  { id, secret, securityToken }: Credentials,
  theirNow: number,
  version = VERSION,
) {
  const url = new URL(baseUrl);
  const body = new URLSearchParams(request.form).toString();
  const headers: Record<string, string> = {
    ...request.headers,
    host: url.host,
    "content-type": FORM,
    "x-acs-version": version,
    "x-acs-date": isoTime(theirNow),
    "x-acs-signature-nonce": randomUUID(),
    "x-acs-content-sha256": sha256Hex(body),
    ...(securityToken === null ? {} : { "x-acs-security-token": securityToken }),
  };
  const path = `${url.pathname.replace(/\/$/, "")}${request.path}`;
  return { ...headers, authorization: authorization({ method: request.method, path, query: {}, headers, body }, { id, secret }) };
}

/** Alibaba's API with our credentials. They are read by the first request, so that making a client never fails. */
export function ecsClient(world: AlibabaWorld): Ecs {
  const { clock, env } = world;
  const moved = env[accessOf(PROVIDER).endpoint.variable]?.trim() || null;
  const credentials = credentialKeeper(world);
  const endpoints = new Map<string, CloudHttp>();
  /** All endpoints have one time; whichever answered last knows it. */
  let latest: CloudHttp | undefined;
  const clockOffsetMs = () => latest?.clockOffsetMs() ?? 0;
  const theirNow = () => clock.now() + clockOffsetMs();
  const endpointOf = (region: string | null): CloudHttp => {
    const baseUrl = moved ?? (region === null ? CENTRAL : `https://ecs.${region}.aliyuncs.com`);
    const known = endpoints.get(baseUrl);
    if (known !== undefined) return known;
    const made = cloudHttp({
      provider: PROVIDER,
      baseUrl,
      clock,
      env,
      headers: async (_signal, request) => signedHeaders(request, baseUrl, await credentials.read(), theirNow()),
      secrets: credentials.secrets,
    });
    endpoints.set(baseUrl, made);
    return made;
  };
  const send = async (
    region: string | null,
    action: string,
    form: Readonly<Record<string, string>>,
    effect: Effect,
    signal: AbortSignal,
  ) => {
    const http = endpointOf(region);
    const request = { method: "POST", path: "/", form, headers: { "x-acs-action": action }, effect, signal } as const;
    const asked = region === null ? action : `${action} in ${region}`;
    const once = async (): Promise<CloudAnswer> => {
      try {
        const answer = await http.send(request);
        latest = http;
        return { ...answer, asked };
      } catch (error) {
        throw error instanceof ProviderError
          ? new ProviderError(PROVIDER, error.fault, error.message.replaceAll("POST /", asked), error.rawCode, error)
          : error;
      }
    };
    const answer = await once();
    if (answer.status < 400) return answer;
    const { code } = wordsOf(answer);
    // A date that was off is known by now. A nonce that was seen means that a copy of the request came first: with the same
    // ClientToken the same is not done twice.
    const mayRepeat = effect === "read" || form["ClientToken"] !== undefined;
    return saysStale(code) || (code === NONCE_USED && mayRepeat) ? once() : answer;
  };
  const call =
    (effect: Effect) =>
    async <Schema extends v.GenericSchema>({ region, action, parameters, answer: schema }: EcsCall<Schema>, { signal }: CallContext) => {
      const answer = await send(region, action, wireParameters(parameters), effect, signal);
      if (answer.status < 200 || answer.status >= 300) throw refusalOf(answer, theirNow());
      return parsed(PROVIDER, schema, answer);
    };
  const sleep: Ecs["sleep"] = async (ms, { signal }) => {
    await clock.sleep(ms, signal).catch((error: unknown) => {
      throw new ProviderError(PROVIDER, { kind: "unavailable" }, "stopped while waiting for the cloud", null, error);
    });
  };
  const account = async ({ signal }: CallContext): Promise<string | null> => {
    const baseUrl = env["SPOT_ALIBABA_STS_URL"]?.trim() || (moved === null ? STS : null);
    if (baseUrl === null) return null;
    const http = cloudHttp({
      provider: PROVIDER,
      baseUrl,
      clock,
      env,
      headers: async (_signal, request) => signedHeaders(request, baseUrl, await credentials.read(), theirNow(), STS_VERSION),
      secrets: credentials.secrets,
    });
    try {
      const headers = { "x-acs-action": "GetCallerIdentity" };
      const answer = await http.send({ method: "POST", path: "/", form: {}, headers, effect: "read", signal });
      if (answer.status !== 200) throw refusalOf(answer, theirNow());
      return parsed(PROVIDER, callerSchema, answer).AccountId;
    } finally {
      await http.close();
    }
  };
  const isTemporary = async () => (await credentials.read()).securityToken !== null;
  return { account, isTemporary, read: call("read"), change: call("change"), now: () => clock.now(), theirNow, clockOffsetMs, sleep };
}
