import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

const LOOK_MS = 20;

/** The arguments of every process of this machine, looked at again and again (Linux; elsewhere none are seen). */
export function watchArguments(): { stop(): Promise<ReadonlySet<string>> } {
  const seen = new Set<string>();
  const look = () => {
    let pids: readonly string[] = [];
    try {
      pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
    } catch {
      return;
    }
    for (const pid of pids) {
      try {
        seen.add(readFileSync(`/proc/${pid}/cmdline`, "latin1"));
      } catch {
        // It ended meanwhile.
      }
    }
  };
  const timer = setInterval(look, LOOK_MS);
  return {
    async stop() {
      clearInterval(timer);
      return seen;
    },
  };
}

export function argumentsSeen(seen: ReadonlySet<string>): readonly string[] {
  return [...seen];
}

/** The bytes of every file below a folder, one text each, its path in front. */
export function filesBelow(folder: string): readonly string[] {
  const found: string[] = [];
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat?.isDirectory() === true) found.push(...filesBelow(path));
    else if (stat?.isFile() === true) found.push(`${path}\n${readFileSync(path, "latin1")}`);
  }
  return found;
}
