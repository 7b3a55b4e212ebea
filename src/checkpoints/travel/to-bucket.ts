import { createHash } from "node:crypto";
import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import { type Bucket, bucketText, type OpenUpload, type StoredObject } from "../../providers/bucket.ts";
import { eachOf } from "../bounded.ts";
import { ManifestDamage, parseManifest } from "../manifest.ts";
import { fetchManifest, manifestKey } from "./bucket-checkpoints.ts";
import { byteBudget } from "./byte-budget.ts";
import { ContentDamage, checked, drain } from "./contents.ts";
import { planTravel, type TravelObject } from "./plan.ts";
import { type PruningSeen, seePruning } from "./pruned.ts";
import { PART_BYTES, type Sending, sendObject } from "./send-object.ts";
import { type CheckpointSource, damagedProblem } from "./source.ts";

/** How it was made sure that what lies at the far end is what it should be. */
export type Proof = "checksum" | "read";

export interface TravelProgress {
  /** What is to be moved and what is there already; said once, before anything is moved. */
  onPlan?(plan: { readonly bytes: number; readonly presentBytes: number; readonly objects: number }): void;
  /** So many more bytes were moved. */
  onMoved?(bytes: number): void;
  /** Something beside the copy did not go well. */
  onWarning?(text: string): void;
}

export interface ToBucketOptions extends TravelProgress {
  readonly signal: AbortSignal;
  /** Reads everything back, whatever the server confirmed. */
  readonly readBack: boolean;
  /** Finds out what would be sent, and sends nothing. */
  readonly dryRun: boolean;
  /** How large the parts of a large object are; 16 MiB unless told. S3 takes none below 5 MiB but the last. */
  readonly partBytes?: number;
  /** Epoch milliseconds. */
  now(): number;
  /** The copy stands; what follows is tidying. */
  onStanding?(travelled: Travelled): Promise<void>;
}

export interface Travelled {
  /** Of the distinct contents: what one copy takes. */
  readonly bytes: number;
  readonly objects: number;
  readonly presentBytes: number;
  readonly movedBytes: number;
  /** Null after a dry run. */
  readonly proof: Proof | null;
}

const AT_ONCE = 4;
const HELD_BYTES = 8 * PART_BYTES;
/** Nobody goes on with an upload that was broken off so long ago. */
const STALE_MS = 7 * 24 * 3_600_000;

/** Reads an object back and holds it against the manifest. */
async function readsBack(bucket: Bucket, { key, size, members }: TravelObject, signal: AbortSignal): Promise<boolean> {
  const contents = await bucket.get(key, { from: 0, to: size }, signal);
  if (contents === null) return false;
  try {
    await drain(checked(members, contents));
    return true;
  } catch (error) {
    if (error instanceof ContentDamage) return false;
    throw error;
  }
}

/**
 * Whether the server vouches for an object that is there: it keeps a SHA-256, so it checked one when the object came, and
 * under this key nothing is ever sent but bytes that were held against the manifest first.
 */
function isVouchedFor({ key }: TravelObject, { sha256 }: StoredObject): boolean {
  if (sha256 === null) return false;
  return sha256.kind === "parts" || !key.startsWith("data/") || key === `data/${sha256.hex}`;
}

/** In a bucket without a prefix other programs may have uploads whose keys begin as ours do. */
const OUR_KEY = /^(?:data|packs)\/[0-9a-f]{64}$/;

/** Uploads of ours that were begun and not ended; null where the server cannot say. */
async function begunUploads(bucket: Bucket, signal: AbortSignal): Promise<ReadonlyMap<string, readonly OpenUpload[]> | null> {
  const found = new Map<string, OpenUpload[]>();
  for (const folder of ["data/", "packs/"]) {
    const uploads = await bucket.openUploads(folder, signal);
    if (uploads === null) return null;
    for (const upload of uploads) if (OUR_KEY.test(upload.key)) found.set(upload.key, [...(found.get(upload.key) ?? []), upload]);
  }
  return found;
}

