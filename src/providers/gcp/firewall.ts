import { isFault, ProviderError } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import type { Api } from "./api.ts";
import { PROVIDER } from "./codes.ts";
import { portTag } from "./instances.ts";
import { requestId } from "./names.ts";
import { firewallSchema } from "./wire.ts";

/** The default network of a project lets SSH in by itself. */
const SSH_PORT = 22;
const EVERYWHERE = "0.0.0.0/0";

/** Whatever goes wrong before a launch, nothing was launched: a lost answer here is no reason to look for a machine. */
export async function preparing<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!isFault(error, "ambiguous", "protocol")) throw error;
    throw new ProviderError(PROVIDER, { kind: "unavailable" }, error.message, error.rawCode, error);
  }
}

async function isThere(api: Api, name: string, context: CallContext): Promise<boolean> {
  return api.read(firewallSchema, `global/firewalls/${name}`, context).then(
    () => true,
    (error: unknown) => {
      if (isFault(error, "not-found")) return false;
      throw error;
    },
  );
}

/** Opens these ports for the machines that carry their tags: a rule for each, found before it is made, and kept for the next. */
export async function openPorts(api: Api, ports: readonly number[], token: string, context: CallContext): Promise<void> {
  const project = await api.project(context);
  for (const port of new Set(ports.filter((one) => one !== SSH_PORT))) {
    const name = portTag(port);
    if (await isThere(api, name, context)) continue;
    const body = {
      name,
      description: "spot: opens a port that somebody asked for",
      network: `projects/${project}/global/networks/${api.settings.network}`,
      direction: "INGRESS",
      sourceRanges: [EVERYWHERE],
      targetTags: [name],
      allowed: [{ IPProtocol: "tcp", ports: [String(port)] }],
    };
    await api
      .change({ method: "POST", path: "global/firewalls", query: { requestId: requestId("firewall", name, token) }, body }, context)
      .catch((error: unknown) => {
        // Somebody else was faster.
        if (!isFault(error, "conflict")) throw error;
      });
  }
}
