import { appendFileSync } from "node:fs";

/** A process that nobody watches writes down what ended it, and ends. */
export function recordLastWords(path: string): void {
  process.on("uncaughtException", (error) => {
    try {
      appendFileSync(path, `${new Date().toISOString()} crashed: ${error.stack ?? error.message}\n`, { mode: 0o600 });
    } finally {
      process.exit(70);
    }
  });
}
