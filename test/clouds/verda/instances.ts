import type { FakeAnswer } from "../fake-server.ts";
import { idAnswer, invalid, notFound, objectBody, Refusal, requiredText, tagsOf, textList } from "./answers.ts";
import { CATALOGUE, IMAGES, LOCATIONS } from "./catalogue.ts";
import { beginBill, volumePricePerHour } from "./ledger.ts";
import { type Call, type FakeInstance, type FakeVolume, POLICIES, type Policy, stockKey, timeText, type VerdaState } from "./state.ts";

type Body = Readonly<Record<string, unknown>>;

const CONTRACTS = ["LONG_TERM", "PAY_AS_YOU_GO", "SPOT"];
const PRICINGS = ["DYNAMIC_PRICE", "FIXED_PRICE"];
const HOSTNAME = /^[a-zA-Z0-9]([a-zA-Z0-9-]{0,58}[a-zA-Z0-9])?$/;
const FIELDS = new Set([
  "instance_type",
  "image",
  "hostname",
  "description",
  "location_code",
  "ssh_key_ids",
  "is_spot",
  "contract",
  "pricing",
  "startup_script_id",
  "os_volume",
  "volumes",
  "existing_volumes",
  "coupon",
  "tags",
]); // prettier-ignore

export const invalidId = (state: VerdaState) =>
  new Refusal(
    state.switches.invalidIdStatus,
    state.switches.invalidIdStatus === 404 ? "not_found" : "invalid_request",
    "Invalid instance id",
  );

function wireInstance(state: VerdaState, instance: FakeInstance) {
  const row = CATALOGUE.find(({ type }) => type === instance.type);
  const volumes = [...state.volumes.values()].filter(({ instanceId }) => instanceId === instance.id);
  const price = (instance.isSpot ? row?.spotPrice : row?.price) ?? "0";
  return {
    id: instance.id,
    ip: instance.ip,
    status: state.switches.statusWord ?? instance.status,
    created_at: timeText(state, instance.createdAt),
    cpu: { description: `${row?.cores} CPU`, number_of_cores: row?.cores },
    gpu: { description: row?.gpu, number_of_gpus: row?.gpus },
    gpu_memory: { description: `${row?.gpuMemoryGb}GB GPU RAM`, size_in_gigabytes: row?.gpuMemoryGb },
    memory: { description: `${row?.memoryGb}GB RAM`, size_in_gigabytes: row?.memoryGb },
    storage: { description: "50GB NVME" },
    hostname: instance.hostname,
    description: instance.description,
    location: instance.location,
    price_per_hour: instance.id.endsWith("1") ? Number(price) : price,
    is_spot: instance.isSpot,
    instance_type: instance.type,
    image: instance.image,
    os_name: instance.image,
    startup_script_id: instance.startupScriptId,
    ssh_key_ids: instance.sshKeyIds,
    os_volume_id: instance.ip === null ? null : instance.osVolumeId,
    jupyter_token: "",
    contract: instance.contract,
    pricing: "FIXED_PRICE",
    volume_ids: volumes.map(({ id }) => id),
    tags: instance.tags,
  };
}

export function listInstances({ state, request }: Call): FakeAnswer {
  const status = request.query.get("status");
  const tag = request.query.get("tag")?.split("=");
  const found = [...state.instances.values()].filter(
    (instance) =>
      (status === null ? instance.status !== "discontinued" : instance.status === status) &&
      (tag === undefined || instance.tags.some(({ key, value }) => key === tag[0] && (tag[1] === undefined || value === tag[1]))),
  );
  return { status: 200, body: found.map((instance) => wireInstance(state, instance)) };
}

export function getInstance({ state, rest: [id = ""] }: Call): FakeAnswer {
  const instance = state.instances.get(id);
  if (instance === undefined) throw invalidId(state);
  return { status: 200, body: wireInstance(state, instance) };
}

function policyOf(value: unknown, isSpot: boolean): Policy {
  if (value === undefined) return "keep_detached";
  if (!isSpot) throw invalid("on_spot_discontinue is allowed for spot instances only");
  const policy = POLICIES.find((one) => one === value);
  if (policy === undefined) throw invalid("on_spot_discontinue is not valid");
  return policy;
}

export function addVolume(
  state: VerdaState,
  volume: Omit<FakeVolume, "id" | "deletedAt" | "permanentlyDeleted" | "target" | "status">,
): FakeVolume {
  const made = {
    ...volume,
    id: state.nextId(),
    deletedAt: null,
    permanentlyDeleted: false,
    target: null,
    status: volume.instanceId === null ? "detached" : "attaching",
  };
  state.volumes.set(made.id, made);
  beginBill(state, { resourceId: made.id, kind: "volume", pricePerHour: volumePricePerHour(made.type, made.size) }, made.createdAt);
  return made;
}

/** A volume that can be given to a new instance there. */
function freeVolume(state: VerdaState, id: string, location: string): FakeVolume {
  const volume = state.volumes.get(id);
  if (volume === undefined || volume.deletedAt !== null) throw invalid(`Invalid volume id ${id}`);
  if (volume.instanceId !== null) throw invalid(`Volume ${id} is already attached to an instance`);
  if (volume.location !== location) throw invalid(`Volume ${id} is in another location`);
  return volume;
}

