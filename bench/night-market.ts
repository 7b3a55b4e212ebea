import type { Offer } from "../src/model/offer.ts";
import type { Clock } from "../src/platform/clock.ts";
import type { Provider } from "../src/providers/provider.ts";
import { type PaperCloud, type PaperMachine, type PaperZone, paperCloud } from "../test/simulation/paper-cloud.ts";
import type { Change } from "./night-traces.ts";

export interface Market {
  readonly cloud: PaperCloud;
  /** The paper provider, whose machines are watched as they come and go. */
  readonly provider: Provider;
  /** Plays the traces to their end. */
  play(): Promise<void>;
  readonly reclaims: () => number;
  /** When a notice or a loss comes next, in epoch milliseconds. */
  happensAfter(now: number): number;
  /** Whether a machine can be had now in one of these regions or zones. */
  hasCapacity(places: readonly string[]): boolean;
  /** When there is new capacity in one of these regions or zones, in epoch milliseconds. */
  risesAfter(places: readonly string[], now: number): number;
}

interface Watched {
  started(machine: PaperMachine): void;
  warned(machine: PaperMachine): void;
  ended(machine: PaperMachine, at: number): void;
}

/** A zone that will let go of machines at `at`. */
interface Fall {
  readonly at: number;
  readonly count: number;
}

/** Where the trace of one instance says only that there was capacity, there is some for all who ask. */
const PLENTY = 1_000;
/** As at AWS. */
const POLL_MS = 5_000;
const SPOT_MICROS = 954_000;

const regionOf = (zone: string) => zone.replace(/[a-z]$|-[a-z]$/, "");
const isUp = ({ state }: PaperMachine) => state === "running" || state === "reclaiming";

/**
 * The paper cloud, with zones whose capacity comes and goes as the traces say. The machine ends when the trace says that the
 * capacity went; its notice comes so long before, or as soon as it runs where it came up later than that.
 */
