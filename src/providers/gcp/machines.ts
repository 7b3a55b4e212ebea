import { parsed } from "../cloud-http.ts";
import { ProviderError } from "../errors.ts";
import type { CallContext, ProviderInstance } from "../provider.ts";
import type { Api } from "./api.ts";
import { deniesResource, isCutShort, operationFault, PROVIDER } from "./codes.ts";
import { instanceId, toInstance, tokenIn } from "./instances.ts";
import type { Market } from "./market.ts";
import { lastOf, placed, regionOf } from "./names.ts";
import { type Ending, endingOf, errorsOf, isDone, operationsOn } from "./operations.ts";
import { movingList, plainList } from "./pages.ts";
import { instanceAggregate, instanceList, instanceSchema, type WireInstance } from "./wire.ts";

/** What one look at a machine shows. */
export type Look =
  | { readonly kind: "here"; readonly vm: WireInstance }
  /** Its making is still on its way, or was cut short: the cloud has no machine of this name, and an operation says why. */
  | { readonly kind: "coming" }
  | { readonly kind: "never"; readonly reason: string }
  | { readonly kind: "gone" };

/** The machines of the project, seen with what only their operations tell. */
export interface Machines {
  look(zone: string, name: string, context: CallContext): Promise<Look>;
  get(providerId: string, context: CallContext): Promise<ProviderInstance | undefined>;
  list(context: CallContext): Promise<readonly ProviderInstance[]>;
  shown(vm: WireInstance, context: CallContext): Promise<ProviderInstance>;
  /** What this process launched: of a machine that never came to be nothing else tells what it was. */
  remember(instance: ProviderInstance): void;
  /** This process has asked for its end. */
  noteEnd(providerId: string): void;
}

/** So many names fit into one filter. */
const NAMES_AT_ONCE = 40;
/** A deletion takes a minute or two. It can fail after it was accepted: what is still there then goes on costing, and is shown. */
const DELETED_WITHIN_MS = 5 * 60_000;
const STANDS_STILL = ["TERMINATED", "STOPPED", "SUSPENDED"];

function nothingOf(zone: string, name: string): ProviderInstance {
  return {
    providerId: `${zone}/${name}`,
    name,
    token: null,
    state: "provisioning",
    rawState: "",
    region: regionOf(zone),
    zone,
    type: "",
    gpu: { model: "", count: 0, vramGb: 0 },
    billing: "spot",
    price: null,
    createdAt: null,
    protectedUntil: null,
    notice: null,
    reach: null,
    volumeIds: [],
    reason: null,
    endedBy: null,
    canHibernate: false,
    dataKeptUntil: null,
    endpoints: [],
    rootVolumeId: null,
  };
}

/** Why a machine that there is not any more never was: the failure of the operation that was to make it. */
function neverReason(errors: readonly { readonly code: string; readonly message: string }[]): string {
  const { message, rawCode } = operationFault(errors, "it could not be made");
  if (isCutShort(rawCode)) return `preempted while it was being made (${rawCode ?? ""}): ${message}`;
  return `${message}${rawCode === null ? "" : ` (${rawCode})`}`;
}

async function lookAt(api: Api, zone: string, name: string, context: CallContext): Promise<Look> {
  const answer = await api.ask(`zones/${zone}/instances/${name}`, context);
  if (answer.status >= 200 && answer.status < 300) return { kind: "here", vm: parsed(PROVIDER, instanceSchema, answer) };
  if (answer.status !== 404) return api.refuse(answer);
  if (deniesResource(answer, `zones/${zone}`)) return { kind: "gone" };
  if (!deniesResource(answer, `instances/${name}`)) {
    // A gateway's word, or another path's: the zone's own list decides.
    const listed = await plainList(api, instanceList, `zones/${zone}/instances`, context, { filter: `name = ${name}` }).catch(
      (error: unknown) => {
        if (!(error instanceof ProviderError) || error.fault.kind !== "not-found") throw error;
        throw new ProviderError(
          PROVIDER,
          { kind: "unavailable" },
          `${zone}/${name} was denied by somebody else than Compute Engine`,
          error.rawCode,
          error,
        );
      },
    );
    const vm = listed.find((one) => one.name === name);
    if (vm !== undefined) return { kind: "here", vm };
  }
  const operations = await operationsOn(api, zone, [name], context);
  const insert = operations.find(({ operationType }) => operationType === "insert");
  if (insert === undefined) return { kind: "gone" };
  if (!isDone(insert)) return { kind: "coming" };
  const errors = errorsOf(insert);
  return errors.length === 0 ? { kind: "gone" } : { kind: "never", reason: neverReason(errors) };
}

