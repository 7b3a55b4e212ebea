import { join } from "node:path";
import { EXIT } from "../model/exit-codes.ts";
import { Problem } from "../model/problem.ts";
import { readFileIfThere } from "./files.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Where `spot provider login` keeps credentials, 0600: `{"PPIO_API_KEY": "…"}`. */
export function credentialsFile(home: string): string {
  return join(home, "credentials.json");
}

/** The stored credentials by variable name; none when there is no file. @throws Problem (exit 4) for a file that is not JSON. */
export async function storedCredentials(home: string): Promise<Readonly<Record<string, string>>> {
  const file = credentialsFile(home);
  try {
    const content: unknown = JSON.parse((await readFileIfThere(file)) ?? "{}");
    if (typeof content !== "object" || content === null) return {};
    return Object.fromEntries(Object.entries(content).filter((entry): entry is [string, string] => typeof entry[1] === "string"));
  } catch (error) {
    throw new Problem({
      code: "SPOT_E_CREDENTIALS",
      message: `${file} cannot be read`,
      hint: error instanceof Error && !(error instanceof SyntaxError) ? error.message : "it is not JSON",
      exit: EXIT.credentials,
      cause: error,
    });
  }
}

/** The values of these variables: the environment's own, else the stored ones. Undefined when one of them is missing. */
export async function readCredentials(
  variables: readonly string[],
  { env, home }: { readonly env: Environment; readonly home: string },
): Promise<Readonly<Record<string, string>> | undefined> {
  const given = (name: string) => (env[name] === "" ? undefined : env[name]?.trim());
  const stored = variables.every((name) => given(name) !== undefined) ? {} : await storedCredentials(home);
  const found: Record<string, string> = {};
  for (const name of variables) {
    const value = given(name) ?? stored[name];
    if (value === undefined || value === "") return undefined;
    found[name] = value;
  }
  return found;
}
