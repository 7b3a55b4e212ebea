import { isFault, ProviderError } from "../errors.ts";
import type { CallContext, LaunchSpec } from "../provider.ts";
import { isSuccess, madeId, type VerdaClient } from "./client.ts";
import { imageList, keyList, volumeSchema } from "./wire.ts";

/**
 * Whatever goes wrong while a launch is prepared: no machine was launched, so nothing about it is in doubt.
 * @throws ProviderError never `ambiguous` or `protocol`.
 */
export async function preparing<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!isFault(error, "ambiguous", "protocol")) throw error;
    throw new ProviderError("verda", { kind: "unavailable" }, `${what}: ${error.message}`, error.rawCode, error);
  }
}

/** The key itself, without the comment behind it. */
function keyBody(line: string): string {
  return line.trim().split(/\s+/).slice(0, 2).join(" ");
}

/** Verda's id of our public key: found, or made. It stays there for the next machine. */
export async function sshKeyId(client: VerdaClient, line: string, context: CallContext): Promise<string> {
  const keys = () => client.read(keyList, "/ssh-keys", context);
  const find = async () => (await keys()).find(({ key }) => keyBody(key) === keyBody(line))?.id;
  const found = await find();
  if (found !== undefined) return found;
  const name = `spot-${keyBody(line)
    .replaceAll(/[^A-Za-z0-9]/g, "")
    .slice(-12)}`;
  try {
    const answer = await client.send({
      method: "POST",
      path: "/ssh-keys",
      body: { name, key: line.trim() },
      effect: "change",
      signal: context.signal,
    });
    if (!isSuccess(answer)) client.refuse(answer);
    return await madeId(answer, async (id) => (await keys()).some((key) => key.id === id));
  } catch (error) {
    // Its answer was lost, or somebody else was faster.
    const after = isFault(error, "ambiguous", "protocol", "conflict", "invalid-request") ? await find() : undefined;
    if (after === undefined) throw error;
    return after;
  }
}

/** What to boot: a root volume that was kept, the image that was asked for, or what the cloud offers for this type. */
export async function imageOf(client: VerdaClient, spec: LaunchSpec, context: CallContext): Promise<string> {
  const wanted = spec.rootVolumeId ?? spec.image;
  if (wanted !== null) return wanted;
  const images = (await client.read(imageList, "/images", context, { instance_type: spec.offer.type })).filter((one) => !one.is_cluster);
  const chosen = images.find((one) => one.is_default) ?? images.find(({ name }) => /ubuntu.*cuda/i.test(name)) ?? images[0];
  if (chosen !== undefined) return chosen.image_type ?? chosen.id;
  throw new ProviderError("verda", { kind: "invalid-request" }, `there is no image for ${spec.offer.type}; name one`);
}

/**
 * The cloud's own words for a volume that cannot be had are not documented, so it is looked at first.
 * @throws ProviderError `conflict` while it is attached, `not-found`, or `invalid-request` when it is somewhere else.
 */
export async function requireFree(client: VerdaClient, volumeId: string, location: string, context: CallContext): Promise<void> {
  const volume = await client.read(volumeSchema, `/volumes/${encodeURIComponent(volumeId)}`, context);
  const fault = (kind: "conflict" | "not-found" | "invalid-request", why: string) =>
    new ProviderError("verda", { kind }, `volume ${volumeId} ${why}`);
  if (volume.instance_id !== null || volume.instances.length > 0) throw fault("conflict", "is attached to another instance");
  if (["deleted", "deleting"].includes(volume.status)) throw fault("not-found", "is deleted");
  if (volume.location !== location) throw fault("invalid-request", `is in ${volume.location}, not in ${location}`);
}