/** To go on with them; whoever may not list them begins anew. */
async function uploadsToGoOn(bucket: Bucket, signal: AbortSignal): ReturnType<typeof begunUploads> {
  try {
    return await begunUploads(bucket, signal);
  } catch (error) {
    if (error instanceof Problem && error.exit === EXIT.credentials) return null;
    throw error;
  }
}

/** Ends uploads of ours that nobody will complete: of objects that are there, and of long ago. The copy stands whether or not it can. */
async function abortStale(
  bucket: Bucket,
  done: ReadonlySet<string>,
  { now, signal, onWarning }: Pick<ToBucketOptions, "now" | "signal" | "onWarning">,
): Promise<void> {
  try {
    const begun = await begunUploads(bucket, signal);
    const oldest = now() - STALE_MS;
    for (const [key, uploads] of begun ?? [])
      for (const { uploadId, begunAt } of uploads)
        if (done.has(key) || (begunAt !== null && begunAt < oldest)) await bucket.abort(key, uploadId, signal);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    onWarning?.(`the copy stands; uploads that were broken off before could not be tidied away: ${error.message}`);
  }
}

/** @returns the objects that are there whole, as far as can be told without reading them. */
async function present(bucket: Bucket, objects: readonly TravelObject[], signal: AbortSignal): Promise<ReadonlyMap<string, StoredObject>> {
  const there = new Map<string, StoredObject>();
  await eachOf(objects, 2 * AT_ONCE, async ({ key, size }) => {
    const found = await bucket.head(key, signal);
    if (found?.size === size) there.set(key, found);
  });
  return there;
}

/** Brings one object there and makes sure of it. @returns how. @throws Problem (exit 7) when it does not verify there. */
async function settle(
  sending: Sending,
  source: CheckpointSource,
  object: TravelObject,
  there: StoredObject | undefined,
  readBack: boolean,
): Promise<Proof> {
  const { bucket, signal } = sending;
  const vouched = there !== undefined && isVouchedFor(object, there);
  if (vouched && !readBack) return "checksum";
  if (there !== undefined && (await readsBack(bucket, object, signal))) return "read";
  // What does not read back was spoilt on its way; a second time is no accident.
  for (let again = 0; again < 2; again++) {
    const confirmed = await sendObject(sending, object.key, object.size, () =>
      checked(object.members, source.read(object.members, signal)),
    );
    if (confirmed && !readBack) return "checksum";
    if (await readsBack(bucket, object, signal)) return "read";
  }
  throw damagedProblem(
    `${bucketText(bucket.place)}: ${object.key} does not verify there: what the server gives back is not what was sent`,
    ["spot checkpoints copy --verify read"],
  );
}

function holds(manifest: Buffer, id: string): boolean {
  try {
    return parseManifest(manifest).id === id;
  } catch (error) {
    if (error instanceof ManifestDamage) return false;
    throw error;
  }
}

/** @throws Problem when another checkpoint lies there under this id. @returns whether this very one does. */
async function isListed(bucket: Bucket, source: CheckpointSource, signal: AbortSignal): Promise<boolean> {
  const { id } = source.manifest;
  const there = await fetchManifest(bucket, id, signal);
  if (there === null) return false;
  if (there.equals(source.manifestBytes)) return true;
  // What was spoilt on its way is nobody's checkpoint.
  if (!holds(there, id)) return false;
  throw new Problem({
    code: "SPOT_E_CONFLICT",
    message: `${bucketText(bucket.place)}: another checkpoint lies there under the id ${id}`,
    hint: "copy to another prefix",
    exit: EXIT.failed,
  });
}

async function list(bucket: Bucket, { manifest, manifestBytes }: CheckpointSource, signal: AbortSignal): Promise<void> {
  const sha256 = createHash("sha256").update(manifestBytes).digest("hex");
  for (let again = 0; again < 2; again++) {
    await bucket.put(manifestKey(manifest.id), manifestBytes, sha256, signal);
    const there = await fetchManifest(bucket, manifest.id, signal);
    if (there?.equals(manifestBytes) === true) return;
  }
  throw damagedProblem(`${bucketText(bucket.place)}: the manifest of ${manifest.id} does not read back as it was sent`);
}

