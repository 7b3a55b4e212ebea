import { isFault } from "../errors.ts";
import type { CallContext, LaunchSpec } from "../provider.ts";
import { startupScript } from "../startup-script.ts";
import { taggedName, tokenOf } from "../tagged-name.ts";
import { isSuccess, madeId, type VerdaClient } from "./client.ts";
import { listInstances } from "./instances.ts";
import { NAME_LENGTH, scriptList, type WireScript } from "./wire.ts";

export const SCRIPT_PREFIX = "spot-";
/** A launch makes its script first and its machine right after; so long nobody may take it for a leftover. */
const IN_USE_MS = 3_600_000;
/** Leftovers that one launch clears away; it does not wait for more of them. */
const MOST_LEFTOVERS = 10;

/** Sent twice if need be: deleting is idempotent. Failing to is no reason to fail, what is left is found by a later launch. */
export async function deleteScript(client: VerdaClient, id: string, context: CallContext): Promise<void> {
  const path = `/scripts/${encodeURIComponent(id)}`;
  const send = () => client.send({ method: "DELETE", path, effect: "change", signal: context.signal });
  await send()
    .catch(send)
    .catch(() => undefined);
}

/**
 * Deletes scripts of ours that no machine was made with: those of reclaimed machines, and of creates that came to nothing
 * unseen. Scripts outlive instances here, and ours hold what a workload was given.
 */
async function deleteLeftovers(client: VerdaClient, scripts: readonly WireScript[], context: CallContext): Promise<void> {
  const before = client.now() + client.clockOffsetMs() - IN_USE_MS;
  const old = scripts.filter(
    ({ name, created_at: at }) => name.startsWith(SCRIPT_PREFIX) && tokenOf(name) !== null && at !== null && at < before,
  );
  if (old.length === 0) return;
  const used = new Set((await listInstances(client, context)).map((instance) => instance.startup_script_id));
  const unused = old.filter(({ id }) => !used.has(id)).slice(0, MOST_LEFTOVERS);
  for (const { id } of unused) await deleteScript(client, id, context);
}

/** Puts the boot script there under the launch's own name, unless it is there already. @returns Verda's id of it. */
export async function keepScript(client: VerdaClient, spec: LaunchSpec, context: CallContext): Promise<string> {
  const name = taggedName(`${SCRIPT_PREFIX}${spec.name}`, spec.token, NAME_LENGTH);
  const script = startupScript(spec.bootScript, spec.env);
  const list = () => client.read(scriptList, "/scripts", context);
  const mine = (scripts: readonly WireScript[]) => scripts.find((one) => one.name === name && one.script === script)?.id;
  const there = await list();
  const known = mine(there);
  const others = there.filter(({ id }) => id !== known);
  await deleteLeftovers(client, others, context).catch(() => undefined);
  if (known !== undefined) return known;
  try {
    const answer = await client.send({
      method: "POST",
      path: "/scripts",
      body: { name, script },
      effect: "change",
      signal: context.signal,
    });
    if (!isSuccess(answer)) client.refuse(answer);
    return await madeId(answer, async (id) => (await list()).some((one) => one.id === id));
  } catch (error) {
    const made = isFault(error, "ambiguous", "protocol") ? mine(await list()) : undefined;
    if (made === undefined) throw error;
    return made;
  }
}
