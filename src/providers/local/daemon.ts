import { join } from "node:path";
import { startDetached } from "../../platform/detached.ts";
import { readFileIfThere } from "../../platform/files.ts";
import { type HttpClient, HttpFailure } from "../../platform/http.ts";
import type { World } from "../../platform/world.ts";
import { ProviderError } from "../errors.ts";

/** How long a daemon that was just started may take before it answers. */
const START_TIMEOUT_MS = 10_000;
const POLL_MS = 20;
const SECOND_TRY_MS = 150;
/** All that the daemon gets of our environment: it needs no credentials. */
const PASSED_ON = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR"];

type DaemonWorld = Pick<World, "env" | "home" | "selfCommand" | "clock">;

/** True when something answers on the socket. */
export async function isServing(http: HttpClient, signal: AbortSignal): Promise<boolean> {
  try {
    const { status } = await http.send({ method: "GET", path: "/v1/health", signal });
    return status === 200;
  } catch (error) {
    signal.throwIfAborted();
    // A connection that broke off means as little as none: the daemon may just be coming or going.
    if (error instanceof HttpFailure) return false;
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
  try {
    const started = world.clock.monotonic();
    while (!(await isServing(http, signal))) {
      const code = daemon.exitCode();
      if (code !== undefined && code !== 0) throw cannotStart(daemon.complaint().trim() || (await lastLogLine(world.home)), world.home);
      if (world.clock.monotonic() - started > START_TIMEOUT_MS)
        throw cannotStart(`no answer within ${START_TIMEOUT_MS / 1000} seconds; ${await lastLogLine(world.home)}`, world.home);
      await world.clock.sleep(POLL_MS, signal);
      // It made way for another one. That one may be starting, or on its way out: then it takes a second try.
      if (code === 0 && !(await isServing(http, signal))) {
        await world.clock.sleep(SECOND_TRY_MS, signal);
        daemon.letGo();
        daemon = await launch();
      }
    }
  } finally {
    daemon.letGo();
  }
}
