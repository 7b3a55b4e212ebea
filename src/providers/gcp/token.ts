import * as v from "valibot";
import { quoted } from "../cloud-http.ts";
import { isFault, ProviderError } from "../errors.ts";
import { PROVIDER } from "./codes.ts";
import type { LibraryRequest } from "./google-library.ts";
import { type KeyFile, projectOf, readKeyFile, sentSecrets, tokenUrlOf } from "./key-file.ts";
import { ownMetadata } from "./metadata.ts";
import type { GcpWorld } from "./settings.ts";
import { tokenTransport } from "./token-transport.ts";

/** Who we are at Google. Nothing is read before the first question; a token is kept in memory and nowhere else. */
export interface Identity {
  /** A token that is good for a while; renewed before it ends, once for everybody who waits. @throws ProviderError `auth` */
  access(signal: AbortSignal): Promise<string>;
  /** The server refused this one: the next call gets another, unless another is there already. */
  refuse(access: string): void;
  /** The project that everything is asked for. @throws ProviderError `auth` when nobody says which. */
  project(signal: AbortSignal): Promise<string>;
  /** Whom the requests of a person's own credentials count against; null when the file does not say. */
  quotaProject(): string | null;
  secrets(): readonly string[];
}

interface Token {
  readonly access: string;
  /** By the monotonic clock. */
  readonly renewAt: number;
}

/** A token is renewed so long before its end; of a life that is shorter than two such margins, at half of it. */
const MARGIN_MS = 60_000;
/** When nobody says how long a token lives. Google's live an hour. */
const UNKNOWN_LIFE_S = 600;
/** The longest life that an assertion may claim. */
const ASSERTION_S = 3_600;

const NONE =
  "no credentials: set GOOGLE_APPLICATION_CREDENTIALS to a key file, or run gcloud auth application-default login (a machine of Google's with a service account needs neither)";
const NO_PROJECT = "which project? set GOOGLE_CLOUD_PROJECT; neither CLOUDSDK_CORE_PROJECT nor the credentials name one";

const tokenAnswer = v.object({
  access_token: v.optional(v.pipe(v.string(), v.minLength(1))),
  expires_in: v.optional(v.pipe(v.union([v.string(), v.number()]), v.transform(Number), v.number())),
});

const refused = (message: string) => new ProviderError(PROVIDER, { kind: "auth" }, message);
const stopped = (signal: AbortSignal) =>
  new ProviderError(PROVIDER, { kind: "unavailable" }, "stopped while waiting for an access token", null, signal.reason);

interface NewToken {
  readonly access: string;
  /** How long it lives. */
  readonly seconds: number;
}

/** Asks by Google's own library, which knows every kind of credentials; its requests go through our HTTP. */
function fileTokens(world: GcpWorld, file: KeyFile, issued: () => readonly string[]): (signal: AbortSignal) => Promise<NewToken> {
  const transport = tokenTransport(world, file, issued);
  const once = async (signal: AbortSignal): Promise<NewToken> => {
    let seconds = UNKNOWN_LIFE_S;
    let failure: unknown;
    const { newAccessToken } = await import("./google-library.ts");
    // In the server's time: an assertion from a clock that is off is refused.
    const iat = Math.floor((world.clock.now() + transport.clockOffsetMs()) / 1000);
    const claims = { iat, exp: iat + ASSERTION_S, aud: tokenUrlOf(file) };
    const send = async (request: LibraryRequest) => {
      const answer = await transport.send(request, signal).catch((error: unknown) => {
        failure = error;
        throw error;
      });
      const said = v.safeParse(tokenAnswer, answer.data);
      // Read here, because the library takes it out of the answer.
      seconds = said.success ? (said.output.expires_in ?? UNKNOWN_LIFE_S) : UNKNOWN_LIFE_S;
      return answer;
    };
    try {
      return { access: await newAccessToken({ file, claims, send }), seconds };
    } catch (error) {
      // Ours says what happened on the wire; the library may have wrapped it in words of its own.
      if (failure !== undefined) throw failure;
      throw refused(`the credentials cannot be used: ${quoted(error instanceof Error ? error.message : String(error))}`);
    }
  };
  return async (signal) => {
    const before = transport.clockOffsetMs();
    try {
      return await once(signal);
    } catch (error) {
      // The refusal told what time it is there.
      if (!isFault(error, "auth") || transport.clockOffsetMs() === before) throw error;
      return once(signal);
    }
  };
}