export function nightMarket(
  clock: Clock,
  zones: readonly { readonly zone: string; readonly nodes: number; readonly changes: readonly Change[] }[],
  { noticeMs, provisionMs }: { readonly noticeMs: number; readonly provisionMs: number },
  watched: () => Watched,
): Market {
  const start = clock.now();
  const cloud = paperCloud(clock, { hibernates: "park", listSettlesMs: 3_000, provisionMs, latencyMs: 100, changeMs: 5_000 });
  const capacity = (nodes: number, count: number) => (nodes === 1 ? count * PLENTY : count);
  const made = zones.map(({ zone, nodes, changes }): PaperZone & { falls: Fall[] } => ({
    region: regionOf(zone),
    zone,
    stock: capacity(nodes, changes[0]?.count ?? 0),
    onDemandStock: PLENTY,
    price: { micros: BigInt(SPOT_MICROS), currency: "USD" },
    falls: [],
  }));
  (cloud.zones as PaperZone[]).splice(0, cloud.zones.length, ...made);
  const reclaimed = new Set<string>();

  const inZone = (zone: PaperZone) =>
    [...cloud.machines.values()].filter(
      (machine) => machine.zone === zone && machine.billing === "spot" && machine.state !== "gone" && machine.state !== "failed",
    );
  /** The newest go first: an old instance is worth keeping (facts on lifetimes), and no trace says which one it was. */
  const doomed = (zone: PaperZone, { count }: Fall) =>
    inZone(zone)
      .sort((a, b) => a.createdAt - b.createdAt)
      .slice(count);
  const warn = (machine: PaperMachine, { at }: Fall) => {
    if (!isUp(machine) || machine.notice !== null) return;
    cloud.reclaim(machine.id, at - clock.now());
    reclaimed.add(machine.id);
    watched().warned(machine);
    void over(machine, at);
  };
  const over = async (machine: PaperMachine, at: number) => {
    await clock.sleep(at - clock.now());
    cloud.machine(machine.id);
    if (machine.endedBy === "provider") watched().ended(machine, machine.endedAt ?? at);
  };

  const fall = async (zone: PaperZone & { falls: Fall[] }, next: Fall) => {
    await clock.sleep(Math.max(0, next.at - noticeMs - clock.now()));
    zone.falls.push(next);
    if (noticeMs > 0) for (const machine of doomed(zone, next)) warn(machine, next);
    await clock.sleep(next.at - clock.now());
    zone.falls = zone.falls.filter((other) => other !== next);
    cloud.living();
    for (const machine of doomed(zone, next)) end(machine, next.at);
  };
  /** Nothing is left for it. Whoever was warned is over by now: that is what its deadline was. */
  const end = (machine: PaperMachine, at: number) => {
    if (machine.state === "terminating") return;
    reclaimed.add(machine.id);
    machine.reason = "reclaimed";
    if (isUp(machine)) cloud.reclaim(machine.id, 0);
    else machine.next = { at, state: "gone", endedBy: "provider" };
    void over(machine, at);
  };

  const playZone = async (zone: PaperZone & { falls: Fall[] }, nodes: number, changes: readonly Change[]) => {
    const falling = changes.flatMap((change, index) => {
      const before = changes[index - 1];
      return before !== undefined && change.count < before.count ? [fall(zone, { at: start + change.at, count: change.count })] : [];
    });
    for (const change of changes.slice(1)) {
      await clock.sleep(start + change.at - clock.now());
      // The machines that go give their places back as they go; afterwards it is what the trace says.
      await clock.sleep(1);
      cloud.living();
      zone.stock = Math.max(0, capacity(nodes, change.count) - inZone(zone).length);
    }
    await Promise.all(falling);
  };

  /** Once it runs its agent begins, and it hears at once what its zone was told before. */
  const follow = async (machine: PaperMachine) => {
    await clock.sleep(provisionMs + 1);
    cloud.machine(machine.id);
    if (!isUp(machine)) return;
    watched().started(machine);
    const [soonest] = (machine.zone as PaperZone & { falls: Fall[] }).falls;
    if (machine.billing === "spot" && soonest !== undefined && noticeMs > 0 && doomed(machine.zone, soonest).includes(machine))
      warn(machine, soonest);
  };

  const moments = zones
    .flatMap(({ changes }) =>
      changes.flatMap(({ at, count }, index) => (count < (changes[index - 1]?.count ?? count) ? [start + at - noticeMs, start + at] : [])),
    )
    .sort((a, b) => a - b);
  const isIn = (places: readonly string[], { region, zone }: Pick<PaperZone, "region" | "zone">) =>
    places.includes(region) || places.includes(zone);
  const rises = zones
    .flatMap(({ zone, changes }) => {
      const rising = changes.filter(({ count }, index) => count > (changes[index - 1]?.count ?? count));
      return rising.map(({ at }) => ({ zone, region: regionOf(zone), at: start + at }));
    })
    .sort((a, b) => a.at - b.at);
  const { provider } = cloud;
  return {
    cloud,
    provider: {
      ...provider,
      capabilities: { ...provider.capabilities, noticeSeconds: noticeMs / 1000, pollMs: POLL_MS },
      offers: async (query, context) =>
        (await provider.offers(query, context)).map((offer): Offer => ({ ...offer, noticeSeconds: noticeMs / 1000 })),
      async launch(spec, context) {
        const launched = await provider.launch(spec, context);
        const machine = cloud.machine(launched.providerId);
        if (machine !== undefined) void follow(machine);
        return launched;
      },
      async destroy(machineId, context) {
        const machine = cloud.machine(machineId);
        if (machine !== undefined && isUp(machine)) watched().ended(machine, clock.now());
        return provider.destroy(machineId, context);
      },
    },
    async play() {
      await Promise.all(made.map((zone, index) => playZone(zone, zones[index]?.nodes ?? 1, zones[index]?.changes ?? [])));
    },
    reclaims: () => reclaimed.size,
    hasCapacity: (places) => made.some((zone) => zone.stock > 0 && isIn(places, zone)),
    risesAfter: (places, now) => rises.find((rise) => rise.at > now && isIn(places, rise))?.at ?? Number.POSITIVE_INFINITY,
    happensAfter: (now) => moments.find((moment) => moment > now) ?? Number.POSITIVE_INFINITY,
  };
}
