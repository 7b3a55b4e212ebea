import { join } from "node:path";
import * as v from "valibot";
import { startDetached } from "../../platform/detached.ts";
import { readFileIfThere } from "../../platform/files.ts";
import { type HttpClient, HttpFailure } from "../../platform/http.ts";
import { signalProcess } from "../../platform/process-identity.ts";
import type { World } from "../../platform/world.ts";
import { ProviderError } from "../errors.ts";
import { healthSchema } from "./wire.ts";

/** How long a daemon that was just started may take before it answers. */
const START_TIMEOUT_MS = 10_000;
const POLL_MS = 20;
const SECOND_TRY_MS = 150;
/** All that the daemon gets of our environment: it needs no credentials. */
const PASSED_ON = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR"];

type DaemonWorld = Pick<World, "env" | "home" | "selfCommand" | "clock">;

/** The process that answers on the socket; undefined when none does. */
export async function servingProcess(http: HttpClient, signal: AbortSignal): Promise<number | undefined> {
  try {
    const { status, body } = await http.send({ method: "GET", path: "/v1/health", signal });
    const health = status === 200 ? v.safeParse(healthSchema, JSON.parse(body)) : undefined;
    return health?.success === true ? health.output.pid : undefined;
  } catch (error) {
    signal.throwIfAborted();
    // A connection that broke off means as little as none: the daemon may just be coming or going.
    if (error instanceof HttpFailure || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function lastLogLine(home: string): Promise<string> {
  const text = (await readFileIfThere(join(home, "local", "cloud.log")).catch(() => undefined)) ?? "";
  return text.trimEnd().split("\n").at(-1) ?? "";
}

function cannotStart(why: string, home: string, cause?: unknown): ProviderError {
  const message = `the local cloud could not be started: ${why === "" ? `it said nothing; see ${join(home, "local", "cloud.log")}` : why}`;
  return new ProviderError("local", { kind: "unavailable" }, message, null, cause);
}

/**
 * Starts the daemon and waits until it serves. When two start it at once, one of them wins and the other's ends quietly.
 * @throws ProviderError `unavailable` that says what the daemon said.
 */
export async function startDaemon(world: DaemonWorld, http: HttpClient, signal: AbortSignal): Promise<void> {
  const env: Record<string, string> = { SPOT_HOME: world.home };
  for (const name of PASSED_ON) {
    const value = world.env[name];
    if (value !== undefined) env[name] = value;
  }
  const launch = () =>
    startDetached([...world.selfCommand, "local", "serve"], env).catch((error: unknown) => {
      throw cannotStart(error instanceof Error ? error.message : String(error), world.home, error);
    });
  let daemon = await launch();
  let serving: number | undefined;
  try {
    const started = world.clock.monotonic();
    for (;;) {
      serving = await servingProcess(http, signal);
      if (serving !== undefined) return;
      const code = daemon.exitCode();
      if (code !== undefined && code !== 0) throw cannotStart(daemon.complaint().trim() || (await lastLogLine(world.home)), world.home);
      if (world.clock.monotonic() - started > START_TIMEOUT_MS)
        throw cannotStart(`no answer within ${START_TIMEOUT_MS / 1000} seconds; ${await lastLogLine(world.home)}`, world.home);
      await world.clock.sleep(code === undefined ? POLL_MS : SECOND_TRY_MS, signal);
      // It made way for another one. That one may be starting, or on its way out: then it takes a second try.
      if (code === 0 && (await servingProcess(http, signal)) === undefined) {
        daemon.letGo();
        daemon = await launch();
      }
    }
  } finally {
    // Ours came too late and would only find out by itself, perhaps when the other one has stopped again.
    if (serving !== undefined && serving !== daemon.pid && daemon.exitCode() === undefined) signalProcess(daemon.pid, "SIGTERM");
    daemon.letGo();
  }
}
