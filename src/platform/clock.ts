import { setMaxListeners } from "node:events";

/** Time as a parameter, so that tests can own it. */
export interface Clock {
  /** Wall clock, epoch milliseconds. May jump. */
  now(): number;
  /** Never jumps; only differences mean something. Milliseconds. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it fires first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason);
        return;
      }
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, ms);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  },
};

/**
 * A controller that is aborted when the parent signal fires, and may be before. Call `done` when the work has ended.
 * Not by `AbortSignal.any`: on Node 20 a parent that lives as long as a watch keeps every signal that was ever made of it.
 */
export function follower(parent: AbortSignal): { readonly own: AbortController; done(): void } {
  const own = new AbortController();
  const stop = () => own.abort(parent.reason);
  if (parent.aborted) stop();
  // Many may hang on one Ctrl-C; Node takes eleven listeners for a leak.
  setMaxListeners(0, parent);
  parent.addEventListener("abort", stop, { once: true });
  return { own, done: () => parent.removeEventListener("abort", stop) };
}

/** A signal that fires when the parent does or after `ms`, whichever comes first. Call `done` when the work has ended. */
export function deadline(parent: AbortSignal, ms: number): { readonly signal: AbortSignal; done(): void } {
  const { own, done } = follower(parent);
  const timer = setTimeout(() => own.abort(new DOMException(`no answer within ${ms} ms`, "TimeoutError")), ms);
  return {
    signal: own.signal,
    done() {
      clearTimeout(timer);
      done();
    },
  };
}

/** As `deadline`, by a clock that may be a test's own. `isOver`: it was the time, and not the parent. */
export function deadlineBy(
  clock: Clock,
  parent: AbortSignal,
  ms: number,
): { readonly signal: AbortSignal; isOver(): boolean; done(): void } {
  const { own, done } = follower(parent);
  const timer = new AbortController();
  let isOver = false;
  clock.sleep(ms, timer.signal).then(
    () => {
      isOver = !own.signal.aborted;
      own.abort(new DOMException(`not done within ${ms} ms`, "TimeoutError"));
    },
    () => undefined,
  );
  return {
    signal: own.signal,
    isOver: () => isOver,
    done() {
      timer.abort();
      done();
    },
  };
}
