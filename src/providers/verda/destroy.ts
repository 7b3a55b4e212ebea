import { type CloudAnswer, jsonOf, parsed } from "../cloud-http.ts";
import { isFault, ProviderError } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import { isSuccess, type VerdaClient } from "./client.ts";
import { NEVER_WAS, stateOf } from "./codes.ts";
import { findInstance, tokenIn } from "./instances.ts";
import { deleteScript } from "./scripts.ts";
import { actionResults, volumeList, type WireInstance } from "./wire.ts";

/**
 * What the delete says about volumes. To this cloud an empty list means "keep all of them" and a missing one "delete the
 * root", and `null` is read as missing; so it is never null, and never missing where the root volume is known.
 */
interface VolumeFate {
  readonly volume_ids?: readonly string[];
  readonly delete_permanently?: true;
}

/** Its root volume: told by the instance once it is provisioned, and before that by the volumes. */
async function rootOf(client: VerdaClient, instance: WireInstance, context: CallContext): Promise<string | null> {
  if (instance.os_volume_id !== null) return instance.os_volume_id;
  const volumes = await client.read(volumeList, "/volumes", context);
  return volumes.find((volume) => volume.is_os_volume && volume.instance_id === instance.id)?.id ?? null;
}

async function fateOf(client: VerdaClient, instance: WireInstance, keepRoot: boolean, context: CallContext): Promise<VolumeFate> {
  if (keepRoot) return { volume_ids: [] };
  const root = await rootOf(client, instance, context);
  // Without permission to delete it for good it would lie in the trash, and what that costs is not documented.
  return root === null ? {} : { volume_ids: [root], delete_permanently: true };
}

/** One row of a partial answer, as the refusal that the same words would be by themselves. */
function rowAsAnswer(answer: CloudAnswer, error: string, status: number): CloudAnswer {
  return { ...answer, status, text: JSON.stringify({ message: error }) };
}

const A_REFUSAL = 400;

/** A success with rows means only that every row was tried. @throws ProviderError for the row that failed. */
function requireRow(client: VerdaClient, id: string, answer: CloudAnswer): void {
  if (!isSuccess(answer)) client.refuse(answer);
  if (answer.status === 204 || jsonOf("verda", answer) === undefined) return;
  const row = parsed("verda", actionResults, answer).find(({ instanceId }) => instanceId === id);
  if (row === undefined) {
    if (answer.status !== 207) return;
    throw new ProviderError("verda", { kind: "protocol" }, `${answer.asked} was answered without a word about ${id}`, "http-207");
  }
  const failed = (row.statusCode ?? 0) >= A_REFUSAL || (row.error !== null && row.error !== "") || row.status === "error";
  if (failed) client.refuse(rowAsAnswer(answer, row.error ?? row.status ?? "", Math.max(row.statusCode ?? 0, A_REFUSAL)));
}

/**
 * What a delete means that was answered with "there is no such machine", or "it is over": a gateway in front may say the
 * first, so the machine itself is looked at once more.
 * @throws ProviderError `unavailable` when it is still there, or cannot be looked at: nothing was done.
 */
async function afterDenial(client: VerdaClient, id: string, denial: ProviderError, context: CallContext): Promise<"accepted" | "gone"> {
  const unavailable = (message: string) => new ProviderError("verda", { kind: "unavailable" }, message, denial.rawCode, denial);
  const left = await findInstance(client, id, context).catch((error: unknown) => {
    throw isFault(error, "not-found", "protocol") ? unavailable(error.message) : error;
  });
  const state = left === undefined ? "gone" : stateOf(left.status);
  if (state === "gone") return "gone";
  if (state === "terminating") return "accepted";
  throw unavailable(`${id} was denied and is there (${left?.status}): ${denial.message}`);
}

/** `accepted` as soon as the cloud has; `gone` when it says that there is nothing to delete, and shows nothing either. */
export async function destroyInstance(
  client: VerdaClient,
  id: string,
  context: CallContext,
  { keepRoot }: { readonly keepRoot: boolean },
): Promise<"accepted" | "gone"> {
  const instance = await findInstance(client, id, context);
  if (instance === undefined) return "gone";
  const state = stateOf(instance.status);
  const forgetScript = async () => {
    const { startup_script_id: script, tags, hostname } = instance;
    if (script !== null && tokenIn(tags, hostname) !== null) await deleteScript(client, script, context);
  };
  // A machine that has not come up may still need it, should the delete be refused.
  const hasBooted = state !== "provisioning";
  if (hasBooted) await forgetScript();
  if (state === "gone") return "gone";
  if (state === "terminating") return "accepted";
  const body = { action: "delete", id: [id], ...(await fateOf(client, instance, keepRoot, context)) };
  let how: "accepted" | "gone" = "accepted";
  try {
    requireRow(client, id, await client.send({ method: "PUT", path: "/instances", body, effect: "change", signal: context.signal }));
  } catch (error) {
    // Nothing ever came of it, so nothing is billed, whether or not the cloud can delete it.
    if (instance.status === NEVER_WAS && isFault(error, "invalid-request", "conflict", "unsupported", "not-found")) how = "gone";
    else if (isFault(error, "not-found")) how = await afterDenial(client, id, error, context);
    else throw error;
  }
  if (!hasBooted) await forgetScript();
  return how;
}
