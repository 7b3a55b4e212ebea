import type { InstanceRecord } from "../../state/records.ts";
import type { Fleet } from "../fleet.ts";
import { copiesInBuckets } from "../volumes/bucket-copies.ts";
import { serverText } from "../volumes/checkpoint-travel.ts";

/** No more than so many are named. */
const MOST = 3;

/** Where the work of an instance lies besides its volume, in words, and what fetches it from there. */
export interface OtherCopies {
  /** Null where there are none. */
  readonly said: string | null;
  readonly next: readonly string[];
}

/** As a shell takes it. */
const word = (text: string) => (/^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/**
 * The copies of its newest checkpoint in each place: buckets, and volumes that it had before, as far as the catalogue knows. For
 * whoever cannot wait for a machine: each is fetched into a folder without one, where this computer can read it.
 */
export async function otherCopies(
  fleet: Fleet,
  { name, spec, createdAt }: Pick<InstanceRecord, "name" | "spec" | "createdAt">,
): Promise<OtherCopies> {
  const inBuckets = (await copiesInBuckets(fleet.state, { name, spec, createdAt })).map(({ checkpoint, place, endpoint }) => ({
    where: `${place}${endpoint === "" ? "" : ` at ${serverText(endpoint)}`}`,
    checkpoint,
    next: `${endpoint === "" ? "" : `AWS_ENDPOINT_URL_S3=${word(endpoint)} `}spot checkpoints copy ${word(`${place}/${checkpoint}`)} --to ./${word(name)}`,
  }));
  const living = new Map((await fleet.state.volumes()).map((volume) => [volume.name, volume]));
  const elsewhere = (await fleet.state.checkpoints({ instance: name })).filter(({ volume }) => volume !== spec.volume?.name);
  const onVolumes = [];
  for (const { id, volume } of elsewhere) {
    const record = living.get(volume);
    if (record === undefined || record.providerId === null) continue;
    const isHere = (await fleet.provider(record.provider)).capabilities.machine.kind === "process";
    const next = isHere ? `spot checkpoints copy ${id} --from ${word(volume)} --to ./${word(name)}` : `spot checkpoints ls ${word(name)}`;
    onVolumes.push({ where: `volume ${volume} (${record.zone})`, checkpoint: id, next });
  }
  const places = new Map<string, (typeof inBuckets)[number]>();
  // Newest first, in buckets and on volumes alike.
  for (const one of [...inBuckets, ...onVolumes]) if (!places.has(one.where)) places.set(one.where, one);
  const found = [...places.values()].slice(0, MOST);
  if (found.length === 0) return { said: null, next: [] };
  const said = `its work lies in copies as well: ${found.map(({ where, checkpoint }) => `${checkpoint} in ${where}`).join(", ")}`;
  return { said, next: [...new Set(found.map(({ next }) => next))] };
}
