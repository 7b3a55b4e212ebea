import type { ListedPrice } from "../model/listed-price.ts";
import { type Download, download } from "../platform/http-download.ts";
import { CatalogDamage } from "./catalog/columns.ts";
import { parseCatalog } from "./catalog/parse.ts";
import type { Tally } from "./catalog/reader.ts";

/** Of which clouds the open SkyPilot catalogue has files: the folders below `v8/` (github.com/skypilot-org/skypilot-catalog). */
export const CATALOG_CLOUDS: readonly string[] = [
  ...["aws", "azure", "cudo", "do", "fluidstack", "gcp", "hyperbolic", "hyperstack", "ibm", "jarvislabs", "lambda", "lium"],
  ...["mithril", "nebius", "oci", "paperspace", "primeintellect", "runpod", "scp", "seeweb", "shadeform", "spheron", "vast"],
  ...["verda", "yotta"],
];

export const DEFAULT_CATALOG_URL = "https://raw.githubusercontent.com/skypilot-org/skypilot-catalog/master/catalogs/";

/** The address of a cloud's file. @throws TypeError when the base is no address. */
export function catalogAddress(base: string, cloud: string): string {
  return new URL(`v8/${encodeURIComponent(cloud)}/vms.csv`, base.endsWith("/") ? base : `${base}/`).href;
}

/**
 * The number of this reader. A reader that makes other prices of the same file needs another one: then files are read again
 * though they are as they were.
 */
const READER = "3;";

/** Whether this reader has read the version that is called so. */
export function isOfThisReader(version: string | null): boolean {
  return version?.startsWith(READER) === true;
}

/** What became of asking for a file. `version`: what this reader calls what it read, also where the server has no name for it. */
export type CatalogAnswer =
  | { readonly outcome: "read"; readonly version: string; readonly tally: Tally }
  | { readonly outcome: "unchanged" }
  | { readonly outcome: "absent" }
  | { readonly outcome: "failed"; readonly why: string };

export interface CatalogQuestion {
  readonly cloud: string;
  readonly url: string;
  /** The one that is known, as an answer named it. */
  readonly version: string | null;
  /** Gets the prices as they come, a few thousand at a time; what it throws ends the reading and is thrown. */
  readonly take: (prices: readonly ListedPrice[]) => Promise<void>;
}

/** So many prices are handed over at once. */
const BATCH = 2_000;

/** Reads one cloud's file. @throws the signal's reason, or what `take` throws. */
export async function fetchCatalog(
  question: CatalogQuestion,
  { env, signal }: { readonly env: Readonly<Record<string, string | undefined>>; readonly signal: AbortSignal },
): Promise<CatalogAnswer> {
  let thrown: { readonly error: unknown } | undefined;
  const take = async (prices: readonly ListedPrice[]) => {
    try {
      await question.take(prices);
    } catch (error) {
      thrown = { error };
      throw error;
    }
  };
  try {
    const etag = isOfThisReader(question.version) ? question.version?.slice(READER.length) : undefined;
    const answer = await download(question.url, { headers: etag ? { "if-none-match": etag } : {}, env, signal });
    try {
      if (answer.status === 304 && etag) return { outcome: "unchanged" };
      return await read(answer, question.cloud, take);
    } finally {
      await answer.close();
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (thrown !== undefined) throw thrown.error;
    return { outcome: "failed", why: wordsOf(error) };
  }
}

async function read({ status, headers, body }: Download, cloud: string, take: CatalogQuestion["take"]): Promise<CatalogAnswer> {
  if (status === 404) return { outcome: "absent" };
  if (status !== 200) return { outcome: "failed", why: `HTTP ${status}` };
  const tally = await parseCatalog(cloud, body, BATCH, take);
  return { outcome: "read", tally, version: `${READER}${headers["etag"] ?? ""}` };
}

function wordsOf(error: unknown): string {
  if (error instanceof CatalogDamage) return `it is no catalogue: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}
