import { isFault, ProviderError } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import type { Api } from "./api.ts";
import { operationFault, PROVIDER } from "./codes.ts";
import { preparing } from "./firewall.ts";
import type { Machines } from "./machines.ts";
import { placed } from "./names.ts";
import { errorsOf, isDone } from "./operations.ts";
import { deletionId } from "./repeatable.ts";

/** What to say of a machine that could not be deleted, or whose deletion is over, by what a look at it shows. */
async function asSeen(machines: Machines, providerId: string, said: ProviderError, context: CallContext): Promise<"gone"> {
  const at = placed(providerId);
  const unavailable = (message: string) => new ProviderError(PROVIDER, { kind: "unavailable" }, message, said.rawCode, said);
  const look = at === null ? ({ kind: "gone" } as const) : await preparing(() => machines.look(at.zone, at.name, context));
  if (look.kind === "coming") throw unavailable(`machine ${providerId} is still being made`);
  // It is being made, or stopped, or deleted already, or somebody else denied it: it will pass.
  if (look.kind === "here") throw unavailable(`machine ${providerId} is there, and cannot be deleted now: ${said.message}`);
  machines.noteEnd(providerId);
  return "gone";
}

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
    const operation = await api.change({ method: "DELETE", path, query: { requestId: deletionId(api, path) } }, context);
    if (isDone(operation)) {
      // The answer to an earlier request of this minute, which is over, for good or ill.
      const failure = operationFault(errorsOf(operation), `deleting ${providerId}`);
      return await asSeen(machines, providerId, failure, context);
    }
    machines.noteEnd(providerId);
    return "accepted";
  } catch (error) {
    if (!isFault(error, "conflict", "not-found")) throw error;
    return asSeen(machines, providerId, error, context);
  }
}
