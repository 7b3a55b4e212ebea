import { isFault, ProviderError } from "../errors.ts";
import type { HibernationOperations } from "../provider.ts";
import type { Api } from "./api.ts";
import { PROVIDER, saysCannotHibernate, stateOf } from "./codes.ts";
import { canHibernate } from "./instances.ts";
import { MACHINES, type Machines } from "./machines.ts";
import type { WireVm } from "./wire.ts";

function notFound(id: string): ProviderError {
  return new ProviderError(PROVIDER, { kind: "not-found" }, `there is no machine ${id}`);
}

function conflict(vm: WireVm, verb: string): ProviderError {
  return new ProviderError(PROVIDER, { kind: "conflict" }, `machine ${vm.id} is ${vm.status ?? "in no known state"} and cannot be ${verb}`);
}

/** Both actions are GET and change something: each is sent at most once per call, and never again by itself. */
export function hibernationOf(api: Api, machines: Machines): HibernationOperations {
  return {
    async hibernate(id, context, options) {
      const before = await machines.get(id, context);
      if (before === undefined) throw notFound(id);
      if (["hibernating", "hibernated"].includes(stateOf(before.status))) return;
      if (before.status !== "ACTIVE") throw conflict(before, "hibernated");
      if (!canHibernate(before.flavor))
        throw new ProviderError(PROVIDER, { kind: "unsupported" }, `machines of type ${before.flavor?.name} cannot be hibernated`);
      // A volume of a hibernated machine is RESERVED: billed, and locked to it.
      const vm = await machines.detachAll(id, Number.POSITIVE_INFINITY, context);
      if (vm === undefined) throw notFound(id);
      if (vm.status !== "ACTIVE") throw conflict(vm, "hibernated");
      try {
        const query = { retain_ip: options?.retainAddress === true ? "true" : "false" };
        await api.change({ method: "GET", path: `${MACHINES}/${id}/hibernate`, query, unknown400: { kind: "conflict" } }, context);
      } catch (error) {
        if (!(error instanceof ProviderError) || !isFault(error, "conflict", "invalid-request", "no-capacity")) throw error;
        if (!saysCannotHibernate(error.message))
          throw new ProviderError(PROVIDER, { kind: "conflict" }, error.message, error.rawCode, error);
        throw new ProviderError(PROVIDER, { kind: "unsupported" }, error.message, error.rawCode, error);
      }
    },
    async restore(id, context) {
      const before = await machines.get(id, context);
      if (before === undefined) throw notFound(id);
      if (["restoring", "running"].includes(stateOf(before.status))) return;
      if (before.status !== "HIBERNATED") throw conflict(before, "restored");
      // The hardware is not held for it, and no text is documented for want of it: an unknown refusal is that.
      const unknown400 = { kind: "no-capacity", scope: "offer" } as const;
      await api.change({ method: "GET", path: `${MACHINES}/${id}/hibernate-restore`, unknown400 }, context);
    },
  };
}
