import { appendFileSync } from "node:fs";

/**
 * Tells spot's agent that a part of the start is done: a line with its name and the time. It is what `spot restore` and
 * `spot show` say of where a wake's time went. A file that cannot be written is no reason not to serve.
 */
export function markPhase(file, phase) {
  if (file === undefined || file === "") return;
  try {
    appendFileSync(file, `${phase} ${(Date.now() / 1000).toFixed(3)}\n`);
  } catch (error) {
    console.error(`serve: ${file}: ${error.message}`);
  }
}
