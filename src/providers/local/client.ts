import * as v from "valibot";
import { type HttpClient, HttpFailure, type HttpRequest, type HttpResponse, httpClient } from "../../platform/http.ts";
import { ownLocalSocket } from "../../platform/local-socket.ts";
import type { World } from "../../platform/world.ts";
import { ProviderError } from "../errors.ts";
import { refusalOf } from "./codes.ts";
import { servingProcess, startDaemon } from "./daemon.ts";
import { errorSchema } from "./wire.ts";

export type LocalWorld = Pick<World, "env" | "home" | "selfCommand" | "clock">;

export interface LocalCall {
  readonly method: HttpRequest["method"];
  readonly path: string;
  readonly body?: unknown;
  readonly signal: AbortSignal;
}

export interface LocalClient {
  /** Sends one call, starting the cloud first when it does not run. @throws ProviderError */
  call<Schema extends v.GenericSchema>(schema: Schema, call: LocalCall): Promise<v.InferOutput<Schema>>;
  close(): Promise<void>;
}

export interface LocalClientOptions {
  /** False: a cloud that does not run stays so, and the call fails as `unavailable`. */
  readonly autoStart: boolean;
}

function failure(error: unknown, changes: boolean): unknown {
  if (!(error instanceof HttpFailure)) return error;
  if (error.code === "BODY_TOO_LARGE")
    return new ProviderError("local", { kind: "protocol" }, `the local cloud: ${error.message}`, null, error);
  const lost = error.sent && changes;
  const message = lost ? "the local cloud did not answer; it may have done it" : `the local cloud does not answer: ${error.message}`;
  return new ProviderError("local", { kind: lost ? "ambiguous" : "unavailable" }, message, null, error);
}

function parse<Schema extends v.GenericSchema>(schema: Schema, response: HttpResponse, changes: boolean): v.InferOutput<Schema> {
  const refused = response.status < 200 || response.status > 299;
  let value: unknown;
  try {
    value = JSON.parse(response.body);
  } catch (error) {
    if (refused) throw refusalOf(response, null, `the local cloud answered with HTTP ${response.status}`, changes);
    // It answered that it was done, in words that nobody understands: done or not, the token will tell.
    throw new ProviderError("local", { kind: "protocol" }, "the local cloud answered with something other than JSON", null, error);
  }
  if (refused) {
    const refusal = v.safeParse(errorSchema, value);
    const { code, message } = refusal.success
      ? refusal.output.error
      : { code: null, message: `the local cloud answered with HTTP ${response.status}` };
    throw refusalOf(response, code, message, changes);
  }
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new ProviderError("local", { kind: "protocol" }, `unexpected answer of the local cloud: ${v.getDotPath(issue)}: ${issue.message}`);
}

/** A client of the embedded cloud of this home. */
export function localClient(world: LocalWorld, options: LocalClientOptions): LocalClient {
  const http: HttpClient = httpClient("http://local", { socketPath: ownLocalSocket(world.home) });
  const exchange = async (call: LocalCall, changes: boolean): Promise<HttpResponse> => {
    const request: HttpRequest = {
      method: call.method,
      path: call.path,
      headers: { "content-type": "application/json" },
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      signal: call.signal,
    };
    try {
      return await http.send(request);
    } catch (error) {
      if (!(error instanceof HttpFailure) || !options.autoStart || call.signal.aborted) throw failure(error, changes);
      // A daemon that went away under a question is started again; one that only lost its answer is asked once more,
      // if that changes nothing.
      if (error.sent && (changes || error.code === "BODY_TOO_LARGE")) throw failure(error, changes);
      if (error.sent && (await servingProcess(http, call.signal).catch(() => 0)) !== undefined)
        return await http.send(request).catch((second: unknown) => {
          throw failure(second, changes);
        });
    }
    // Nothing has been done: start the cloud and send it now.
    await startDaemon(world, http, call.signal).catch((error: unknown) => {
      if (!call.signal.aborted) throw error;
      throw new ProviderError("local", { kind: "unavailable" }, "stopped while the local cloud was starting", null, error);
    });
    return http.send(request).catch((error: unknown) => {
      throw failure(error, changes);
    });
  };
  return {
    async call(schema, call) {
      const changes = call.method !== "GET";
      if (call.signal.aborted)
        throw new ProviderError("local", { kind: "unavailable" }, "stopped before the call was sent", null, call.signal.reason);
      return parse(schema, await exchange(call, changes), changes);
    },
    close: () => http.close(),
  };
}
