import { isFault, ProviderError } from "../errors.ts";
import { PROVIDER } from "./codes.ts";

/** Whatever goes wrong before a launch, nothing was launched: a lost answer here is no reason to look for a machine. */
export async function preparing<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!isFault(error, "ambiguous", "protocol")) throw error;
    throw new ProviderError(PROVIDER, { kind: "unavailable" }, error.message, error.rawCode, error);
  }
}

/** What was found or made once. A failure is not remembered. */
export interface Remembering<Value> {
  of(key: string, make: () => Promise<Value>): Promise<Value>;
  forget(): void;
}

export function remembering<Value>(): Remembering<Value> {
  const known = new Map<string, { readonly value: Value }>();
  return {
    async of(key, make) {
      const found = known.get(key) ?? { value: await make() };
      known.set(key, found);
      return found.value;
    },
    forget: () => known.clear(),
  };
}
