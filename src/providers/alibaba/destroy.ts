import { isFault, ProviderError } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import type { Ecs } from "./client.ts";
import { PROVIDER } from "./codes.ts";
import type { Machines } from "./machines.ts";
import type { Place } from "./place.ts";
import { doneSchema } from "./wire.ts";

const unavailable = (message: string, error: ProviderError) =>
  new ProviderError(PROVIDER, { kind: "unavailable" }, message, error.rawCode, error);

/**
 * Releases a machine, a running one too (`Force`), after a shutdown of its own: that writes what is left in its memory to the
 * data disks, which stay (`DeleteWithInstance` is false from their attachment on). `gone` only when it is not listed.
 */
export async function destroyInstance(ecs: Ecs, machines: Machines, place: Place, context: CallContext): Promise<"accepted" | "gone"> {
  const { region, id } = place;
  const found = await machines.get(place, context);
  if (found === undefined || found.state === "gone") return "gone";
  const parameters = { RegionId: region, InstanceId: [id], Force: true, ForceStop: false };
  try {
    await ecs.change({ region, action: "DeleteInstances", parameters, answer: doneSchema }, context);
  } catch (error) {
    if (isFault(error, "not-found")) {
      // What was ordered a moment ago may be on its way, although nobody lists it yet.
      const now = await machines.get(place, context);
      if (now === undefined || now.state === "gone") return "gone";
      throw unavailable(`machine ${id} was denied and is there, or on its way`, error);
    }
    // It is being made, stopped or released just now: that will pass. What a lock forbids will not by itself.
    if (isFault(error, "conflict") && !/Locked/.test(error.rawCode ?? "")) throw unavailable(error.message, error);
    throw error;
  }
  machines.rememberEnd(place);
  return "accepted";
}
