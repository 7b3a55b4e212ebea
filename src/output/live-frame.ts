import type { OutputStream } from "../platform/terminal.ts";
import { textWidth, truncate } from "./text-width.ts";

/** A block of lines that is drawn over itself. */
export interface LiveFrame {
  draw(text: string): Promise<void>;
}

const UP = (lines: number) => (lines === 0 ? "\r" : `\u001b[${lines}F`);
const CLEAR_BELOW = "\u001b[J";

/** Draws in place on a terminal: back to the block's first line, clear, write. Lines are cut at the width, so that none wraps. */
export function liveFrame(stdout: OutputStream): LiveFrame {
  let height = 0;
  return {
    async draw(text) {
      const lines = text.split("\n").map((line) => truncatePainted(line, stdout.columns));
      stdout.write(`${height === 0 ? "" : UP(height)}${CLEAR_BELOW}${lines.join("\n")}\n`);
      height = lines.length;
    },
  };
}

// Built from the code of ESC, so that no control character stands in a pattern.
const PAINT = new RegExp(`(${String.fromCharCode(27)}\\[[0-9;]*m)`);
const PAINT_OFF = "\u001b[0m";

/** Cuts a painted line at `cells`; colour codes take no room, and what is cut off ends its colour. */
export function truncatePainted(line: string, cells: number): string {
  let room = cells;
  let kept = "";
  for (const part of line.split(PAINT)) {
    if (PAINT.test(part)) {
      kept += part;
      continue;
    }
    if (textWidth(part) > room) return `${kept}${truncate(part, room)}${PAINT.test(line) ? PAINT_OFF : ""}`;
    kept += part;
    room -= textWidth(part);
  }
  return kept;
}
