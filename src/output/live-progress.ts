import type { Ora } from "ora";
import { type OutputStream, safeLine, stripControl } from "../platform/terminal.ts";
import type { Progress } from "./progress.ts";
import type { Painter } from "./view.ts";

/** Progress that can step aside while something else is written to the same terminal. */
export interface LiveProgress extends Progress {
  /** Clears the line under way, writes, and draws it again. */
  aside(write: () => void): void;
}

const nothing = () => {};

/** Says nothing: for `--quiet` and for machine output. Warnings are the exception: they are always written. */
export function silentProgress(stderr: OutputStream, painter: Painter, warnings: boolean): LiveProgress {
  return {
    step: nothing,
    done: nothing,
    note: nothing,
    stop: nothing,
    aside: (write) => write(),
    warn: warnings ? (text) => stderr.write(`${painter.yellow("warning:")} ${safeLine(text)}\n`) : nothing,
  };
}

/** One plain line for each thing said; a step that repeats itself is said once. */
export function lineProgress(stderr: OutputStream, painter: Painter): LiveProgress {
  let last = "";
  const line = (text: string) => {
    if (text === last) return;
    last = text;
    stderr.write(`${text}\n`);
  };
  return {
    step: (text) => line(safeLine(text)),
    done: (text) => line(stripControl(text)),
    note: (text) => line(stripControl(text)),
    warn: (text) => line(`${painter.yellow("warning:")} ${safeLine(text)}`),
    stop: nothing,
    aside: (write) => write(),
  };
}

/**
 * A spinner on a terminal. ora is loaded at the first step; what is said before it has arrived is written as plain
 * lines, so that nothing ever waits for it.
 */
export function spinnerProgress(stderr: OutputStream, node: NodeJS.WriteStream, painter: Painter): LiveProgress {
  let spinner: Ora | undefined;
  let loading = false;
  let current: string | undefined;
  const load = async () => {
    const { default: ora } = await import("ora");
    // ora must not touch stdin: a question may be open on it, and Ctrl-C is ours.
    spinner = ora({ stream: node, discardStdin: false, color: "cyan" });
    if (current !== undefined) spinner.start(current);
  };
  const aside = (write: () => void) => {
    const spinning = spinner?.isSpinning === true;
    if (spinning) spinner?.clear();
    write();
    if (spinning) spinner?.render();
  };
  const end = () => {
    current = undefined;
    spinner?.stop();
  };
  return {
    step(text) {
      current = safeLine(text);
      if (spinner !== undefined) {
        if (spinner.isSpinning) spinner.text = current;
        else spinner.start(current);
      } else if (!loading) {
        loading = true;
        load().catch(nothing);
      }
    },
    done(text) {
      end();
      stderr.write(`${painter.green("✔")} ${stripControl(text)}\n`);
    },
    note: (text) => aside(() => stderr.write(`${stripControl(text)}\n`)),
    warn: (text) => aside(() => stderr.write(`${painter.yellow("warning:")} ${safeLine(text)}\n`)),
    stop: end,
    aside,
  };
}
