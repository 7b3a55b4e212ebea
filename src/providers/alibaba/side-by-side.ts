import type { CallContext } from "../provider.ts";

/** Runs work as soon as fewer than `most` pieces are under way, in the order in which they came. */
export type Turns = <Result>(work: () => Promise<Result>) => Promise<Result>;

export function turns(most: number): Turns {
  let free = most;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}

type Outcome<Result> = { readonly result: Result } | { readonly error: unknown };

/** All of it, or none: the first failure ends the others, and is thrown when they have ended. */
export async function allOrNone<Item, Result>(
  items: readonly Item[],
  { signal }: CallContext,
  work: (item: Item, context: CallContext) => Promise<Result>,
): Promise<readonly Result[]> {
  const own = new AbortController();
  const stop = () => own.abort(signal.reason);
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  let first: { readonly error: unknown } | undefined;
  const one = async (item: Item): Promise<Outcome<Result>> => {
    try {
      return { result: await work(item, { signal: own.signal }) };
    } catch (error) {
      first ??= { error };
      own.abort(error);
      return { error };
    }
  };
  try {
    const outcomes = await Promise.all(items.map(one));
    if (first !== undefined) throw first.error;
    return outcomes.flatMap((outcome) => ("result" in outcome ? [outcome.result] : []));
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Whatever could be had; the first failure only when there was nothing but failures, or when the signal fired. */
export async function whatCouldBeHad<Item, Result>(
  items: readonly Item[],
  context: CallContext,
  work: (item: Item) => Promise<Result>,
): Promise<readonly Result[]> {
  const outcomes = await Promise.all(
    items.map(
      (item): Promise<Outcome<Result>> =>
        work(item).then(
          (result) => ({ result }),
          (error: unknown) => ({ error }),
        ),
    ),
  );
  const results = outcomes.flatMap((outcome) => ("result" in outcome ? [outcome.result] : []));
  const failed = outcomes.find((outcome) => "error" in outcome);
  if (failed !== undefined && "error" in failed && (results.length === 0 || context.signal.aborted)) throw failed.error;
  return results;
}
