import type { Rng } from "../model/ids.ts";
import type { Clock } from "./clock.ts";
import type { OutputStream } from "./terminal.ts";

/** Everything outside the program, as a parameter. `src/world.ts` makes the real one, tests make their own. */
export interface World {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** The folder of package.json: `bin/`, `dist/`, `src/guest/agent/` and `examples/` lie below it. */
  readonly packageRoot: string;
  /** `SPOT_HOME`, or the platform's usual folder for this user. */
  readonly home: string;
  readonly platform: NodeJS.Platform;
  readonly pid: number;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly stdinIsTTY: boolean;
  /** Everything that stdin brings until its end. @throws RangeError past `mostBytes`. */
  readonly readStdin: (mostBytes: number, signal: AbortSignal) => Promise<string>;
  readonly clock: Clock;
  readonly rng: Rng;
  /** Fires on Ctrl-C (reason "SIGINT") and on SIGTERM (reason "SIGTERM"). */
  readonly signal: AbortSignal;
  /** The command line that starts this program again: `[node, bin/spot]`. */
  readonly selfCommand: readonly string[];
}
