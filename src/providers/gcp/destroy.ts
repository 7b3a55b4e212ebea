import { isFault, ProviderError } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import type { Api } from "./api.ts";
import { PROVIDER } from "./codes.ts";
import { deletionId } from "./deletion.ts";
import { preparing } from "./firewall.ts";
import type { Machines } from "./machines.ts";
import { placed } from "./names.ts";

/**
 * Deletes a machine and the disk that it boots from; stopped ones, too, whose disk goes on costing money. `gone` only when
 * Compute Engine itself has no such machine and none on its way.
 */
export async function destroyInstance(
  api: Api,
  machines: Machines,
  providerId: string,
  context: CallContext,
): Promise<"accepted" | "gone"> {
  const at = placed(providerId);
  if (at === null) return "gone";
  const path = `zones/${at.zone}/instances/${at.name}`;
  try {
    await api.change({ method: "DELETE", path, query: { requestId: deletionId(api, path) } }, context);
    machines.noteEnd(providerId);
    return "accepted";
  } catch (error) {
    // It is being made, or stopped, or deleted already: it will pass.
    if (isFault(error, "conflict")) {
      const still = await preparing(() => machines.look(at.zone, at.name, context));
      if (still.kind === "here") throw new ProviderError(PROVIDER, { kind: "unavailable" }, error.message, error.rawCode, error);
      if (still.kind === "coming") throw comingStill(providerId, error);
      machines.noteEnd(providerId);
      return "gone";
    }
    if (!isFault(error, "not-found")) throw error;
    const still = await preparing(() => machines.look(at.zone, at.name, context));
    if (still.kind === "coming") throw comingStill(providerId, error);
    if (still.kind === "here")
      throw new ProviderError(PROVIDER, { kind: "unavailable" }, `machine ${providerId} was denied and is there`, error.rawCode, error);
    machines.noteEnd(providerId);
    return "gone";
  }
}

function comingStill(providerId: string, cause: ProviderError): ProviderError {
  return new ProviderError(PROVIDER, { kind: "unavailable" }, `machine ${providerId} is still being made`, cause.rawCode, cause);
}
