import { basename, dirname, resolve } from "node:path";
import type { Fleet } from "../../fleet/fleet.ts";
import type { TravelEnd } from "../../fleet/volumes/checkpoint-travel.ts";
import { volumeNamed } from "../../fleet/volumes/volumes.ts";
import { EXIT } from "../../model/exit-codes.ts";
import { notFoundProblem, Problem, usageProblem } from "../../model/problem.ts";
import { isBucketUrl, parseBucketUrl } from "../../providers/bucket.ts";
import type { CommandContext } from "../command.ts";

const CHECKPOINT_ID = /^c-[0-9A-Za-z-]{1,64}$/;

export interface Wanted {
  readonly id: string;
  readonly from: TravelEnd;
}

/** Whether a word is a path: names of volumes and instances have no slash. */
const isPath = (text: string) => text.includes("/") || text === "." || text === "..";

/** A checkpoint's own place: `s3://BUCKET/PREFIX/ID`. @throws Problem (usage) */
export function parseCheckpointUrl(text: string): Wanted {
  const { bucket, prefix } = parseBucketUrl(text);
  const parts = prefix.split("/");
  const id = parts.pop() ?? "";
  if (!CHECKPOINT_ID.test(id))
    throw usageProblem(`${text} names no checkpoint`, `as in ${text.replace(/\/$/, "")}/ID`, [`spot checkpoints ls ${text}`]);
  return { id, from: { kind: "bucket", place: { bucket, prefix: parts.join("/") } } };
}

async function inCatalogue(context: CommandContext, fleet: Fleet, wanted: string): Promise<Wanted> {
  const volumes = await fleet.state.volumes();
  const onVolume = context.options["from"];
  const all = (await fleet.state.checkpoints()).filter(
    ({ volume }) => volumes.some(({ name }) => name === volume) && (typeof onVolume !== "string" || volume === onVolume),
  );
  const checkpoint = all.find(({ id }) => id === wanted) ?? all.find(({ instance }) => instance === wanted);
  const volume = volumes.find(({ name }) => name === checkpoint?.volume);
  if (checkpoint === undefined || volume === undefined) throw notFoundProblem("checkpoint or instance", wanted, ["spot checkpoints ls"]);
  return { id: checkpoint.id, from: { kind: "volume", volume } };
}

/** What is to be copied: an id, an instance for its newest one, a bucket's URL, or a checkpoint's folder here. */
export async function wantedCheckpoint(context: CommandContext, fleet: Fleet, text: string): Promise<Wanted> {
  if (isBucketUrl(text)) return parseCheckpointUrl(text);
  if (!isPath(text)) return inCatalogue(context, fleet, text);
  const path = resolve(context.world.cwd, text);
  if (!CHECKPOINT_ID.test(basename(path))) throw usageProblem(`${text} is no checkpoint's folder`, "its name is the checkpoint's id");
  return { id: basename(path), from: { kind: "folder", path: dirname(path) } };
}

/** Where it is to go: a bucket, a volume, an instance for the volume it has, or a folder here. */
export async function targetEnd(context: CommandContext, fleet: Fleet, text: string): Promise<TravelEnd> {
  if (text === "") throw usageProblem("--to: a place is missing");
  if (isBucketUrl(text)) return { kind: "bucket", place: parseBucketUrl(text) };
  if (isPath(text)) return { kind: "folder", path: resolve(context.world.cwd, text) };
  const volume = await volumeNamed(fleet, text);
  if (volume !== undefined) return { kind: "volume", volume };
  const record = await fleet.state.instanceByName(text);
  const [own] = record === undefined || record.state === "gone" ? [] : record.volumes;
  const [of] = own === undefined ? [] : await fleet.state.volumes({ ids: [own.id] });
  if (of !== undefined) return { kind: "volume", volume: of };
  throw new Problem({
    code: "SPOT_E_NOT_FOUND",
    message: record === undefined ? `no volume or instance named ${JSON.stringify(text)}` : `${text} has no volume`,
    exit: EXIT.notFound,
    hint: "a folder here is written ./NAME, a bucket s3://BUCKET/PREFIX",
    next: ["spot volumes ls"],
  });
}
