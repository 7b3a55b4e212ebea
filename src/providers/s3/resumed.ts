import type { Readable } from "node:stream";
import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import type { World } from "../../platform/world.ts";
import { type BucketPlace, bucketText } from "../bucket.ts";
import { asProblem } from "./refusals.ts";
import { waitBefore } from "./tries.ts";

/** What of an answer is read here. */
interface Answer {
  readonly Body?: unknown;
  readonly ETag?: string | undefined;
  readonly ContentRange?: string | undefined;
}

interface Range {
  readonly from: number;
  readonly to: number;
}

/** After so many breaks between which less than this came, nothing more is to be expected. */
const MOST_BREAKS = 6;
const SOME_BYTES = 1024 * 1024;

/** Where the bytes of an answer begin: a server that knows no ranges sends all of them. */
function beginOf({ ContentRange }: Answer): number {
  const begin = /^bytes (\d+)-/.exec(ContentRange ?? "")?.[1];
  return begin === undefined ? 0 : Number(begin);
}

/**
 * The bytes of a range. Where the stream breaks off, or ends too early, the rest is asked for; never of another version of the object.
 * @throws Problem when it breaks off again and again.
 */
export async function* resumed(
  { clock, rng }: Pick<World, "clock" | "rng">,
  place: BucketPlace,
  key: string,
  { from, to }: Range,
  first: Answer,
  open: (from: number, more: { readonly IfMatch?: string }) => Promise<Answer | null>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let [at, breaks, since] = [from, 0, 0];
  const lost = (why: string, cause?: unknown) =>
    new Problem({
      code: "SPOT_E_UNAVAILABLE",
      message: `${bucketText(place)}: GET ${key}: ${why}`,
      exit: EXIT.failed,
      retryable: true,
      cause,
    });
  for (let answer: Answer | null = first; ; ) {
    let begin = beginOf(answer);
    if (begin > at) throw lost("the server sent another part of it than was asked for");
    let broken: unknown = new Error("it ended too early");
    const body = answer.Body as Readable;
    try {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        const piece = chunk.subarray(Math.max(0, at - begin), Math.max(0, to - begin));
        begin += chunk.length;
        at += piece.length;
        since += piece.length;
        if (piece.length > 0) yield piece;
        if (at >= to) return;
      }
    } catch (error) {
      broken = error;
    } finally {
      body.destroy();
    }
    signal.throwIfAborted();
    if (since >= SOME_BYTES) breaks = 0;
    since = 0;
    breaks += 1;
    if (breaks > MOST_BREAKS) throw asProblem(broken, place, `GET ${key}`);
    await clock.sleep(waitBefore(breaks - 1, rng.next()), signal);
    const { ETag } = first;
    answer = await open(at, ETag === undefined ? {} : { IfMatch: ETag });
    if (answer === null) throw lost("it has vanished meanwhile");
  }
}
