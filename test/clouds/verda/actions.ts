import type { FakeAnswer } from "../fake-server.ts";
import { invalid, objectBody, Refusal, textList } from "./answers.ts";
import { invalidId } from "./instances.ts";
import { volumesOf } from "./lifecycle.ts";
import type { Call, FakeInstance, Fate, VerdaState } from "./state.ts";

type Body = Readonly<Record<string, unknown>>;

/** `volume_ids`: omitted or null deletes the OS volume; `[]` keeps everything; ids delete those. */
function fateOf(state: VerdaState, body: Body, instance: FakeInstance): Fate {
  const { volume_ids: given, delete_permanently: permanently = false } = body;
  if (typeof permanently !== "boolean") throw invalid("delete_permanently must be a boolean");
  if (given === undefined || given === null) {
    if (permanently) throw invalid("delete_permanently needs volume_ids");
    return { doomed: null, permanently: false };
  }
  const doomed = textList(given, "volume_ids");
  const own = volumesOf(state, instance).map(({ id }) => id);
  if (doomed.some((id) => !own.includes(id))) throw invalid("Invalid volume id");
  return { doomed, permanently };
}

/** @returns false when there is nothing to do. */
function act(state: VerdaState, action: string, body: Body, id: string): boolean {
  const instance = state.instances.get(id);
  if (instance === undefined) throw invalidId(state);
  const move = (to: string) => {
    instance.status = to;
    instance.since = state.clock.now();
    return true;
  };
  switch (action) {
    case "delete":
    case "discontinue":
      if (instance.status === "discontinued") throw invalid("Can't discontinue a discontinued instance");
      if (instance.status === "provisioning") throw invalid("Can't discontinue a provisioning instance");
      if (instance.status === "no_capacity" && !state.switches.deletesNoCapacity) throw invalid("Can't discontinue a no_capacity instance");
      if (instance.status === "deleting") return false;
      instance.fate = fateOf(state, body, instance);
      // What never came to be has no place and no volumes to give back.
      return move(instance.status === "no_capacity" ? "discontinued" : "deleting");
    case "shutdown":
    case "force_shutdown":
      if (instance.status === "offline") return false;
      if (instance.status !== "running") throw invalid(`Can't shut down an instance that is ${instance.status}`);
      return move("stopping");
    case "start":
      if (instance.status === "running") return false;
      if (instance.status !== "offline") throw invalid(`Can't start an instance that is ${instance.status}`);
      return move("starting");
    case "hibernate":
      throw new Refusal(403, "forbidden_action", "Hibernation is not available");
    default:
      throw invalid("Invalid action");
  }
}

/** PUT /instances: 202 when all succeeded, 207 when some did, 204 when there was nothing to do. */
export function actOnInstances({ state, request }: Call): FakeAnswer {
  const body = objectBody(request.json());
  const { action, id } = body;
  if (typeof action !== "string") throw invalid("action is required");
  const ids = typeof id === "string" ? [id] : textList(id, "id");
  if (ids.length === 0) throw invalid("id is required");
  let didSomething = false;
  const rows = ids.map((one) => {
    try {
      didSomething = act(state, action, body, one) || didSomething;
      return { action, instanceId: one, status: "success" };
    } catch (error) {
      if (!(error instanceof Refusal) || (ids.length === 1 && state.switches.oneFailure === "status")) throw error;
      return { action, instanceId: one, status: "error", error: error.message, statusCode: error.status };
    }
  });
  if (rows.some((row) => "error" in row)) return { status: 207, body: rows };
  return didSomething ? { status: 202, body: rows } : { status: 204 };
}
