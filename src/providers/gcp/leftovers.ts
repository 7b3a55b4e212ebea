import { isFault } from "../errors.ts";
import type { Leftover, LeftoverOperations } from "../provider.ts";
import type { Api } from "./api.ts";
import { settled } from "./operations.ts";
import { plainList } from "./pages.ts";
import { deletionId } from "./repeatable.ts";
import { firewallList } from "./wire.ts";

/** A rule of ours, by its name: one for each port that anybody asked for. */
const RULE = /^spot-fleet-\d{1,5}$/;

/**
 * What a launch makes beside its machine: firewall rules, which cost nothing and are shared. Addresses are none of it: ours are
 * ephemeral, and go with the machine.
 */
export function leftoversOf(api: Api): LeftoverOperations {
  return {
    async list(context, { harmless }) {
      if (!harmless) return [];
      const rules = await plainList(api, firewallList, "global/firewalls", context);
      return rules.flatMap(({ name }): readonly Leftover[] =>
        RULE.test(name)
          ? [
              {
                kind: "firewall-rule",
                class: "harmless",
                providerId: name,
                name,
                token: null,
                region: "global",
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
      if (kind !== "firewall-rule" || !RULE.test(providerId)) return;
      const path = `global/firewalls/${providerId}`;
      try {
        const operation = await api.change({ method: "DELETE", path, query: { requestId: deletionId(api, path) } }, context);
        await settled(api, "global", operation, `firewall rule ${providerId}`, context);
      } catch (error) {
        if (!isFault(error, "not-found")) throw error;
      }
    },
  };
}
