import { isFault, ProviderError } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import type { Api } from "./api.ts";
import { PROVIDER, takesVolumes } from "./codes.ts";
import { dataVolumes } from "./instances.ts";
import { wholeList } from "./pages.ts";
import { isId, oneVm, vmSchema, type WireVm } from "./wire.ts";

export const MACHINES = "/core/virtual-machines";

/** Before a machine that was not found is looked for once more. */
const LOOK_AGAIN_AFTER_MS = 1_000;
const FIRST_POLL_MS = 100;
const LONGEST_POLL_MS = 2_000;

/** The machines of the account, as the cloud has them. */
export interface Machines {
  list(context: CallContext): Promise<readonly WireVm[]>;
  named(name: string, context: CallContext): Promise<WireVm | undefined>;
  /**
   * Undefined only when it is gone: one 404 proves nothing here, since machines were seen to be denied once and to be there
   * the next time. It is asked for again after a moment, and then looked for in the list.
   */
  get(id: string, context: CallContext): Promise<WireVm | undefined>;
  /**
   * Detaches its data volumes where its state allows it, and waits until they are off.
   * @param untilMs in epoch milliseconds; Infinity: until the signal fires.
   * @returns the machine as it was seen last; undefined when it is gone.
   */
  detachAll(id: string, untilMs: number, context: CallContext): Promise<WireVm | undefined>;
  remember(vm: WireVm): void;
}

export function machines(api: Api): Machines {
  /** By id, so that one request finds one machine in the list. */
  const names = new Map<string, string>();
  const remember = (vm: WireVm) => {
    names.set(vm.id, vm.name);
  };
  const listed = async (context: CallContext, search?: string): Promise<readonly WireVm[]> => {
    const where = { path: MACHINES, key: "instances", row: vmSchema, ...(search === undefined ? {} : { query: { search } }) };
    const found = await wholeList(api, where, context);
    for (const vm of found) remember(vm);
    return found;
  };
  const look = async (id: string, context: CallContext): Promise<WireVm | undefined> => {
    const found = (await api.find(oneVm, `${MACHINES}/${id}`, context))?.instance;
    if (found === undefined) return undefined;
    if (found.id !== id) throw new ProviderError(PROVIDER, { kind: "protocol" }, `asked for machine ${id}, told of ${found.id}`);
    remember(found);
    return found;
  };
  const get = async (id: string, context: CallContext): Promise<WireVm | undefined> => {
    if (!isId(id)) return undefined;
    const found = await look(id, context);
    if (found !== undefined) return found;
    await api.sleep(LOOK_AGAIN_AFTER_MS, context);
    const again = (await look(id, context)) ?? (await listed(context, names.get(id))).find((vm) => vm.id === id);
    if (again === undefined) names.delete(id);
    return again;
  };
  return {
    list: (context) => listed(context),
    named: async (name, context) => (await listed(context, name)).find((vm) => vm.name === name),
    get,
    async detachAll(id, untilMs, context) {
      const asked = new Set<string>();
      for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(pollMs * 2, LONGEST_POLL_MS)) {
        const vm = await get(id, context);
        const held = vm === undefined ? [] : dataVolumes(vm);
        if (vm === undefined || held.length === 0 || !takesVolumes(vm.status) || api.now() >= untilMs) return vm;
        const now = held.filter(({ id: volume, status }) => status === "ATTACHED" && !asked.has(volume)).map((one) => one.id);
        if (now.length > 0) {
          const body = { volume_ids: now.map(Number) };
          try {
            await api.change({ method: "POST", path: `${MACHINES}/${id}/detach-volumes`, body, unknown400: { kind: "conflict" } }, context);
            for (const volume of now) asked.add(volume);
          } catch (error) {
            // Already on their way, or perhaps asked: the next look shows it.
            if (!isFault(error, "conflict", "ambiguous")) throw error;
          }
        }
        await api.sleep(pollMs, context);
      }
    },
    remember,
  };
}
