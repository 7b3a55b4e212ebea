import { setMaxListeners } from "node:events";
import { ProviderError } from "../errors.ts";
import { PROVIDER } from "./codes.ts";

/** Lets so many through at once; the others wait in the order in which they came. */
export interface Gate {
  /** @throws ProviderError `unavailable` when the signal fires before its turn: nothing was sent. */
  through<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result>;
}

export function gate(atOnce: number): Gate {
  let under = 0;
  const waiting: (() => void)[] = [];
  const turn = (signal: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      const mine = () => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const leave = () => {
        waiting.splice(waiting.indexOf(mine), 1);
        reject(new ProviderError(PROVIDER, { kind: "unavailable" }, "stopped before it was sent", null, signal.reason as unknown));
      };
      if (signal.aborted) {
        waiting.push(mine);
        leave();
        return;
      }
      // As many requests as there are machines may hang on one Ctrl-C; Node takes eleven of them for a leak.
      setMaxListeners(0, signal);
      signal.addEventListener("abort", leave, { once: true });
      waiting.push(mine);
    });
  return {
    async through(signal, work) {
      if (under >= atOnce) await turn(signal);
      else under += 1;
      try {
        return await work();
      } finally {
        // Whoever waits takes over the place; otherwise it is free.
        const next = waiting.shift();
        if (next === undefined) under -= 1;
        else next();
      }
    },
  };
}
