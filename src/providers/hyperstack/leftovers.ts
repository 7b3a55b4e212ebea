import { isFault } from "../errors.ts";
import type { Leftover, LeftoverOperations } from "../provider.ts";
import type { Api } from "./api.ts";
import { wholeList } from "./pages.ts";
import { keypairSchema } from "./wire.ts";

/** In an environment of ours, named after it: `places.ts`. */
const KEY_PAIR = /^(spot-[a-z0-9-]+)-(?:[0-9a-f]{16}|nobody)$/;

/**
 * What a launch makes beside its machine: a key pair and an environment, which cost nothing and are shared. The floating address
 * belongs to its machine: it goes with it, and no list of addresses is documented.
 */
export function leftoversOf(api: Api): LeftoverOperations {
  return {
    async list(context, { harmless }) {
      if (!harmless) return [];
      const pairs = await wholeList(api, { path: "/core/keypairs", key: "keypairs", row: keypairSchema }, context);
      return pairs.flatMap(({ id, name, environment }): readonly Leftover[] =>
        KEY_PAIR.exec(name)?.[1] === environment?.name
          ? [
              {
                kind: "key-pair",
                class: "harmless",
                providerId: id,
                name,
                token: null,
                region: environment?.name ?? "",
                zone: "",
                rawState: "",
                createdAt: null,
                price: null,
                attachedTo: null,
              },
            ]
          : [],
      );
    },
    async remove({ kind, providerId }, context) {
      if (kind !== "key-pair") return;
      try {
        // The path of one is in the singular.
        await api.change({ method: "DELETE", path: `/core/keypair/${encodeURIComponent(providerId)}` }, context);
      } catch (error) {
        if (!isFault(error, "not-found")) throw error;
      }
    },
  };
}
