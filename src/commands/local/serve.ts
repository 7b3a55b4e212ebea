import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { EXIT } from "../../model/exit-codes.ts";
import { recordLastWords } from "../../platform/last-words.ts";
import { currentUserId, ownLocalSocket } from "../../platform/local-socket.ts";
import type { World } from "../../platform/world.ts";
import type { CommandModule } from "../command.ts";

/** A cloud without instances, that nobody has asked for so long, ends; the next command starts it again. */
const IDLE_EXIT_MS = 15 * 60_000;
const USUAL_PATH = "/usr/local/bin:/usr/bin:/bin";

function versionOf(world: World): string {
  const content: unknown = JSON.parse(readFileSync(join(world.packageRoot, "package.json"), "utf8"));
  return typeof content === "object" && content !== null && "version" in content ? String(content.version) : "unknown";
}

/** The daemon itself, in this very process. Started by the adapter on first use; nobody types it. */
export const localServe: CommandModule = {
  configure(command) {
    command.description("run the embedded cloud in this process (started by itself when needed)");
  },
  async run({ world }) {
    const { startLocalCloud } = await import("../../local-cloud/cloud.ts");
    let cloud: Awaited<ReturnType<typeof startLocalCloud>>;
    try {
      cloud = await startLocalCloud({
        home: world.home,
        socketPath: ownLocalSocket(world.home),
        clock: world.clock,
        rng: world.rng,
        host: hostname(),
        pid: world.pid,
        uid: currentUserId(),
        version: versionOf(world),
        path: world.env["PATH"] ?? USUAL_PATH,
        idleExitMs: IDLE_EXIT_MS,
      });
    } catch (error) {
      // One line: the command that started us shows it as it is.
      world.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
      return { exit: EXIT.failed };
    }
    // Another one serves this home already.
    if (cloud === undefined) return {};
    recordLastWords(join(world.home, "local", "cloud.log"));
    const { stop, stopped } = cloud;
    world.signal.addEventListener("abort", () => void stop(), { once: true });
    await stopped;
    return {};
  },
};
