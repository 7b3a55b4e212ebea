/** What is done around each call: `send` makes it, `given` is what it is to be made with, `name` is the function's. */
export type Around = (send: (given: readonly unknown[]) => Promise<unknown>, given: readonly unknown[], name: string) => Promise<unknown>;

/**
 * Every function of it, and of what it consists of (`volumes`, `volumes.snapshots`, …), with something around it: so a kind of
 * call that is added later has it too. All of them answer with promises. Data stays what it is.
 */
export function aroundCalls<Calls extends object>(calls: Calls, around: Around): Calls {
  const wrapped = Object.entries(calls).map(([key, value]: [string, unknown]) => {
    if (typeof value === "function")
      return [key, async (...given: readonly unknown[]) => around(async (sent) => value.apply(calls, sent), given, key)];
    return [key, key !== "capabilities" && isGroup(value) ? aroundCalls(value, around) : value];
  });
  return Object.fromEntries(wrapped);
}

const isGroup = (value: unknown): value is object => typeof value === "object" && value !== null && !Array.isArray(value);
