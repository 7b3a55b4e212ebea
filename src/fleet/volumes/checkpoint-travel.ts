import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { checkpointFolder } from "../../checkpoints/catalogue.ts";
import { manifestTotals } from "../../checkpoints/manifest.ts";
import { sealedBytes } from "../../checkpoints/prune.ts";
import { type Arrival, copyToArrival } from "../../checkpoints/travel/arrival.ts";
import { bucketSource } from "../../checkpoints/travel/bucket-source.ts";
import { folderArrival } from "../../checkpoints/travel/folder-arrival.ts";
import { type CheckpointSource, damagedProblem, folderSource } from "../../checkpoints/travel/source.ts";
import { copyToBucket, type Proof, type Travelled, type TravelProgress } from "../../checkpoints/travel/to-bucket.ts";
import { wayIn } from "../../guest/ssh-access.ts";
import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import type { World } from "../../platform/world.ts";
import { type Bucket, type BucketPlace, bucketText } from "../../providers/bucket.ts";
import { openBucket } from "../../providers/open-bucket.ts";
import type { Reach } from "../../providers/provider.ts";
import type { BucketCopy, VolumeRecord } from "../../state/records.ts";
import type { Fleet } from "../fleet.ts";
import { whileHolding } from "../leases/lease.ts";
import { checkpointPlace } from "./checkpoint-place.ts";
import { whileReading } from "./checkpoint-reading.ts";
import { syncCheckpoints } from "./checkpoint-sync.ts";
import { machineArrival, machineSource } from "./machine-travel.ts";

/** What our records say of a copy in a bucket: it is taken from that server only, and only as it was copied there. */
export type KnownCopy = Pick<BucketCopy, "endpoint" | "sha256">;

/** Where a checkpoint lies, or is to lie. `folder`: any folder of this machine, in which it gets one of its own. */
export type TravelEnd =
  /** `through`: the machine that has it, where it is known. */
  | { readonly kind: "volume"; readonly volume: VolumeRecord; readonly through?: Reach }
  | { readonly kind: "bucket"; readonly place: BucketPlace; readonly known?: KnownCopy }
  | { readonly kind: "folder"; readonly path: string };

export interface TravelMeans {
  readonly fleet: Fleet;
  readonly world: Pick<World, "env" | "home" | "clock" | "rng" | "packageRoot">;
}

export interface TravelOptions extends TravelProgress {
  readonly signal: AbortSignal;
  /** Of a bucket: everything is read back, whatever the server confirmed. */
  readonly readBack?: boolean;
  /** Says what would be moved and moves nothing. */
  readonly dryRun?: boolean;
  /** At a volume: all has arrived there, and is about to be verified and to get its name. */
  onArrived?(): Promise<void>;
}

/** A copy that stands and was verified at the far end; `proof` is null after a dry run. */
export interface TravelReport extends Travelled {
  readonly id: string;
  readonly instance: string;
  readonly step: string | null;
  readonly files: number;
  readonly from: string;
  readonly to: string;
}

export function endText(end: TravelEnd): string {
  return end.kind === "volume" ? end.volume.name : end.kind === "bucket" ? bucketText(end.place) : end.path;
}

async function withBucket<Result>({ world }: TravelMeans, place: BucketPlace, work: (bucket: Bucket) => Promise<Result>): Promise<Result> {
  const bucket = await openBucket(world, place);
  try {
    return await work(bucket);
  } finally {
    await bucket.close();
  }
}

const manifestHash = ({ manifestBytes }: CheckpointSource) => createHash("sha256").update(manifestBytes).digest("hex");

