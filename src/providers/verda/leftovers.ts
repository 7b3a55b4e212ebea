import { ProviderError } from "../errors.ts";
import type { Leftover, LeftoverOperations } from "../provider.ts";
import { tokenOf, untaggedName } from "../tagged-name.ts";
import type { VerdaClient } from "./client.ts";
import { listInstances, nameIn, tokenIn } from "./instances.ts";
import { priceOf } from "./offers.ts";
import { deleteScript, SCRIPT_PREFIX } from "./scripts.ts";
import { removePermanently } from "./volumes.ts";
import { scriptList, volumeList } from "./wire.ts";

const AROUND = { zone: "", createdAt: null, price: null, attachedTo: null } as const;

/**
 * What is deleted by hand at Verda lies in a trash for four days, and nobody says that it costs nothing there. Scripts cost
 * nothing, but each holds what its workload was given. Our key is left: its name is no proof that it is ours.
 */
export function leftoversOf(client: VerdaClient): LeftoverOperations {
  return {
    async list(context, { harmless }) {
      const trash = await client.read(volumeList, "/volumes/trash", context);
      const volumes = trash
        .filter(({ is_permanently_deleted: isOver, tags, name }) => !isOver && tokenIn(tags, name) !== null)
        .map((volume): Leftover => {
          const { id: providerId, tags, name, location: region, status: rawState } = volume;
          const price = priceOf(volume.base_hourly_cost, volume.currency);
          const common = { ...AROUND, kind: "trashed-volume", class: "bills", providerId, region, rawState } as const;
          return { ...common, name: nameIn(tags, name), token: tokenIn(tags, name), price };
        });
      if (!harmless) return volumes;
      const [scripts, instances] = await Promise.all([client.read(scriptList, "/scripts", context), listInstances(client, context)]);
      const users = new Map(instances.map(({ startup_script_id: script, id }) => [script, id]));
      return [
        ...volumes,
        ...scripts
          .filter(({ name }) => name.startsWith(SCRIPT_PREFIX) && tokenOf(name) !== null)
          .map(({ id: providerId, name, created_at: at }): Leftover => {
            const common = { ...AROUND, kind: "startup-script", class: "harmless", providerId, region: "", rawState: "" } as const;
            const plain = untaggedName(name).slice(SCRIPT_PREFIX.length);
            const createdAt = at === null ? null : at - client.clockOffsetMs();
            return { ...common, name: plain, token: tokenOf(name), createdAt, attachedTo: users.get(providerId) ?? null };
          }),
      ];
    },
    async remove({ kind, providerId }, context) {
      if (kind === "trashed-volume") await removePermanently(client, providerId, context);
      if (kind !== "startup-script") return;
      await deleteScript(client, providerId, context);
      if ((await client.read(scriptList, "/scripts", context)).some(({ id }) => id === providerId))
        throw new ProviderError("verda", { kind: "unavailable" }, `script ${providerId} was denied and is there`);
    },
  };
}
