import { type FileHandle, open } from "node:fs/promises";
import type { Command } from "commander";
import { reachOf } from "../fleet/reach.ts";
import { copyConsoleLog, type LogStart } from "../guest/console-log.ts";
import { sshAccess } from "../guest/ssh-access.ts";
import { Problem, usageProblem } from "../model/problem.ts";
import { hasErrorCode } from "../platform/files.ts";
import { stripControl } from "../platform/terminal.ts";
import type { Reach } from "../providers/provider.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { namedInstance, openFleet, requiredName } from "./fleet-context.ts";

/** How often the log is read again, and the record looked at, while following. */
const FOLLOW_MS = 250;
/** Before a machine that broke off is come into again. */
const AGAIN_MS = 2_000;
const CHUNK_BYTES = 256 * 1024;

export const logs: CommandModule = {
  configure(command: Command) {
    command
      .argument("<name>", "the instance")
      .option("-f, --follow", "go on as more is written, across replacements, until it is gone")
      .option("--tail <lines>", "only the last so many lines");
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const follow = context.options["follow"] === true;
    const tail = tailLines(context);
    const reading: Reading = {
      context,
      name: requiredName(context),
      follow,
      write: (text) => context.world.stdout.write(context.world.stdout.isTTY ? stripControl(text) : text),
    };
    let start: LogStart = tail === null ? { from: 0 } : { tail };
    for (let machine: Machine | undefined = await logOf(reading); machine !== undefined; ) {
      const position: number = await (machine.reach.kind === "process"
        ? copyFile(reading, machine.providerId, machine.reach.log, start)
        : copyFar(reading, machine, start));
      if (!follow) break;
      const next = await nextMachine(reading);
      // A replacement has a log of its own; its beginning follows the end of the old one.
      start = { from: next?.providerId === machine.providerId ? position : 0 };
      machine = next;
    }
    return {};
  },
};

interface Reading {
  readonly context: CommandContext;
  readonly name: string;
  readonly follow: boolean;
  write(text: string): void;
}

interface Machine {
  readonly reach: Reach;
  readonly providerId: string | null;
}

function tailLines(context: CommandContext): number | null {
  const text = context.options["tail"];
  if (text === undefined) return null;
  const lines = Number(text);
  if (!Number.isInteger(lines) || lines < 0) throw usageProblem(`--tail: ${JSON.stringify(text)} is not a number of lines`);
  return lines;
}

async function logOf({ context, name }: Reading): Promise<Machine> {
  const record = await namedInstance(context, name, true);
  return { reach: await reachOf(await openFleet(context), record, context.world.signal), providerId: record.providerId };
}

/** The machine that the instance has now; waits for a replacement. Undefined once the instance is gone. */
async function nextMachine(reading: Reading): Promise<Machine | undefined> {
  const { context, name } = reading;
  for (;;) {
    if ((await namedInstance(context, name, true)).state === "gone") return undefined;
    try {
      return await logOf(reading);
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== "SPOT_E_UNREACHABLE") throw error;
      await context.world.clock.sleep(AGAIN_MS, context.world.signal);
    }
  }
}

/** Whether the instance has another machine by now, or none any more. */
async function hasMoved({ context, name }: Reading, providerId: string | null): Promise<boolean> {
  const record = await namedInstance(context, name, true);
  return record.state === "gone" || (record.providerId !== null && record.providerId !== providerId);
}

/** Copies a log of this machine; following, until the instance has moved. @returns where reading would go on. */
async function copyFile(reading: Reading, providerId: string | null, path: string, start: LogStart): Promise<number> {
  const { clock, signal } = reading.context.world;
  let position = await copy(path, "tail" in start ? await tailStart(path, start.tail) : start.from, reading.write);
  while (reading.follow) {
    await clock.sleep(FOLLOW_MS, signal);
    position = await copy(path, position, reading.write);
    if (await hasMoved(reading, providerId)) break;
  }
  return position;
}

/** Copies a rented machine's log; following, until the instance has moved or the connection broke. */
async function copyFar(reading: Reading, machine: Machine, start: LogStart): Promise<number> {
  const { world } = reading.context;
  const moved = new AbortController();
  let position = "tail" in start ? 0 : start.from;
  let reached = false;
  const reader = {
    write: reading.write,
    at: (now: number) => {
      position = now;
      reached = true;
    },
  };
  const options = { ssh: sshAccess(world), signal: AbortSignal.any([world.signal, moved.signal]) };
  const copying = copyConsoleLog(machine.reach, start, reading.follow, reader, options);
  if (!reading.follow) {
    await copying;
    return position;
  }
  const watching = watchMove(reading, machine, moved);
  try {
    await copying;
  } catch (error) {
    world.signal.throwIfAborted();
    // What was come into once may be away for a while; a machine that was never reached is said.
    if (!moved.signal.aborted && !(isUnreachable(error) && (reached || position > 0))) throw error;
  } finally {
    if (!moved.signal.aborted) await world.clock.sleep(AGAIN_MS, options.signal).catch(() => undefined);
    moved.abort();
    await watching;
  }
  world.signal.throwIfAborted();
  return position;
}

function isUnreachable(error: unknown): boolean {
  return error instanceof Problem && error.code === "SPOT_E_GUEST_UNREACHABLE";
}

/** Fires `moved` once the instance has another machine; ends when that has fired for another reason. */
async function watchMove(reading: Reading, machine: Machine, moved: AbortController): Promise<void> {
  const { clock } = reading.context.world;
  while (!moved.signal.aborted) {
    await clock.sleep(FOLLOW_MS, moved.signal).catch(() => undefined);
    if (await hasMoved(reading, machine.providerId)) moved.abort();
  }
}

async function opened<Result>(path: string, work: (file: FileHandle, size: number) => Promise<Result>, absent: Result): Promise<Result> {
  let file: FileHandle;
  try {
    file = await open(path, "r");
  } catch (error) {
    if (hasErrorCode(error, "ENOENT")) return absent;
    throw error;
  }
  try {
    return await work(file, (await file.stat()).size);
  } finally {
    await file.close();
  }
}

/** Writes what lies between `from` and the file's end; returns the new position. */
async function copy(path: string, from: number, write: (text: string) => void): Promise<number> {
  return opened(
    path,
    async (file, size) => {
      const decoder = new TextDecoder();
      let position = Math.min(from, size);
      while (position < size) {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(Math.min(CHUNK_BYTES, size - position)), 0, undefined, position);
        if (bytesRead === 0) break;
        position += bytesRead;
        write(decoder.decode(buffer.subarray(0, bytesRead), { stream: true }));
      }
      return position;
    },
    from,
  );
}

/** Where the last `lines` lines begin. */
async function tailStart(path: string, lines: number): Promise<number> {
  return opened(
    path,
    async (file, size) => {
      let position = size;
      let seen = 0;
      while (position > 0) {
        const length = Math.min(CHUNK_BYTES, position);
        position -= length;
        const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
        for (let index = bytesRead - 1; index >= 0; index--) {
          // The newline that ends the last line opens no further one.
          if (buffer[index] !== 10 || position + index === size - 1) continue;
          seen += 1;
          if (seen === lines) return position + index + 1;
        }
      }
      return lines === 0 ? size : 0;
    },
    0,
  );
}