export function machinesOf(api: Api, market: Market): Machines {
  const launched = new Map<string, ProviderInstance>();
  const ended = new Map<string, number>();

  const shownWith = async (vm: WireInstance, ending: Ending | undefined): Promise<ProviderInstance> => {
    const own = launched.get(instanceId(vm));
    const seen = toInstance(vm, {
      market: await market.known(),
      clockOffsetMs: api.clockOffsetMs(),
      login: api.settings.login,
      ending,
      isEndedByUs: api.monotonic() - (ended.get(instanceId(vm)) ?? Number.NEGATIVE_INFINITY) < DELETED_WITHIN_MS,
    });
    if (own === undefined) return seen;
    return {
      ...seen,
      ...(seen.price === null ? { price: own.price, pricedAt: own.pricedAt } : {}),
      ...(seen.gpu.count === 0 ? { gpu: own.gpu, type: own.type } : {}),
    };
  };
  /** Who stopped each of those that stand still, asked of each zone once. */
  const endingsOf = async (vms: readonly WireInstance[], context: CallContext): Promise<ReadonlyMap<WireInstance, Ending>> => {
    const found = new Map<WireInstance, Ending>();
    const still = vms.filter((vm) => STANDS_STILL.includes(vm.status));
    for (const [zone, here] of byZone(still))
      for (let from = 0; from < here.length; from += NAMES_AT_ONCE) {
        const some = here.slice(from, from + NAMES_AT_ONCE);
        const names = some.map(({ name }) => name);
        const operations = await operationsOn(api, zone, names, context);
        for (const vm of some) {
          const own = operations.filter(({ targetLink }) => lastOf(targetLink) === vm.name);
          const ending = endingOf(own, vm.lastStartTimestamp ?? vm.creationTimestamp);
          if (ending !== undefined) found.set(vm, ending);
        }
      }
    return found;
  };
  const shown = async (vm: WireInstance, context: CallContext) => shownWith(vm, (await endingsOf([vm], context)).get(vm));
  return {
    look: (zone, name, context) => lookAt(api, zone, name, context),
    shown,
    async get(providerId, context) {
      const at = placed(providerId);
      if (at === null) return undefined;
      const look = await lookAt(api, at.zone, at.name, context);
      const base = launched.get(providerId) ?? nothingOf(at.zone, at.name);
      switch (look.kind) {
        case "here":
          return { ...(await shown(look.vm, context)), providerId };
        case "coming":
          return { ...base, state: "provisioning", rawState: "PENDING" };
        case "never":
          // Told until its end was asked for; whoever asks later finds nothing to end.
          return ended.has(providerId) ? undefined : { ...base, state: "failed", rawState: "NEVER_CREATED", reason: look.reason };
        case "gone":
          return undefined;
      }
    },
    async list(context) {
      const vms = (await movingList(api, instanceAggregate, "instances", context)).map(([, vm]) => vm);
      // Whose machines others stopped is theirs to know.
      const endings = await endingsOf(
        vms.filter(({ labels }) => tokenIn(labels) !== null),
        context,
      );
      return Promise.all(vms.map((vm) => shownWith(vm, endings.get(vm))));
    },
    remember(instance) {
      launched.set(instance.providerId, instance);
    },
    noteEnd(providerId) {
      ended.set(providerId, api.monotonic());
    },
  };
}

function byZone(vms: readonly WireInstance[]): ReadonlyMap<string, readonly WireInstance[]> {
  const zones = new Map<string, WireInstance[]>();
  for (const vm of vms) {
    const zone = lastOf(vm.zone);
    zones.set(zone, [...(zones.get(zone) ?? []), vm]);
  }
  return zones;
}