function osVolume(state: VerdaState, body: Body, instanceId: string, at: number, isSpot: boolean): FakeVolume {
  const image = requiredText(body, "image");
  const location = requiredText(body, "location_code");
  if (state.volumes.get(image)?.isOs === true) {
    const volume = freeVolume(state, image, location);
    volume.instanceId = instanceId;
    volume.status = "attaching";
    return volume;
  }
  const found = IMAGES.find((one) => one.image_type === image || one.id === image);
  if (found === undefined || found.is_cluster) throw invalid("Operating system is not valid for this instance type");
  const given = body["os_volume"] === undefined ? { name: "OS", size: 50 } : objectBody(body["os_volume"]);
  const { name, size, on_spot_discontinue } = given as Body;
  if (typeof name !== "string" || name === "" || typeof size !== "number" || size < 1) throw invalid("os_volume needs a name and a size");
  return addVolume(state, {
    name,
    size,
    type: "NVMe",
    location,
    isOs: true,
    createdAt: at,
    policy: policyOf(on_spot_discontinue, isSpot),
    tags: [],
    instanceId,
  });
}

function requireFields(state: VerdaState, body: Body): void {
  for (const field of Object.keys(body)) if (!FIELDS.has(field)) throw invalid(`${field} should not exist`);
  for (const field of ["instance_type", "image", "hostname", "description", "location_code"]) requiredText(body, field);
  if (!HOSTNAME.test(requiredText(body, "hostname"))) throw invalid("hostname is not valid");
  if (!CATALOGUE.some(({ type }) => type === body["instance_type"])) throw invalid("Invalid instance type");
  if (!LOCATIONS.some(({ code }) => code === body["location_code"])) throw invalid("Invalid location code");
  if (!Array.isArray(body["ssh_key_ids"])) throw invalid("ssh_key_ids must be an array");
  for (const id of textList(body["ssh_key_ids"], "ssh_key_ids")) if (!state.sshKeys.has(id)) throw invalid("Invalid SSH key id");
  if (!["boolean", "undefined"].includes(typeof body["is_spot"])) throw invalid("is_spot must be a boolean");
  const { contract, pricing, startup_script_id: script } = body;
  if (contract !== undefined && !CONTRACTS.includes(String(contract))) throw invalid("contract is not valid");
  if (pricing !== undefined && !PRICINGS.includes(String(pricing))) throw invalid("pricing is not valid");
  if ((contract === "SPOT") !== (body["is_spot"] === true)) throw invalid("contract SPOT and is_spot belong together");
  if (script !== undefined && script !== null && !state.scripts.has(String(script))) throw invalid("Invalid startup script id");
}

/** POST /instances. Two instances may have the same hostname, and nothing is idempotent. */
export function createInstance({ state, request }: Call): FakeAnswer {
  const body = objectBody(request.json());
  requireFields(state, body);
  const type = requiredText(body, "instance_type");
  const location = requiredText(body, "location_code");
  const isSpot = body["is_spot"] === true;
  const tags = tagsOf(state, body["tags"]);
  const existing = textList(body["existing_volumes"], "existing_volumes").map((id) => freeVolume(state, id, location));
  const place = stockKey(type, location, isSpot);
  const left = state.stock.get(place) ?? 0;
  if (left < 1) throw new Refusal(503, "service_unavailable", "No capacity available");
  const at = state.clock.now();
  const id = state.nextId();
  const os = osVolume(state, body, id, at, isSpot);
  for (const volume of existing) {
    volume.instanceId = id;
    volume.status = "attaching";
  }
  state.stock.set(place, left - 1);
  state.instances.set(id, {
    id,
    type,
    location,
    hostname: requiredText(body, "hostname"),
    description: requiredText(body, "description"),
    image: requiredText(body, "image"),
    isSpot,
    contract: isSpot ? "SPOT" : "PAY_AS_YOU_GO",
    sshKeyIds: textList(body["ssh_key_ids"], "ssh_key_ids"),
    startupScriptId: typeof body["startup_script_id"] === "string" ? body["startup_script_id"] : null,
    createdAt: at,
    osVolumeId: os.id,
    tags,
    status: "ordered",
    since: at,
    held: state.switches.holdAt,
    comesToNothing: state.switches.noCapacityLater !== "never",
    fate: { doomed: null, permanently: false },
    ip: null,
  });
  return idAnswer(state, 202, id);
}

/** POST and DELETE of tags, for instances and volumes alike. */
export function addTag(owner: { tags: Tag[] } | undefined, { state, request }: Call): FakeAnswer {
  if (owner === undefined) throw notFound("no such resource");
  const [tag] = tagsOf(state, [request.json()]);
  if (tag === undefined) throw invalid("key is required");
  if (owner.tags.some(({ key }) => key === tag.key)) throw new Refusal(409, "conflict", "a tag with this key already exists");
  owner.tags = [...owner.tags, tag];
  return { status: 201, body: tag };
}

type Tag = FakeInstance["tags"][number];
