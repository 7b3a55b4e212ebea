import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { systemClock } from "../src/platform/clock.ts";
import { systemRng } from "../src/platform/rng.ts";
import type { OutputStream } from "../src/platform/terminal.ts";
import type { World } from "../src/platform/world.ts";
import { runSpot } from "../src/program.ts";

/** The folder of package.json. */
export const PACKAGE_ROOT = fileURLToPath(new URL("..", import.meta.url));

export interface TestWorldParts {
  readonly env?: Readonly<Record<string, string>>;
  readonly columns?: number;
  /** stdout and stderr say that they are terminals; stdin never is. */
  readonly isTTY?: boolean;
  /** A folder that exists; without one a new folder is made and removed after the test. */
  readonly home?: string;
  readonly signal?: AbortSignal;
  /** What a pipe on stdin brings. */
  readonly stdin?: string;
}

export interface TestWorld extends World {
  /** Everything written to stdout so far. */
  written(): string;
  /** Everything written to stderr so far. */
  said(): string;
}

function buffer(parts: TestWorldParts): { readonly stream: OutputStream; text(): string } {
  let text = "";
  return {
    stream: {
      isTTY: parts.isTTY ?? false,
      columns: parts.columns ?? 80,
      write(more) {
        text += more;
      },
    },
    text: () => text,
  };
}

/** A new folder that is removed when the test has ended. */
export function temporaryFolder(name = "spot-test-"): string {
  const folder = mkdtempSync(join(tmpdir(), name));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}

/** A world of buffers: a home of its own, no terminal, the real clock. To be called inside a test. */
export function testWorld(parts: TestWorldParts = {}): TestWorld {
  const home = parts.home ?? temporaryFolder();
  const stdout = buffer(parts);
  const stderr = buffer(parts);
  return {
    env: { PATH: process.env["PATH"] ?? "", HOME: home, SPOT_HOME: home, NO_COLOR: "1", ...parts.env },
    cwd: home,
    packageRoot: PACKAGE_ROOT,
    home,
    platform: process.platform,
    pid: process.pid,
    stdout: stdout.stream,
    stderr: stderr.stream,
    stdinIsTTY: false,
    readStdin: async () => parts.stdin ?? "",
    clock: systemClock,
    rng: systemRng,
    signal: parts.signal ?? new AbortController().signal,
    // What a command starts again (the embedded cloud) is the built program.
    selfCommand: [process.execPath, join(PACKAGE_ROOT, "bin", "spot")],
    written: stdout.text,
    said: stderr.text,
  };
}

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command line in a world and gives what it wrote during this run. */
export async function spot(world: TestWorld, ...argv: readonly string[]): Promise<Outcome> {
  const before = [world.written().length, world.said().length] as const;
  const code = await runSpot(argv, world);
  return { code, stdout: world.written().slice(before[0]), stderr: world.said().slice(before[1]) };
}
