import type { Gpu } from "../../src/model/gpu.ts";
import type { InstanceState } from "../../src/model/instance.ts";
import type { Money } from "../../src/model/money.ts";
import type { Offer } from "../../src/model/offer.ts";
import type { Clock } from "../../src/platform/clock.ts";
import { type Fault, ProviderError } from "../../src/providers/errors.ts";
import { LOCAL_ASLEEP } from "../../src/providers/local/sleep.ts";
import type { LaunchSpec, Provider, ProviderInstance, ProviderSnapshot, ProviderVolume, VolumeSpec } from "../../src/providers/provider.ts";

export interface PaperSettings {
  readonly hibernates: "native" | "park";
  readonly idempotent: boolean;
  /** A new machine is missing from `list` for this long. */
  readonly listSettlesMs: number;
  readonly provisionMs: number;
  readonly changeMs: number;
  /** Volumes are attached to machines that run already, and their agents wait for them. */
  readonly attaches: boolean;
  /** A volume can be attached in its zone alone. */
  readonly zonal: boolean;
  /** What is sealed on the disks can be read through the machines that have them. */
  readonly readable: boolean;
  /** What is sealed is copied to a bucket, and only machines that are up can be given it. */
  readonly bucket: boolean;
  /** How long a checkpoint is on its way. */
  readonly bringMs: number;
  /** Of one that goes to a machine: from its arrival until it is sealed there. */
  readonly sealsMs: number;
  /** The disks that machines boot from can outlive them, and another machine boots from one where it lies. */
  readonly keepsRoot: boolean;
  /** How long one call takes. */
  readonly latencyMs: number;
  /** As `Capabilities` has it. */
  readonly freeIfReclaimedWithinMs: number;
}

export const PAPER: PaperSettings = {
  hibernates: "native",
  idempotent: false,
  listSettlesMs: 3_000,
  provisionMs: 900,
  changeMs: 500,
  attaches: false,
  zonal: false,
  readable: false,
  bucket: false,
  bringMs: 1_000,
  sealsMs: 0,
  keepsRoot: false,
  latencyMs: 40,
  freeIfReclaimedWithinMs: 0,
};

export interface PaperMachine {
  readonly id: string;
  readonly name: string;
  readonly token: string;
  readonly zone: PaperZone;
  readonly billing: "spot" | "on-demand";
  readonly createdAt: number;
  volumeIds: readonly string[];
  /** The disk that it boots from, where such a disk is one of its own. */
  readonly rootId: string | null;
  /** Its agent waits for a volume before it begins. */
  readonly expectsVolume: boolean;
  /** It does not begin before its volume holds this checkpoint, or a later one. */
  readonly awaits: string | null;
  mounted: boolean;
  state: InstanceState;
  /** When it started to run for the last time. */
  runningSince: number | null;
  /** When the state it is passing through ends; what comes then. */
  next: { readonly at: number; readonly state: InstanceState; readonly endedBy?: "provider" | "user" | "guest" } | null;
  notice: { readonly at: number; readonly deadline: number } | null;
  endedBy: "provider" | "guest" | "user" | null;
  endedAt: number | null;
  reason: string | null;
  /** When the guest last sealed since it runs. */
  sealedAt: number | null;
}

export interface PaperVolume {
  readonly id: string;
  readonly spec: VolumeSpec;
  readonly checkpoints: PaperCheckpoint[];
}

export interface PaperCheckpoint {
  readonly id: string;
  readonly machine: string;
  readonly at: number;
}

export interface PaperZone {
  readonly region: string;
  readonly zone: string;
  stock: number;
  price: Money;
  onDemandStock: number;
}

/** An account at a provider that exists on paper only, and its whole truth. */
export interface PaperCloud {
  readonly provider: Provider;
  readonly settings: PaperSettings;
  readonly zones: readonly PaperZone[];
  readonly machines: Map<string, PaperMachine>;
  readonly volumes: Map<string, PaperVolume>;
  /** The disks' snapshots, by id. */
  readonly snapshots: Map<string, ProviderSnapshot>;
  /** Everything that was ever sealed. */
  readonly sealed: PaperCheckpoint[];
  /** So many of the next launches will fail to start. */
  failingStarts: number;
  /** Until then every call is refused as unavailable. */
  outageUntil: number;
  /** Machines that had work and were ended by a call of ours without a checkpoint since they run. */
  readonly unsealedEnds: string[];
  /** Volumes that were deleted while no snapshot of them could be restored from. */
  readonly unsnapshotted: string[];
  living(): readonly PaperMachine[];
  /** Whether a disk is the root disk of a machine that is there. */
  isPart(volumeId: string): boolean;
  machine(id: string): PaperMachine | undefined;
  reclaim(id: string, noticeMs: number): void;
  withdraw(id: string): void;
  /** Somebody at the cloud's own console. */
  console(id: string, what: "destroy" | "hibernate" | "restore"): void;
}

