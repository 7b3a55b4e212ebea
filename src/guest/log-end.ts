import { type FileHandle, open } from "node:fs/promises";
import { safeLine } from "../platform/terminal.ts";
import type { Reach } from "../providers/provider.ts";
import { copyConsoleLog } from "./console-log.ts";
import type { VerbOptions } from "./run-verb.ts";

/** No more than so much of the log's end is read, in bytes. */
const MOST_BYTES = 16_384;

/**
 * The last lines of a machine's log, made safe for a terminal, oldest first; what cannot be read is empty.
 * @throws Problem when the machine cannot be reached.
 */
export async function logEnd(reach: Reach, lines: number, options: VerbOptions): Promise<readonly string[]> {
  let text = "";
  if (reach.kind === "process") text = await fileEnd(reach.log);
  else {
    const write = (more: string) => {
      text = (text + more).slice(-MOST_BYTES);
    };
    await copyConsoleLog(reach, { tail: lines }, false, { write, at: () => undefined }, options);
  }
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .slice(-lines)
    .map(safeLine);
}

async function fileEnd(path: string): Promise<string> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, "r");
    const { size } = await file.stat();
    const length = Math.min(size, MOST_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString("utf8", 0, bytesRead);
  } catch {
    return "";
  } finally {
    await file?.close();
  }
}
