import { asleepRate } from "../model/asleep.ts";
import type { Money } from "../model/money.ts";
import type { Provider } from "../providers/provider.ts";
import type { InstanceRecord, LedgerRecord, VolumeRecord } from "../state/records.ts";
import { call, type Fleet } from "./fleet.ts";
import { whileHolding } from "./leases/lease.ts";
import { volumeLease } from "./volumes/volumes.ts";

/** A disk that is paid for and in no sum: nobody says what it costs. */
export interface UnpricedDisk {
  readonly name: string;
  readonly provider: string;
  /** Null where that is not known either. */
  readonly sizeGb: number | null;
  /** `root`: of a machine that its cloud hibernated. */
  readonly kind: "volume" | "root";
}

/** What a volume of that size costs an hour by the provider's list; null where we know no list price. */
export function listedVolumeRate({ capabilities }: Pick<Provider, "capabilities">, sizeGb: number): Money | null {
  const { price, value } = capabilities.asleep.parked.billed.volume;
  return value !== "billed" || price === undefined ? null : asleepRate(price, price.per === "hour" ? 0 : sizeGb).hour;
}

/** What a hibernated machine's own disk costs an hour by the provider's list; null where we know no list price, or not its size. */
export function listedRootRate({ capabilities }: Pick<Provider, "capabilities">): Money | null {
  const { price, value, sizeGb } = capabilities.asleep.native?.billed.rootDisk ?? {};
  if (value !== "billed" || price === undefined || (sizeGb === undefined && price.per !== "hour")) return null;
  return asleepRate(price, sizeGb ?? 0).hour;
}

/** The interval of a volume from the moment on at which it was made. Its id makes a second opening the same interval. */
function volumeInterval(volume: VolumeRecord, providerId: string, rate: Money, fleet: string | null): LedgerRecord {
  const { id, name, provider, createdAt: from } = volume;
  const common = { instanceId: null, instance: name, fleet, provider, providerId, kind: "disk", billing: "on-demand" } as const;
  return { ...common, id: `${id}/${from}`, from, to: null, rate, onDemandRate: rate, billed: null };
}

async function fleetOf({ state }: Fleet, { id }: VolumeRecord): Promise<string | null> {
  const promised = (await state.volumePromise(id))?.detail["fleet"];
  return typeof promised === "string" ? promised : null;
}

/**
 * Opens the interval of every living volume that has none, because its price was not known when it was made: at the price that
 * its provider says, else at the one that its list says, from when it was made.
 * @returns the disks that are still in no sum, and the providers that could not be asked.
 */
export async function followStorage(
  fleet: Fleet,
  signal: AbortSignal,
): Promise<{
  readonly unpriced: readonly UnpricedDisk[];
  readonly silent: readonly { readonly provider: string; readonly why: string }[];
}> {
  const ledger = await fleet.state.ledger({ openOnly: true });
  const known = new Set(ledger.filter(({ kind }) => kind === "disk").map(({ provider, providerId }) => `${provider} ${providerId}`));
  const volumes = await fleet.state.volumes();
  const unpriced: UnpricedDisk[] = [];
  const silent: { readonly provider: string; readonly why: string }[] = [];
  const without = volumes.filter(({ provider, providerId }) => providerId !== null && !known.has(`${provider} ${providerId}`));
  for (const id of new Set(without.map(({ provider }) => provider))) {
    const own = without.filter(({ provider }) => provider === id);
    try {
      const provider = await fleet.provider(id);
      const listed = await call(signal, (context) => provider.volumes?.list(context) ?? Promise.resolve([]));
      for (const volume of own) {
        const live = listed.find(({ providerId }) => providerId === volume.providerId);
        const rate = live?.pricePerHour ?? listedVolumeRate(provider, live?.sizeGb ?? volume.sizeGb);
        const isOpen = rate !== null && rate.micros > 0n && (await openInterval(fleet, volume, rate, live?.pricePerHour ?? null, signal));
        if (!isOpen) unpriced.push(unpricedOf(volume));
      }
    } catch (error) {
      if (signal.aborted) throw error;
      silent.push({ provider: id, why: error instanceof Error ? error.message : String(error) });
      unpriced.push(...own.map(unpricedOf));
    }
  }
  return { unpriced, silent };
}

/** Under the volume's lease, so that none is opened for one that is being deleted. @returns whether it is open now. */
async function openInterval(
  fleet: Fleet,
  { id, name }: VolumeRecord,
  rate: Money,
  live: Money | null,
  signal: AbortSignal,
): Promise<boolean> {
  const opened = await whileHolding(fleet, volumeLease(name), signal, async (held) => {
    const [volume] = await held.fleet.state.volumes({ ids: [id] });
    if (volume === undefined || volume.providerId === null || volume.state === "gone") return true;
    const interval = volumeInterval(volume, volume.providerId, rate, await fleetOf(held.fleet, volume));
    await held.fleet.state.commit({ volumes: live === null ? [] : [{ ...volume, pricePerHour: live }], ledger: [interval] });
    return true;
  });
  return opened === true;
}

function unpricedOf({ name, provider, sizeGb }: VolumeRecord): UnpricedDisk {
  return { name, provider, sizeGb: sizeGb > 0 ? sizeGb : null, kind: "volume" };
}

/** The root disks of hibernated machines of which no bill has told: their clouds bill them, and nobody says at what. */
export async function unpricedRoots(
  fleet: Pick<Fleet, "provider">,
  instances: readonly Pick<InstanceRecord, "id" | "name" | "provider" | "state" | "parked">[],
  ledger: readonly LedgerRecord[],
): Promise<readonly UnpricedDisk[]> {
  const told = new Set(ledger.flatMap(({ kind, instanceId }) => (kind === "disk" ? [instanceId] : [])));
  const asleep = instances.filter(({ id, state, parked }) => state === "hibernated" && parked === "native" && !told.has(id));
  const found: UnpricedDisk[] = [];
  for (const { name, provider } of asleep) {
    // A provider that cannot be opened (a plug that is gone, say) is no reason to leave out the others.
    const terms = (await fleet.provider(provider).catch(() => undefined))?.capabilities.asleep.native;
    if (terms?.billed.rootDisk.value === "billed")
      found.push({ name, provider, sizeGb: terms.billed.rootDisk.sizeGb ?? null, kind: "root" });
  }
  return found;
}