/** @throws Problem when it is another server's, exit 7 when what lies there is not what was copied there. */
async function inBucket(
  bucket: Bucket,
  { known }: Extract<TravelEnd, { kind: "bucket" }>,
  id: string,
  signal: AbortSignal,
): Promise<CheckpointSource> {
  const where = bucketText(bucket.place);
  if (known !== undefined && known.endpoint !== bucket.endpoint)
    throw new Problem({
      code: "SPOT_E_UNREADABLE",
      message: `${id} was copied to ${where} at ${serverText(known.endpoint)}, and the server that is set is ${serverText(bucket.endpoint)}`,
      exit: EXIT.failed,
      hint: "AWS_ENDPOINT_URL_S3 says which server it is",
    });
  const source = await bucketSource(bucket, id, signal);
  if (known === undefined || manifestHash(source) === known.sha256) return source;
  throw damagedProblem(`${where}: what lies there as ${id} is not what was copied there: its manifest is another one`);
}

export const serverText = (endpoint: string) => (endpoint === "" ? "AWS" : endpoint);

/** Opens the checkpoint at one end, and keeps it from being pruned for as long as `work` takes. */
async function withSource<Result>(
  means: TravelMeans,
  from: TravelEnd,
  id: string,
  signal: AbortSignal,
  work: (source: CheckpointSource, signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const { fleet, world } = means;
  if (from.kind === "bucket")
    return withBucket(means, from.place, async (bucket) => work(await inBucket(bucket, from, id, signal), signal));
  if (from.kind === "folder") return work(await folderSource(join(from.path, id)), signal);
  return whileReading(fleet, { id, volume: from.volume.name }, "copied", signal, async (until) => {
    const place = await checkpointPlace(fleet, from.volume, until);
    if (place.kind === "machine") return work(await machineSource(place.reach, id, wayIn(world), until), until);
    return work(await folderSource(checkpointFolder(place.path, id)), until);
  });
}

/** @throws Problem when the volume has not the room for what is still to come. */
async function requireRoom(volume: VolumeRecord, path: string, missing: number, signal: AbortSignal): Promise<void> {
  const taken = await sealedBytes(path, signal);
  if (taken + missing <= volume.sizeGb * 1e9) return;
  throw new Problem({
    code: "SPOT_E_NO_SPACE",
    message: `volume ${volume.name} has ${volume.sizeGb} GB, its checkpoints take ${taken} bytes, and ${missing} more are to come`,
    exit: EXIT.failed,
    next: ["spot checkpoints prune --dry-run"],
  });
}

/** Nothing is made there for a look: what an earlier try has brought to a machine is not counted then. */
async function lookAt({ fleet }: TravelMeans, { manifest }: CheckpointSource, reach: Reach, signal: AbortSignal): Promise<Arrival> {
  const sealed = await fleet.guest.sealed(reach, signal);
  const nothing = () => Promise.resolve();
  return { isSealed: sealed.some(({ id }) => id === manifest.id), present: new Set(), take: nothing, seal: nothing };
}

async function arrivalAt(
  means: TravelMeans,
  to: Exclude<TravelEnd, { kind: "bucket" }>,
  source: CheckpointSource,
  dryRun: boolean,
  signal: AbortSignal,
): Promise<Arrival> {
  if (to.kind === "folder") return folderArrival(to.path, source, dryRun, signal);
  const place =
    to.through === undefined ? await checkpointPlace(means.fleet, to.volume, signal) : { kind: "machine" as const, reach: to.through };
  if (place.kind === "machine")
    return dryRun ? lookAt(means, source, place.reach, signal) : machineArrival(place.reach, source, wayIn(means.world), signal);
  const arrival = await folderArrival(dirname(checkpointFolder(place.path, source.manifest.id)), source, dryRun, signal);
  const missing = source.manifest.entries.filter((entry) => entry.kind === "file" && !arrival.present.has(entry.path));
  if (!arrival.isSealed) await requireRoom(to.volume, place.path, manifestTotals(missing).bytes, signal);
  return arrival;
}

async function carry(
  means: TravelMeans,
  source: CheckpointSource,
  to: TravelEnd,
  { dryRun = false, readBack = false, onArrived, ...progress }: TravelOptions,
  signal: AbortSignal,
): Promise<Travelled> {
  if (to.kind !== "bucket") {
    const arrival = await arrivalAt(means, to, source, dryRun, signal);
    if (arrival.isSealed) await onArrived?.();
    const seal = async () => {
      await onArrived?.();
      await arrival.seal();
    };
    return copyToArrival(source, { ...arrival, seal }, { ...progress, signal, dryRun });
  }
  return withBucket(means, to.place, async (bucket) => {
    const now = () => means.fleet.clock.now();
    const onStanding = async ({ proof }: Travelled) => {
      if (proof !== null) await means.fleet.state.commit({ bucketCopies: [copyIn(bucket, source, proof, now())] });
    };
    return copyToBucket(source, bucket, { ...progress, signal, readBack, dryRun, now, onStanding });
  });
}

function copyIn(bucket: Bucket, source: CheckpointSource, proof: Proof, at: number): BucketCopy {
  const { manifest } = source;
  return {
    checkpoint: manifest.id,
    place: bucketText(bucket.place),
    endpoint: bucket.endpoint,
    instance: manifest.instance,
    sha256: manifestHash(source),
    bytes: manifestTotals(manifest.entries).bytes,
    sealedAt: manifest.created * 1000,
    verifiedAt: at,
    proof,
  };
}

/** The catalogue has it, and knows that it was verified. */
async function record({ fleet }: TravelMeans, report: TravelReport, to: TravelEnd, signal: AbortSignal): Promise<void> {
  const at = fleet.clock.now();
  // It may have got another name when the checkpoint arrived.
  const [volume] = to.kind === "volume" ? await fleet.state.volumes({ ids: [to.volume.id] }) : [];
  const through = to.kind === "volume" ? to.through : undefined;
  const sealed = volume === undefined ? null : await syncCheckpoints(fleet, volume, signal, through);
  const { id: checkpoint, instance, from, bytes, movedBytes, proof } = report;
  await fleet.state.commit({
    checkpoints: (sealed ?? []).filter(({ id }) => id === checkpoint).map((arrived) => ({ ...arrived, verifiedAt: at })),
    events: [
      {
        at,
        type: "action",
        instance,
        provider: to.kind === "volume" ? to.volume.provider : null,
        data: { action: "checkpoint-copied", checkpoint, from, to: endText(to), bytes, movedBytes, proof },
      },
    ],
  });
}

/**
 * Copies a sealed checkpoint from one end to the other; its id stays the same. What is at the far end already, also of a copy
 * that was broken off, is not sent again. It is listed there when all of it was verified there, and not before.
 * @throws Problem: exit 7 when it does not verify at either end, 9 when it is not there, 4 without the right to a bucket.
 */
export async function copyCheckpoint(
  means: TravelMeans,
  order: { readonly id: string; readonly from: TravelEnd; readonly to: TravelEnd },
  options: TravelOptions,
): Promise<TravelReport> {
  const { fleet } = means;
  const { id, from, to } = order;
  const copied = await whileHolding(fleet, `copy:${id}:${endText(to)}`, options.signal, (held) =>
    withSource({ ...means, fleet: held.fleet }, from, id, held.signal, async (source, signal) => {
      const travelled = await carry({ ...means, fleet: held.fleet }, source, to, options, signal);
      const { instance, step, entries } = source.manifest;
      const report = { ...travelled, id, instance, step, files: manifestTotals(entries).files, from: endText(from), to: endText(to) };
      if (travelled.proof !== null) await record({ ...means, fleet: held.fleet }, report, to, signal);
      return report;
    }),
  );
  if (copied !== undefined) return copied;
  throw new Problem({
    code: "SPOT_E_BUSY",
    message: `${id} is being copied to ${endText(to)} by another command`,
    exit: EXIT.failed,
    retryable: true,
  });
}
