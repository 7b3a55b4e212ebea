import { usageProblem } from "../../model/problem.ts";
import { DEFAULT_CATALOG_URL } from "../../providers/public-catalog.ts";

/** Below which address the catalogues lie. */
export interface CatalogBase {
  readonly url: string;
  /** It is not the public one. */
  readonly isMirror: boolean;
}

/** Reads `SPOT_CATALOG_URL`. @throws Problem (usage) when it is no address that files can lie below. */
export function catalogBase(env: Readonly<Record<string, string | undefined>>): CatalogBase {
  const text = (env["SPOT_CATALOG_URL"] ?? "").trim();
  if (text === "") return { url: DEFAULT_CATALOG_URL, isMirror: false };
  const wrong = wrongWith(text);
  // A password in it is not repeated.
  if (wrong !== null) throw usageProblem(`SPOT_CATALOG_URL ${wrong}`, "for example https://mirror.example/catalogs/");
  return { url: text, isMirror: true };
}

function wrongWith(text: string): string | null {
  if (!URL.canParse(text)) return "is no address";
  const { protocol, username, password, search, hash } = new URL(text);
  if (protocol !== "https:" && protocol !== "http:") return "is no http or https address";
  if (username !== "" || password !== "") return "has a user name or a password in it, which would be kept beside the prices";
  return search === "" && hash === "" ? null : "has something behind the path: files below it would not be found";
}
