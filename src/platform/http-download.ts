import type { Readable } from "node:stream";
import { connect } from "./http.ts";

/** A document on its way. Whoever has it closes it, read to the end or not. */
export interface Download {
  readonly status: number;
  /** Lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Decoded where the server packed it. */
  readonly body: Readable;
  close(): Promise<void>;
}

export interface DownloadOptions {
  readonly headers: Readonly<Record<string, string>>;
  /** Where the proxies are looked up. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

const SILENT_FOR_MS = 60_000;
const MOST_REDIRECTS = 5;
const REDIRECTS = [301, 302, 303, 307, 308];

function flat(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])));
}

/** Where a redirect leads. Never from https to http: whoever sits in between could then say any price. @throws Error */
function redirected(from: URL, location: string | undefined): URL {
  const to = new URL(location ?? "", from);
  if (location === undefined || (to.protocol !== "https:" && to.protocol !== from.protocol))
    throw new Error(`${from.origin} redirects to ${location ?? "nowhere"}, which is not followed`);
  return to;
}

async function ask(url: URL, { headers, env, signal }: DownloadOptions): Promise<Download> {
  const { default: undici } = await import("undici");
  const pool = await connect(undici, url.origin, { env });
  try {
    const answer = await pool.request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method: "GET",
      headers: { ...headers, "accept-encoding": "gzip, identity;q=0.5" },
      signal,
      headersTimeout: SILENT_FOR_MS,
      bodyTimeout: SILENT_FOR_MS,
    });
    const said = flat(answer.headers);
    // A body that nobody reads on ends in an error; whoever reads it hears that too.
    answer.body.on("error", () => undefined);
    const body = said["content-encoding"] === "gzip" ? await unpacked(answer.body) : answer.body;
    const close = async () => {
      body.destroy();
      await pool.destroy();
    };
    return { status: answer.statusCode, headers: said, body, close };
  } catch (error) {
    await pool.destroy();
    throw error;
  }
}

async function unpacked(packed: Readable): Promise<Readable> {
  const { createGunzip } = await import("node:zlib");
  const plain = createGunzip();
  packed.on("error", (error) => plain.destroy(error));
  // Whoever reads no further need not be sent the rest.
  plain.on("close", () => packed.destroy());
  return packed.pipe(plain);
}

/**
 * Asks for a document that may be large, and follows redirects. Nothing is tried a second time here.
 * @throws Error as the network has it, or the signal's reason.
 */
export async function download(address: string, options: DownloadOptions): Promise<Download> {
  let url = new URL(address);
  for (let followed = 0; ; followed++) {
    const answer = await ask(url, options);
    if (!REDIRECTS.includes(answer.status)) return answer;
    await answer.close();
    if (followed === MOST_REDIRECTS) throw new Error(`${address} redirects without end`);
    url = redirected(url, answer.headers["location"]);
  }
}