/** The token of the service account of the very machine that this program runs on. */
function machineTokens(world: GcpWorld): (signal: AbortSignal) => Promise<NewToken> {
  const metadata = ownMetadata(world);
  return async (signal) => {
    const text = await metadata.read("instance/service-accounts/default/token", signal);
    const said = v.safeParse(tokenAnswer, text === undefined ? undefined : jsonOrNothing(text));
    if (!said.success || said.output.access_token === undefined) throw refused(NONE);
    return { access: said.output.access_token, seconds: said.output.expires_in ?? UNKNOWN_LIFE_S };
  };
}

function jsonOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** One piece of work for everybody who asks meanwhile; it is given up only when all of them have gone. */
function sharedWork<Result>(work: (signal: AbortSignal) => Promise<Result>): (signal: AbortSignal) => Promise<Result> {
  let running: { readonly done: Promise<Result>; readonly stop: AbortController; waiting: number } | undefined;
  return (signal) => {
    if (signal.aborted) return Promise.reject(stopped(signal));
    if (running === undefined) {
      const stop = new AbortController();
      const mine = { done: work(stop.signal), stop, waiting: 0 };
      running = mine;
      const over = () => {
        if (running === mine) running = undefined;
      };
      mine.done.then(over, over);
    }
    const shared = running;
    shared.waiting += 1;
    return new Promise((resolve, reject) => {
      const leave = () => {
        shared.waiting -= 1;
        if (shared.waiting === 0) {
          if (running === shared) running = undefined;
          shared.stop.abort(signal.reason);
        }
        reject(stopped(signal));
      };
      signal.addEventListener("abort", leave, { once: true });
      const stay = () => signal.removeEventListener("abort", leave);
      shared.done.then(resolve, reject).finally(stay);
    });
  };
}

/** `askMachine`: whether this machine's own metadata server may be asked when there is no file. */
export function identity(world: GcpWorld, askMachine: boolean): Identity {
  let token: Token | undefined;
  let file: Promise<KeyFile | null> | undefined;
  let found: KeyFile | null = null;
  let projectId: string | undefined;
  const keyFile = async () => {
    file ??= readKeyFile(world);
    // A file that could not be read may be there the next time.
    found = await file.catch((error: unknown) => {
      file = undefined;
      throw error;
    });
    return found;
  };
  let source: ((signal: AbortSignal) => Promise<NewToken>) | undefined;
  const renew = sharedWork(async (signal) => {
    const from = await keyFile();
    if (from === null && !askMachine) throw refused(NONE);
    source ??= from === null ? machineTokens(world) : fileTokens(world, from, () => (token === undefined ? [] : [token.access]));
    const began = world.clock.monotonic();
    const { access, seconds } = await source(signal);
    const life = Math.max(0, seconds) * 1000;
    token = { access, renewAt: began + life - Math.min(MARGIN_MS, life / 2) };
    return access;
  });
  return {
    async access(signal) {
      if (token !== undefined && world.clock.monotonic() < token.renewAt) return token.access;
      return renew(signal);
    },
    refuse(access) {
      if (token?.access === access) token = { ...token, renewAt: Number.NEGATIVE_INFINITY };
    },
    async project(signal) {
      projectId ??= projectOf(world, await keyFile()) ?? undefined;
      if (projectId === undefined && found === null && askMachine)
        projectId = (await ownMetadata(world).read("project/project-id", signal))?.trim() || undefined;
      if (projectId === undefined) throw refused(found === null && !askMachine ? NONE : NO_PROJECT);
      return projectId;
    },
    quotaProject: () => world.env["GOOGLE_CLOUD_QUOTA_PROJECT"]?.trim() || found?.quota_project_id || null,
    secrets: () => [...(token === undefined ? [] : [token.access]), ...(found === null ? [] : sentSecrets(found))],
  };
}
