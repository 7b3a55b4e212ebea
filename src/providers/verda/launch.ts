import { isFault, ProviderError } from "../errors.ts";
import type { CallContext, LaunchSpec, ProviderInstance } from "../provider.ts";
import { taggedName } from "../tagged-name.ts";
import { isSuccess, madeId, type VerdaClient } from "./client.ts";
import { findInstance, NAME_TAG, PORTS_TAG, TOKEN_TAG } from "./instances.ts";
import { imageOf, preparing, requireFree, sshKeyId } from "./preparation.ts";
import { deleteScript, keepScript } from "./scripts.ts";
import { NAME_LENGTH } from "./wire.ts";

/** The vendor CLI's default; there is no field for it in a launch of ours. */
const ROOT_GB = 50;
const MOST_TAGS = 10;
const LONGEST_VALUE = 127;
const LABEL_KEY = /^[a-z0-9][a-z0-9_.-]{0,62}$/;
const LABEL_VALUE = /^[A-Za-z0-9_.:@+ -]{0,127}$/;

/** Ours, then labels as far as there is room and the cloud takes them. Keys and values as the vendor's Go SDK limits them. */
function tagsOf({ token, name, ports, labels }: LaunchSpec) {
  const own = [
    { key: TOKEN_TAG, value: token },
    { key: NAME_TAG, value: name },
  ];
  const list = ports.map(({ port }) => port).join("-");
  if (list !== "" && list.length <= LONGEST_VALUE) own.push({ key: PORTS_TAG, value: list });
  const fitting = Object.entries(labels).filter(
    ([key, value]) => LABEL_KEY.test(key) && LABEL_VALUE.test(value) && ![TOKEN_TAG, NAME_TAG, PORTS_TAG].includes(key),
  );
  return [...own, ...fitting.slice(0, MOST_TAGS - own.length).map(([key, value]) => (value === "" ? { key } : { key, value }))];
}

function requireAllowed({ offer, maxPrice, registryAuth }: LaunchSpec): void {
  if (maxPrice !== null && (maxPrice.currency !== offer.price.currency || maxPrice.micros < offer.price.micros))
    throw new ProviderError("verda", { kind: "price-too-low" }, `${offer.type} costs more than the cap`);
  if (offer.billing === "monthly") throw new ProviderError("verda", { kind: "unsupported" }, "long-term contracts are not made by spot");
  if (registryAuth !== null)
    throw new ProviderError("verda", { kind: "unsupported" }, "Verda boots images of its own; it has no registry credentials");
}

interface Prepared {
  readonly sshKeyIds: readonly string[];
  readonly image: string;
  readonly scriptId: string;
}

async function prepare(client: VerdaClient, spec: LaunchSpec, context: CallContext): Promise<Prepared> {
  const location = spec.offer.region;
  const volumes = spec.volumes.map(({ providerVolumeId }) => providerVolumeId);
  for (const id of spec.rootVolumeId === null ? volumes : [spec.rootVolumeId, ...volumes]) await requireFree(client, id, location, context);
  const sshKeyIds = spec.sshKey === null ? [] : [await sshKeyId(client, spec.sshKey, context)];
  const image = await imageOf(client, spec, context);
  return { sshKeyIds, image, scriptId: await keepScript(client, spec, context) };
}

function createBody(spec: LaunchSpec, hostname: string, { sshKeyIds, image, scriptId }: Prepared) {
  const isSpot = spec.offer.billing === "spot";
  const osVolume = {
    name: taggedName(`${spec.name}-root`, spec.token, NAME_LENGTH),
    size: ROOT_GB,
    // Nobody would see it again after a reclaim, and it would cost money for ever: the work is on the data volume.
    ...(isSpot ? { on_spot_discontinue: "delete_permanently" } : {}),
  };
  return {
    instance_type: spec.offer.type,
    image,
    hostname,
    description: `${spec.name} (spot)`,
    location_code: spec.offer.region,
    ssh_key_ids: sshKeyIds,
    is_spot: isSpot,
    contract: isSpot ? "SPOT" : "PAY_AS_YOU_GO",
    pricing: "FIXED_PRICE",
    startup_script_id: scriptId,
    ...(spec.rootVolumeId === null ? { os_volume: osVolume } : {}),
    existing_volumes: spec.volumes.map(({ providerVolumeId }) => providerVolumeId),
    tags: tagsOf(spec),
  };
}

/** The machine as it is when its create was accepted; everything else is told by the next look at it. */
function accepted(spec: LaunchSpec, providerId: string): ProviderInstance {
  const { offer } = spec;
  return {
    providerId,
    name: spec.name,
    token: spec.token,
    state: "provisioning",
    rawState: "ordered",
    region: offer.region,
    zone: offer.zone,
    type: offer.type,
    gpu: offer.gpu,
    billing: offer.billing,
    price: offer.price,
    createdAt: null,
    protectedUntil: null,
    notice: null,
    reach: null,
    volumeIds: spec.volumes.map(({ providerVolumeId }) => providerVolumeId),
    reason: null,
    endedBy: null,
    canHibernate: false,
    dataKeptUntil: null,
    endpoints: [],
    rootVolumeId: spec.rootVolumeId,
  };
}

/** Prepares what a machine needs, and orders it once. */
export async function launchInstance(client: VerdaClient, spec: LaunchSpec, context: CallContext): Promise<ProviderInstance> {
  requireAllowed(spec);
  const prepared = await preparing(`preparing ${spec.name}`, () => prepare(client, spec, context));
  const body = createBody(spec, taggedName(spec.name, spec.token, NAME_LENGTH), prepared);
  const order = async () => {
    const answer = await client.send({ method: "POST", path: "/instances", body, effect: "change", signal: context.signal });
    return isSuccess(answer) ? answer : client.refuse(answer);
  };
  const answer = await order().catch(async (error: unknown) => {
    // As long as a machine may come of it, its script is needed.
    if (!isFault(error, "ambiguous", "protocol")) await deleteScript(client, prepared.scriptId, context);
    throw error;
  });
  const isThere = async (id: string) => (await findInstance(client, id, context).catch(() => undefined)) !== undefined;
  return accepted(spec, await madeId(answer, isThere));
}