/** @throws Problem (retryable) when something that the checkpoint needs was removed since `before`, or is about to be. */
async function requireUnpruned(
  bucket: Bucket,
  id: string,
  objects: readonly TravelObject[],
  before: PruningSeen | null,
  signal: AbortSignal,
): Promise<void> {
  const after = await seePruning(bucket, new Set(objects.map(({ key }) => key)), signal);
  if (after.last === before?.last) return;
  const isListed = (await bucket.head(manifestKey(id), signal)) !== null;
  if (isListed && (await present(bucket, objects, signal)).size === objects.length) return;
  const where = bucketText(bucket.place);
  throw new Problem({
    code: "SPOT_E_IN_USE",
    message: `${where}: contents of ${id} were removed there while it was copied`,
    exit: EXIT.failed,
    hint: "the next copy sends what is missing",
    next: [`spot checkpoints copy ${id} --to ${where}`],
    retryable: true,
  });
}

/** Lists no more what a pruning has met. @throws Problem (retryable) */
async function settlePruning(
  bucket: Bucket,
  { manifest: { id } }: CheckpointSource,
  objects: readonly TravelObject[],
  before: PruningSeen | null,
  signal: AbortSignal,
): Promise<void> {
  try {
    await requireUnpruned(bucket, id, objects, before, signal);
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "SPOT_E_IN_USE") throw error;
    try {
      await bucket.remove(manifestKey(id), signal);
    } catch (refused) {
      if (!(refused instanceof Problem)) throw refused;
      const { code, message, exit } = error;
      const hint = `its manifest could not be taken back (${refused.message}): until it is copied again it is listed and may not be whole`;
      throw new Problem({ code, message, exit, hint, next: error.next, retryable: true });
    }
    throw error;
  }
}

/**
 * Copies a sealed checkpoint into a bucket: what is there already stays, the rest is sent, everything is made sure of, and the
 * manifest comes last. Nothing of the source is changed.
 * @throws Problem: exit 7 when the source or the copy does not verify.
 */
export async function copyToBucket(source: CheckpointSource, bucket: Bucket, options: ToBucketOptions): Promise<Travelled> {
  const { signal, readBack, dryRun, partBytes = PART_BYTES } = options;
  const { objects, bytes } = planTravel(source.manifest);
  const needed = new Set(objects.map(({ key }) => key));
  const before = dryRun ? null : await seePruning(bucket, needed, signal);
  const listed = await isListed(bucket, source, signal);
  const there = await present(bucket, objects, signal);
  const presentBytes = objects.reduce((sum, { key, size }) => sum + (there.has(key) ? size : 0), 0);
  options.onPlan?.({ bytes, presentBytes, objects: objects.length });
  const travelled = { bytes, objects: objects.length, presentBytes };
  if (dryRun) return { ...travelled, movedBytes: 0, proof: null };
  let movedBytes = 0;
  const onSent = (sent: number) => {
    movedBytes += sent;
    options.onMoved?.(sent);
  };
  const large = objects.some(({ key, size }) => size > partBytes && !there.has(key));
  const begun = large ? await uploadsToGoOn(bucket, signal) : null;
  const sending: Sending = { bucket, budget: byteBudget(HELD_BYTES), begun, partBytes, signal, onSent };
  const proofs = new Set<Proof>();
  try {
    await eachOf(objects, AT_ONCE, async (object) => {
      signal.throwIfAborted();
      proofs.add(await settle(sending, source, object, there.get(object.key), readBack));
    });
  } catch (error) {
    if (error instanceof ContentDamage)
      throw damagedProblem(`the checkpoint ${source.manifest.id} does not verify where it is: ${error.message}`);
    throw error;
  }
  if (!listed) await list(bucket, source, signal);
  await settlePruning(bucket, source, objects, before, signal);
  const stands: Travelled = { ...travelled, movedBytes, proof: proofs.has("checksum") ? "checksum" : "read" };
  await options.onStanding?.(stands);
  await abortStale(bucket, needed, options);
  return stands;
}
