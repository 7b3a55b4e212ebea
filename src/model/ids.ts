import { usageProblem } from "./problem.ts";

/** A source of random bytes; `src/platform/rng.ts` gives the real one, tests a seeded one. */
export interface Rng {
  /** A float in [0, 1). */
  next(): number;
}

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/** An identifier of ours: prefix and 16 characters of Crockford base 32 (80 bits), e.g. `i-7k2m…`. */
export function newId(prefix: string, rng: Rng): string {
  let text = "";
  for (let i = 0; i < 16; i++) text += ALPHABET[Math.floor(rng.next() * 32)] ?? "0";
  return `${prefix}-${text}`;
}

const NAME = /^[a-z][a-z0-9-]{0,38}[a-z0-9]$|^[a-z]$/;

/**
 * A name that is safe in every cloud, shell and file system: lower-case letters, digits and hyphens, 1–40 long.
 * @throws Problem (usage) that says what is allowed.
 */
export function requireName(what: string, name: string): string {
  if (NAME.test(name)) return name;
  throw usageProblem(
    `${JSON.stringify(name)} cannot be the name of ${what}`,
    "a name has 1 to 40 lower-case letters, digits and hyphens, begins with a letter and does not end with a hyphen",
  );
}
