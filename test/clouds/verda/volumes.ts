import type { FakeAnswer } from "../fake-server.ts";
import { idAnswer, invalid, notFound, objectBody, requiredText, tagsOf, textList } from "./answers.ts";
import { LOCATIONS, VOLUME_TYPES } from "./catalogue.ts";
import { addVolume } from "./instances.ts";
import { volumePricePerHour } from "./ledger.ts";
import { deleteVolume } from "./lifecycle.ts";
import { type Call, type FakeVolume, timeText, type VerdaState } from "./state.ts";

function wireVolume(state: VerdaState, volume: FakeVolume) {
  const instance = volume.instanceId === null ? undefined : state.instances.get(volume.instanceId);
  return {
    id: volume.id,
    name: volume.name,
    size: volume.size,
    type: volume.type,
    status: volume.status,
    created_at: timeText(state, volume.createdAt),
    instance_id: volume.instanceId,
    instances: instance === undefined ? [] : [{ id: instance.id, ip: instance.ip, instance_type: instance.type, status: instance.status }],
    location: volume.location,
    contract: "PAY_AS_YOU_GO",
    is_os_volume: volume.isOs,
    target: volume.target,
    ssh_key_ids: [],
    base_hourly_cost: Number(volumePricePerHour(volume.type, volume.size)),
    monthly_price: Number(VOLUME_TYPES[volume.type] ?? "0") * volume.size,
    currency: "usd",
    long_term: null,
    tags: volume.tags,
    ...(volume.deletedAt === null
      ? {}
      : { deleted_at: timeText(state, volume.deletedAt), is_permanently_deleted: volume.permanentlyDeleted }),
  };
}

function living(state: VerdaState): readonly FakeVolume[] {
  return [...state.volumes.values()].filter(({ deletedAt }) => deletedAt === null);
}

export function listVolumes({ state, request }: Call): FakeAnswer {
  const status = request.query.get("status");
  return {
    status: 200,
    body: living(state)
      .filter((one) => status === null || one.status === status)
      .map((one) => wireVolume(state, one)),
  };
}

export function listTrash({ state }: Call): FakeAnswer {
  const trash = [...state.volumes.values()].filter(({ deletedAt, permanentlyDeleted }) => deletedAt !== null && !permanentlyDeleted);
  return { status: 200, body: trash.map((one) => wireVolume(state, one)) };
}

export function getVolume({ state, rest: [id = ""] }: Call): FakeAnswer {
  const volume = state.volumes.get(id);
  if (volume === undefined || volume.permanentlyDeleted) throw notFound("Volume not found");
  return { status: 200, body: wireVolume(state, volume) };
}

export function createVolume({ state, request }: Call): FakeAnswer {
  const body = objectBody(request.json());
  const type = requiredText(body, "type");
  const location = requiredText(body, "location_code");
  const { size, instance_id: instanceId, on_spot_discontinue: policy } = body;
  if (VOLUME_TYPES[type] === undefined) throw invalid("Invalid volume type");
  if (!LOCATIONS.some(({ code }) => code === location)) throw invalid("Invalid location code");
  if (typeof size !== "number" || !Number.isInteger(size) || size < 1) throw invalid("size must be a whole number");
  if (instanceId !== undefined) throw invalid("Attach needs an instance that is offline");
  if (policy !== undefined) throw invalid("on_spot_discontinue is allowed for spot instances only");
  const tags = tagsOf(state, body["tags"]);
  const volume = addVolume(state, {
    name: requiredText(body, "name"),
    size,
    type,
    location,
    isOs: false,
    createdAt: state.clock.now(),
    policy: "keep_detached",
    tags,
    instanceId: null,
  });
  return idAnswer(state, 202, volume.id);
}

/** Attaching, detaching and deleting need an instance that is offline; what is attached nowhere may be deleted always. */
function requireOffline(state: VerdaState, instanceId: unknown): void {
  const instance = typeof instanceId === "string" ? state.instances.get(instanceId) : undefined;
  if (instance === undefined) throw invalid("Invalid instance id");
  if (instance.status !== "offline") throw invalid("Volume is attached to an instance that is not shut down");
}

function removable(state: VerdaState, id: string): FakeVolume {
  const volume = state.volumes.get(id);
  if (volume === undefined || volume.permanentlyDeleted) throw notFound("Volume not found");
  if (volume.instanceId !== null) requireOffline(state, volume.instanceId);
  return volume;
}

/** DELETE /volumes/{id}: for good by `?force=true` or by a body, whichever the server knows. */
export function removeVolume({ state, request, rest: [id = ""] }: Call): FakeAnswer {
  const body = request.body === "" ? {} : objectBody(request.json());
  const { permanentBy } = state.switches;
  const permanently =
    (permanentBy === "delete-query" && request.query.get("force") === "true") ||
    (permanentBy === "delete-body" && body["is_permanent"] === true);
  deleteVolume(state, removable(state, id), state.clock.now(), permanently);
  return { status: 202 };
}

function change(state: VerdaState, id: string, body: Readonly<Record<string, unknown>>): string | null {
  const volume = removable(state, id);
  switch (body["action"]) {
    case "delete":
      deleteVolume(state, volume, state.clock.now(), state.switches.permanentBy === "put" && body["is_permanent"] === true);
      return null;
    case "attach":
      requireOffline(state, body["instance_id"]);
      volume.instanceId = String(body["instance_id"]);
      volume.status = "attached";
      return null;
    case "detach":
      volume.instanceId = null;
      volume.status = "detached";
      return null;
    case "rename":
      volume.name = requiredText(body, "name");
      return null;
    case "resize":
      if (typeof body["size"] !== "number" || body["size"] <= volume.size) throw invalid("a volume can only grow");
      volume.size = body["size"];
      return null;
    case "clone":
      return addVolume(state, { ...volume, name: requiredText(body, "name"), instanceId: null, createdAt: state.clock.now(), tags: [] }).id;
    default:
      throw invalid("Invalid action");
  }
}

export function changeVolumes({ state, request }: Call): FakeAnswer {
  const body = objectBody(request.json());
  const ids = typeof body["id"] === "string" ? [body["id"]] : textList(body["id"], "id");
  if (ids.length === 0) throw invalid("id is required");
  const made = ids.map((id) => change(state, id, body)).filter((id) => id !== null);
  return made.length === 0 ? { status: 202 } : { status: 202, body: made };
}
