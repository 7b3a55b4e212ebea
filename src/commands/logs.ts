import { type FileHandle, open } from "node:fs/promises";
import type { Command } from "commander";
import { reachOf } from "../fleet/reach.ts";
import { EXIT } from "../model/exit-codes.ts";
import { Problem, usageProblem } from "../model/problem.ts";
import { hasErrorCode } from "../platform/files.ts";
import { stripControl } from "../platform/terminal.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { namedInstance, openFleet, requiredName } from "./fleet-context.ts";

const FOLLOW_MS = 250;
const CHUNK_BYTES = 256 * 1024;

export const logs: CommandModule = {
  configure(command: Command) {
    command
      .argument("<name>", "the instance")
      .option("-f, --follow", "go on as more is written, across replacements, until it is gone")
      .option("--tail <lines>", "only the last so many lines");
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const name = requiredName(context);
    const tail = tailLines(context);
    const write = (text: string) => context.world.stdout.write(context.world.stdout.isTTY ? safe(text) : text);
    let machine = await logOf(context, name);
    let position = await copy(machine.path, tail === null ? 0 : await tailStart(machine.path, tail), write);
    while (context.options["follow"] === true) {
      await context.world.clock.sleep(FOLLOW_MS, context.world.signal);
      position = await copy(machine.path, position, write);
      const record = await namedInstance(context, name, true);
      if (record.state === "gone") break;
      if (record.providerId !== null && record.providerId !== machine.providerId) {
        // A replacement has a log of its own; its beginning follows the end of the old one.
        machine = await logOf(context, name);
        position = 0;
      }
    }
    return {};
  },
};

function tailLines(context: CommandContext): number | null {
  const text = context.options["tail"];
  if (text === undefined) return null;
  const lines = Number(text);
  if (!Number.isInteger(lines) || lines < 0) throw usageProblem(`--tail: ${JSON.stringify(text)} is not a number of lines`);
  return lines;
}

/** A terminal gets no control sequences from a machine; a pipe gets the bytes as they are. */
function safe(text: string): string {
  return stripControl(text);
}

async function logOf(context: CommandContext, name: string): Promise<{ readonly path: string; readonly providerId: string | null }> {
  const record = await namedInstance(context, name, true);
  const reach = await reachOf(await openFleet(context), record, context.world.signal);
  if (reach.kind === "process") return { path: reach.log, providerId: record.providerId };
  throw new Problem({ code: "SPOT_E_UNSUPPORTED", message: "machines behind SSH are not reached by this version", exit: EXIT.failed });
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
