import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import * as v from "valibot";
import { EXIT } from "../model/exit-codes.ts";
import { Problem } from "../model/problem.ts";
import { follower } from "../platform/clock.ts";
import type { Reach } from "../providers/provider.ts";
import { readAll } from "./pack.ts";
import { endedProblem, streamAgentVerb, type VerbOptions } from "./run-verb.ts";

const LARGEST_MANIFEST_BYTES = 512 * 1024 * 1024;
/** Names are kept to what a machine says in this many bytes. */
const LARGEST_ANSWER_BYTES = 512 * 1024 * 1024;

async function whole(stdout: Readable, most: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdout as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > most) throw new Problem({ code: "SPOT_E_GUEST", message: "the machine says more than it may", exit: EXIT.failed });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The manifest of a checkpoint on the machine's volume. @throws Problem (exit 7) when there is none that holds. */
export async function guestManifest(reach: Reach, id: string, options: VerbOptions): Promise<Buffer> {
  return readAll(await streamAgentVerb(reach, ["manifest", id], options), (stdout) => whole(stdout, LARGEST_MANIFEST_BYTES));
}

/**
 * The contents of files of a checkpoint on the machine's volume, one after the other; of the first one from that byte on.
 * `paths` are byte strings below the checkpoint's `data`.
 * @throws Problem when the machine cannot be reached, or cannot read one of them.
 */
export async function* guestGive(
  reach: Reach,
  id: string,
  paths: readonly string[],
  from: number,
  options: VerbOptions,
): AsyncGenerator<Buffer> {
  const { own, done } = follower(options.signal);
  try {
    const program = await streamAgentVerb(reach, ["give", id, ...(from > 0 ? [String(from)] : [])], { ...options, signal: own.signal });
    program.stdin.end(Buffer.from(paths.map((path) => `./${path}\0`).join(""), "latin1"));
    yield* program.stdout as AsyncIterable<Buffer>;
    const ended = await program.done;
    if (ended.code !== 0) throw endedProblem(ended);
  } finally {
    done();
    // Whoever reads no further leaves nobody behind who waits to be read.
    own.abort(new Error("nobody reads on"));
  }
}

/** Runs a part of `receive` with that on its standard input, and gives its answer's lines. */
async function receive(
  reach: Reach,
  id: string,
  part: "begin" | "files" | "seal",
  input: AsyncIterable<Uint8Array>,
  options: VerbOptions,
): Promise<readonly string[]> {
  const program = await streamAgentVerb(reach, ["receive", id, part], options);
  const [flow, said, ended] = await Promise.allSettled([
    pipeline(input, program.stdin),
    whole(program.stdout, LARGEST_ANSWER_BYTES),
    program.done,
  ]);
  if (ended.status === "rejected") throw ended.reason;
  // What could not be read at our end is the reason why the other end complains.
  if (flow.status === "rejected" && !isBrokenPipe(flow.reason)) throw flow.reason;
  const lines = said.status === "fulfilled" ? said.value.toString("latin1").split("\n") : [];
  if (ended.value.code !== 0) throw endedProblem({ code: ended.value.code, stderr: `${ended.value.stderr}\n${lines[0] ?? ""}` });
  if (flow.status === "rejected") throw flow.reason;
  return lines;
}

function isBrokenPipe(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : "";
  return code === "EPIPE" || code === "ECONNRESET" || code === "ERR_STREAM_PREMATURE_CLOSE";
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

const begunSchema = v.object({ sealed: v.boolean(), present: v.pipe(v.number(), v.integer(), v.minValue(0)) });

/** As a manifest writes names (backslash, newline and tab are escaped) in bytes. */
function plainName(text: string): string {
  return text.replace(/\\([\\nt])/g, (_, code: string) => (code === "n" ? "\n" : code === "t" ? "\t" : "\\"));
}

/**
 * Begins, or goes on with, the arrival of a checkpoint on the machine's volume.
 * @returns whether it is sealed there already, and the files (byte strings) that an earlier try has brought.
 * @throws Problem when another checkpoint lies there under this id, or the volume is too small for it.
 */
export async function guestReceiveBegin(
  reach: Reach,
  id: string,
  manifest: Uint8Array,
  options: VerbOptions,
): Promise<{ readonly isSealed: boolean; readonly present: ReadonlySet<string> }> {
  const [first = "", ...lines] = await receive(reach, id, "begin", only(manifest), options);
  const answer = v.safeParse(v.pipe(v.string(), v.parseJson(), begunSchema), first);
  const names = lines.filter((line) => line !== "");
  if (!answer.success || names.length !== answer.output.present)
    throw new Problem({ code: "SPOT_E_GUEST", message: "the agent's answer to receive is not understood", exit: EXIT.failed });
  return { isSealed: answer.output.sealed, present: new Set(names.map(plainName)) };
}

/** Sends a tar stream of what belongs below the arriving checkpoint's `data`. */
export async function guestReceiveFiles(reach: Reach, id: string, tar: AsyncIterable<Uint8Array>, options: VerbOptions): Promise<void> {
  await receive(reach, id, "files", tar, options);
}

/** Has the machine verify what has arrived and give it its name. @throws Problem (exit 7) when it does not verify; it is then removed. */
export async function guestReceiveSeal(reach: Reach, id: string, options: VerbOptions): Promise<void> {
  await receive(reach, id, "seal", nothing(), options);
}
