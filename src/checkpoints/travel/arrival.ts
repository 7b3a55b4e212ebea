import { eachOf } from "../bounded.ts";
import type { ByteString } from "../manifest.ts";
import { ContentDamage } from "./contents.ts";
import { type FileEntry, planTravel } from "./plan.ts";
import { type CheckpointSource, damagedProblem } from "./source.ts";
import type { Travelled, TravelProgress } from "./to-bucket.ts";

/** A checkpoint on its way to a volume or a folder: it has no name there before `seal`. */
export interface Arrival {
  /** It is there already, under its name and whole; then nothing else is called. */
  readonly isSealed: boolean;
  /** Files that an earlier try has brought, whole. */
  readonly present: ReadonlySet<ByteString>;
  /** How many bytes of a file are there that may be its beginning; absent where only whole files count. */
  begun?(file: FileEntry): Promise<number>;
  /** These first bytes of a file that is there in part. */
  beginning?(file: FileEntry, bytes: number): AsyncIterable<Uint8Array>;
  /**
   * Takes the contents of these files, one after the other. `skip`: so many bytes of the first one are there already and come
   * once more only to be hashed. @throws ContentDamage when they are not as the manifest says.
   */
  take(files: readonly FileEntry[], contents: AsyncIterable<Uint8Array>, skip: number): Promise<void>;
  /** Makes a file from another one of the same content; absent where the content must come again. */
  copy?(from: FileEntry, to: FileEntry): Promise<void>;
  /** Makes it durable, verifies all of it there and gives it its name. @throws Problem (exit 7) when it does not verify. */
  seal(): Promise<void>;
}

export interface ToArrivalOptions extends TravelProgress {
  readonly signal: AbortSignal;
  readonly dryRun: boolean;
}

const AT_ONCE = 4;

/** What lies side by side in an object is fetched together. */
function runsOf(files: readonly FileEntry[], isThere: (file: FileEntry) => boolean): readonly (readonly FileEntry[])[] {
  const runs: FileEntry[][] = [];
  let open: FileEntry[] | null = null;
  for (const file of files) {
    if (isThere(file)) open = null;
    else if (open === null) {
      open = [file];
      runs.push(open);
    } else open.push(file);
  }
  return runs;
}

async function* both(first: AsyncIterable<Uint8Array>, second: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* first;
  yield* second;
}

async function* counted(contents: AsyncIterable<Uint8Array>, onMoved: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of contents) {
    onMoved(chunk.length);
    yield chunk;
  }
}

interface Moving {
  readonly source: CheckpointSource;
  readonly arrival: Arrival;
  readonly signal: AbortSignal;
  onMoved(bytes: number): void;
}

/** Moves a run of files; one that came damaged comes once more, since it may have been spoilt on its way. */
async function move({ source, arrival, signal, onMoved }: Moving, run: readonly FileEntry[]): Promise<void> {
  const [file] = run;
  if (file === undefined) return;
  const begun = run.length === 1 ? ((await arrival.begun?.(file)) ?? 0) : 0;
  const attempt = (skip: number) => {
    const rest = counted(source.read(run, signal, skip), onMoved);
    return arrival.take(run, skip > 0 && arrival.beginning !== undefined ? both(arrival.beginning(file, skip), rest) : rest, skip);
  };
  try {
    await attempt(begun);
  } catch (error) {
    if (!(error instanceof ContentDamage)) throw error;
    signal.throwIfAborted();
    await attempt(0);
  }
}

/**
 * Copies a sealed checkpoint to where it arrives: what is there already stays, everything that comes is held against the
 * manifest, and it is sealed at the end.
 * @throws Problem: exit 7 when the source or the copy does not verify.
 */
export async function copyToArrival(source: CheckpointSource, arrival: Arrival, options: ToArrivalOptions): Promise<Travelled> {
  const { signal, dryRun } = options;
  const { objects, twins, bytes } = planTravel(source.manifest);
  const isThere = ({ path }: FileEntry) => arrival.isSealed || arrival.present.has(path);
  const runs = objects.flatMap(({ members }) => runsOf(members, isThere));
  const missing = runs.flat().reduce((sum, { size }) => sum + size, 0);
  options.onPlan?.({ bytes, presentBytes: bytes - missing, objects: objects.length });
  const travelled = { bytes, objects: objects.length, presentBytes: bytes - missing };
  if (dryRun) return { ...travelled, movedBytes: 0, proof: null };
  if (arrival.isSealed) return { ...travelled, movedBytes: 0, proof: "read" };
  let movedBytes = 0;
  const onMoved = (moved: number) => {
    movedBytes += moved;
    options.onMoved?.(moved);
  };
  const moving = { source, arrival, signal, onMoved };
  try {
    await eachOf(runs, AT_ONCE, async (run) => {
      signal.throwIfAborted();
      await move(moving, run);
    });
    const firsts = new Map(objects.flatMap(({ members }) => members.map((member) => [member.sha256, member] as const)));
    const others = [...twins].flatMap(([sha256, same]) =>
      same.filter((file) => !isThere(file)).map((file) => [firsts.get(sha256), file] as const),
    );
    await eachOf(others, AT_ONCE, async ([first, file]) => {
      signal.throwIfAborted();
      if (first !== undefined && arrival.copy !== undefined) await arrival.copy(first, file);
      else await move(moving, [file]);
    });
  } catch (error) {
    if (error instanceof ContentDamage) throw damagedProblem(`the checkpoint ${source.manifest.id} does not verify: ${error.message}`);
    throw error;
  }
  await arrival.seal();
  return { ...travelled, movedBytes, proof: "read" };
}