const GPU: Gpu = { model: "H100", count: 1, vramGb: 80 };
/** A snapshot takes its time. */
const SNAPSHOT_MS = 10_000;
const usd = (micros: number): Money => ({ micros: BigInt(micros), currency: "USD" });
const ON_DEMAND = usd(3_000_000);
const OVER: readonly InstanceState[] = ["gone", "failed"];

export function paperCloud(clock: Clock, set: Partial<PaperSettings> = {}, id = "paper"): PaperCloud {
  const settings = { ...PAPER, ...set };
  let serial = 0;
  const zones: PaperZone[] = [
    { region: "north", zone: "north-a", stock: 3, price: usd(1_000_000), onDemandStock: 9 },
    { region: "north", zone: "north-b", stock: 3, price: usd(1_200_000), onDemandStock: 9 },
    { region: "south", zone: "south-a", stock: 3, price: usd(1_500_000), onDemandStock: 9 },
  ];
  const machines = new Map<string, PaperMachine>();
  const volumes = new Map<string, PaperVolume>();
  const snapshots = new Map<string, ProviderSnapshot>();
  const contents = new Map<string, readonly PaperCheckpoint[]>();
  const unsnapshotted: string[] = [];
  const isReady = ({ createdAt }: ProviderSnapshot) => clock.now() - (createdAt ?? 0) >= SNAPSHOT_MS;

  const give = ({ zone, billing }: PaperMachine, count: number) => {
    if (billing === "spot") zone.stock += count;
    else zone.onDemandStock += count;
  };
  const left = ({ zone, billing }: Pick<PaperMachine, "zone" | "billing">) => (billing === "spot" ? zone.stock : zone.onDemandStock);
  const priceOf = ({ zone, billing }: Pick<PaperMachine, "zone" | "billing">) => (billing === "spot" ? zone.price : ON_DEMAND);
  const end = (machine: PaperMachine, endedBy: "provider" | "guest" | "user", at: number) => {
    if (machine.state !== "hibernated" && machine.state !== "failed") give(machine, 1);
    if (endedBy !== "user" && machine.rootId !== null) volumes.delete(machine.rootId);
    Object.assign(machine, { state: "gone", next: null, notice: null, endedBy: machine.endedBy ?? endedBy, endedAt: at });
  };
  const enter = (machine: PaperMachine, next: NonNullable<PaperMachine["next"]>) => {
    machine.next = null;
    if (next.state === "gone") {
      end(machine, next.endedBy ?? "user", next.at);
      return;
    }
    if (next.state === "hibernated" || next.state === "failed") give(machine, 1);
    machine.state = next.state;
    if (next.state === "failed") machine.reason = "start failed";
    if (next.state === "running") Object.assign(machine, { runningSince: next.at, sealedAt: null, mounted: false });
  };
  /** What has happened by now without anybody asking. */
  const settle = () => {
    for (const machine of machines.values()) {
      if (machine.next !== null && machine.next.at <= clock.now()) enter(machine, machine.next);
      if (machine.notice !== null && machine.notice.deadline <= clock.now() && machine.state !== "gone") {
        machine.reason = "reclaimed";
        end(machine, "provider", machine.notice.deadline);
      }
    }
  };
  const fault = (kind: Fault, message: string) => new ProviderError(id, kind, message);
  const refuse = (kind: Exclude<Fault["kind"], "no-capacity" | "rate-limited">, message: string): never => {
    throw fault({ kind }, message);
  };
  const answer = async <Result>(signal: AbortSignal, work: () => Result): Promise<Result> => {
    await clock.sleep(settings.latencyMs, signal);
    settle();
    if (clock.now() < cloud.outageUntil) refuse("unavailable", "the cloud is down");
    const result = work();
    await clock.sleep(settings.latencyMs, signal);
    return result;
  };
  const found = (machineId: string): PaperMachine => {
    const machine = machines.get(machineId);
    if (machine === undefined) throw fault({ kind: "not-found" }, `no machine ${machineId}`);
    return machine;
  };
  const holderOf = (volumeId: string) =>
    [...machines.values()].find(
      (machine) => !OVER.includes(machine.state) && (machine.volumeIds.includes(volumeId) || machine.rootId === volumeId),
    );
  /** The root disk of a machine that is there is no volume of its own yet. */
  const isPart = (volumeId: string) =>
    [...machines.values()].some(({ rootId, state }) => rootId === volumeId && !OVER.includes(state) && state !== "terminating");
  const noteUnsealed = (machine: PaperMachine) => {
    const isUp = machine.runningSince !== null && ["running", "reclaiming"].includes(machine.state);
    const hadWork = isUp && clock.now() - (machine.runningSince ?? 0) > 90_000;
    if (hadWork && machine.volumeIds.length > 0 && machine.sealedAt === null) cloud.unsealedEnds.push(machine.id);
  };

  const launch = (spec: LaunchSpec): PaperMachine => {
    const twin = settings.idempotent ? [...machines.values()].find((machine) => machine.token === spec.token) : undefined;
    if (twin !== undefined) return twin;
    const zone = zones.find((candidate) => candidate.zone === spec.offer.zone);
    if (zone === undefined) throw fault({ kind: "invalid-request" }, `no zone ${spec.offer.zone}`);
    const billing = spec.offer.billing === "on-demand" ? "on-demand" : "spot";
    if (left({ zone, billing }) <= 0) throw fault({ kind: "no-capacity", scope: "zone" }, `${zone.zone} is sold out`);
    if (spec.maxPrice !== null && spec.maxPrice.micros < priceOf({ zone, billing }).micros) refuse("price-too-low", "the price rose");
    for (const { providerVolumeId } of spec.volumes) {
      const volume = volumes.get(providerVolumeId);
      if (volume === undefined) refuse("invalid-request", `no volume ${providerVolumeId}`);
      if (settings.zonal && volume?.spec.zone !== zone.zone) refuse("invalid-request", "the volume lies in another zone");
      if (volume?.spec.region !== zone.region) refuse("invalid-request", "the volume lies in another region");
      if (holderOf(providerVolumeId) !== undefined) refuse("conflict", "the volume is attached elsewhere");
    }
    if (spec.rootVolumeId !== null) {
      const root = volumes.get(spec.rootVolumeId);
      if (root === undefined || root.spec.zone !== zone.zone) refuse("invalid-request", "the root disk is not there");
      if (holderOf(spec.rootVolumeId) !== undefined) refuse("conflict", "the root disk is attached elsewhere");
    }
    if (billing === "spot") zone.stock--;
    else zone.onDemandStock--;
    const rootId = settings.keepsRoot ? (spec.rootVolumeId ?? `r-${++serial}`) : null;
    if (rootId !== null && !volumes.has(rootId)) {
      const boots = { name: `${spec.name}-root`, sizeGb: 50, region: zone.region, zone: zone.zone, token: spec.token };
      volumes.set(rootId, { id: rootId, spec: boots, checkpoints: [] });
    }
    const isFailing = cloud.failingStarts > 0;
    if (isFailing) cloud.failingStarts--;
    const machine: PaperMachine = {
      id: `m-${++serial}`,
      name: spec.name,
      token: spec.token,
      zone,
      billing,
      createdAt: clock.now(),
      volumeIds: settings.attaches ? [] : spec.volumes.map((volume) => volume.providerVolumeId),
      rootId,
      expectsVolume: settings.attaches && spec.bootScript.includes("volume"),
      awaits: /^# awaits (\S+)$/m.exec(spec.bootScript)?.[1] ?? null,
      mounted: false,
      state: "provisioning",
      runningSince: null,
      next: { at: clock.now() + settings.provisionMs, state: isFailing ? "failed" : "running" },
      notice: null,
      endedBy: null,
      endedAt: null,
      reason: null,
      sealedAt: null,
    };
    machines.set(machine.id, machine);
    return machine;
  };

  const shown = (machine: PaperMachine): ProviderInstance => ({
    providerId: machine.id,
    name: machine.name,
    token: machine.token,
    state: machine.notice !== null && machine.state === "running" ? "reclaiming" : machine.state,
    rawState: `paper-${machine.state}`,
    region: machine.zone.region,
    zone: machine.zone.zone,
    type: "h100.1",
    gpu: GPU,
    billing: machine.billing,
    price: priceOf(machine),
    createdAt: machine.createdAt,
    protectedUntil: null,
    notice: machine.notice === null ? null : { kind: "reclaim", source: "api", seenAt: clock.now(), deadline: machine.notice.deadline },
    reach: { kind: "process", cwd: machine.id, env: {}, log: "" },
    volumeIds: machine.volumeIds,
    reason: machine.reason,
    endedBy: machine.endedBy,
    canHibernate: true,
    dataKeptUntil: null,
    endpoints: [],
    // One that is only ordered does not say it yet.
    rootVolumeId: machine.state === "provisioning" ? null : machine.rootId,
  });

  const destroy = (machineId: string, keepRoot = false): "accepted" | "gone" => {
    const machine = machines.get(machineId);
    if (machine === undefined || machine.state === "gone") return "gone";
    if (machine.state === "terminating") return "accepted";
    noteUnsealed(machine);
    if (machine.state === "hibernated" || machine.state === "failed") give(machine, -1);
    if (!keepRoot && machine.rootId !== null) volumes.delete(machine.rootId);
    machine.state = "terminating";
    machine.next = { at: clock.now() + settings.changeMs, state: "gone", endedBy: "user" };
    return "accepted";
  };
  const hibernate = (machineId: string): void => {
    const machine = found(machineId);
    if (machine.state !== "running") refuse("conflict", `it is ${machine.state}`);
    noteUnsealed(machine);
    machine.state = "hibernating";
    machine.notice = null;
    machine.next = { at: clock.now() + settings.changeMs, state: "hibernated" };
  };
  const restore = (machineId: string): void => {
    const machine = found(machineId);
    if (machine.state !== "hibernated") refuse("conflict", `it is ${machine.state}`);
    if (left(machine) <= 0) throw fault({ kind: "no-capacity", scope: "zone" }, "no hardware to come back to");
    give(machine, -1);
    machine.state = "restoring";
    machine.next = { at: clock.now() + settings.changeMs, state: "running" };
  };

  const attach = (volumeId: string, machineId: string): void => {
    const machine = found(machineId);
    const holder = holderOf(volumeId);
    if (machine.state !== "running") refuse("conflict", `it is ${machine.state}`);
    if (holder !== undefined && holder !== machine) refuse("conflict", "the volume is attached elsewhere");
    machine.volumeIds = [volumeId];
  };

  const volumeShown = (volume: PaperVolume): ProviderVolume => ({
    providerId: volume.id,
    name: volume.spec.name,
    token: volume.spec.token,
    sizeGb: volume.spec.sizeGb,
    region: volume.spec.region,
    zone: volume.spec.zone,
    rawState: "available",
    attachedTo: holderOf(volume.id)?.id ?? null,
    pricePerHour: usd(100),
    usedBytes: null,
    localPath: null,
    device: settings.attaches && holderOf(volume.id) !== undefined ? "/dev/vdb" : null,
  });

  const offers = (): readonly Offer[] =>
    zones.flatMap((zone) =>
      (["spot", "on-demand"] as const).map((billing) => ({
        provider: id,
        region: zone.region,
        zone: zone.zone,
        type: "h100.1",
        gpu: GPU,
        vcpus: 16,
        memoryGb: 128,
        billing,
        price: priceOf({ zone, billing }),
        onDemandPrice: ON_DEMAND,
        // What is said about stock is as old as the last price sheet: a launch may still be refused.
        stock: "unknown" as const,
        noticeSeconds: 120,
        protectionSeconds: 0,
        interruptionsPerHour: null,
        source: "live" as const,
        observedAt: clock.now(),
      })),
    );

  const provider: Provider = {
    id,
    capabilities: {
      noticeSeconds: 120,
      protectionSeconds: 0,
      hibernate: settings.hibernates,
      idempotentLaunch: settings.idempotent,
      listSettlesMs: settings.listSettlesMs,
      volumes: true,
      zonalVolumes: settings.zonal,
      endsAtTtl: false,
      restartsReclaimed: false,
      listEvery: null,
      machine: { kind: "process", notices: "local", endsItself: true, volumes: settings.attaches ? "device" : "mounted" },
      retainsAddress: false,
      keepsRoot: settings.keepsRoot,
      billsMarketPrice: true,
      freeIfReclaimedWithinMs: settings.freeIfReclaimedWithinMs,
      stoppedBillsGpu: true,
      pollMs: 150,
      whyNoStop: "on paper nothing stops",
      asleep: LOCAL_ASLEEP,
    },
    offers: (_query, { signal }) => answer(signal, offers),
    launch: (spec, { signal }) => answer(signal, () => shown(launch(spec))),
    list: ({ signal }) =>
      answer(signal, () =>
        [...machines.values()]
          .filter((machine) => clock.now() - machine.createdAt >= settings.listSettlesMs)
          .filter((machine) => machine.endedAt === null || clock.now() - machine.endedAt < 60_000)
          .map(shown),
      ),
    get: (machineId, { signal }) =>
      answer(signal, () => {
        const machine = machines.get(machineId);
        const isForgotten = machine === undefined || (machine.endedAt !== null && clock.now() - machine.endedAt > 3_600_000);
        return isForgotten ? undefined : shown(machine);
      }),
    destroy: (machineId, { signal }, options) => answer(signal, () => destroy(machineId, options?.keepRoot)),
    volumes: {
      create: (spec, { signal }) =>
        answer(signal, () => {
          const from = spec.fromSnapshotId;
          const begins = snapshots.get(from ?? "");
          if (from !== undefined && (begins === undefined || !isReady(begins))) refuse("conflict", `the snapshot ${from} is not ready`);
          const volume: PaperVolume = { id: `d-${++serial}`, spec, checkpoints: [...(contents.get(from ?? "") ?? [])] };
          volumes.set(volume.id, volume);
          return volumeShown(volume);
        }),
      list: ({ signal }) => answer(signal, () => [...volumes.values()].filter(({ id: disk }) => !isPart(disk)).map(volumeShown)),
      remove: (volumeId, { signal }) =>
        answer(signal, () => {
          if (holderOf(volumeId) !== undefined) refuse("conflict", "the volume is attached");
          if (![...snapshots.values()].some((made) => made.volumeId === volumeId && isReady(made))) unsnapshotted.push(volumeId);
          volumes.delete(volumeId);
        }),
      ...(settings.attaches
        ? {
            attach: (volumeId: string, machineId: string, { signal }: { readonly signal: AbortSignal }) =>
              answer(signal, () => attach(volumeId, machineId)),
          }
        : {}),
      snapshots: {
        create: (volumeId, spec, { signal }) =>
          answer(signal, () => {
            const volume = volumes.get(volumeId);
            if (volume === undefined) throw fault({ kind: "not-found" }, `no volume ${volumeId}`);
            const { sizeGb, region } = volume.spec;
            const made = { providerId: `s-${++serial}`, ...spec, volumeId, sizeGb, region, createdAt: clock.now() };
            const snapshot: ProviderSnapshot = { ...made, state: "pending", rawState: "paper-pending" };
            snapshots.set(snapshot.providerId, snapshot);
            contents.set(snapshot.providerId, [...volume.checkpoints]);
            return snapshot;
          }),
        list: ({ signal }) =>
          answer(signal, () =>
            [...snapshots.values()].map((snapshot) =>
              isReady(snapshot) ? { ...snapshot, state: "ready", rawState: "paper-ready" } : snapshot,
            ),
          ),
        remove: (snapshotId, { signal }) => answer(signal, () => void snapshots.delete(snapshotId)),
      },
    },
    ...(settings.hibernates === "park"
      ? {}
      : {
          hibernation: {
            hibernate: (machineId, { signal }) => answer(signal, () => hibernate(machineId)),
            restore: (machineId, { signal }) => answer(signal, () => restore(machineId)),
          },
        }),
  };

  const cloud: PaperCloud = {
    provider,
    settings,
    zones,
    machines,
    volumes,
    snapshots,
    sealed: [],
    failingStarts: 0,
    outageUntil: 0,
    unsealedEnds: [],
    unsnapshotted,
    isPart,
    living() {
      settle();
      return [...machines.values()].filter((machine) => machine.state !== "gone");
    },
    machine(machineId) {
      settle();
      return machines.get(machineId);
    },
    reclaim(machineId, noticeMs) {
      settle();
      const machine = found(machineId);
      if (machine.state === "running") machine.notice = { at: clock.now(), deadline: clock.now() + noticeMs };
      settle();
    },
    withdraw(machineId) {
      settle();
      found(machineId).notice = null;
    },
    console(machineId, what) {
      settle();
      const machine = found(machineId);
      if (what === "destroy" && machine.state !== "gone") {
        machine.sealedAt = clock.now();
        destroy(machineId);
      } else if (what === "hibernate" && machine.state === "running") {
        machine.sealedAt = clock.now();
        hibernate(machineId);
      } else if (what === "restore" && machine.state === "hibernated" && left(machine) > 0) restore(machineId);
    },
  };
  return cloud;
}
