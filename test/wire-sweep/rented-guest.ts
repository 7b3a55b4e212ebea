import type { Ear, GuestDoor, GuestWord } from "../../src/fleet/fleet.ts";
import type { Checkpoint } from "../../src/model/checkpoint.ts";
import type { Clock } from "../../src/platform/clock.ts";
import type { MachineKind, Reach } from "../../src/providers/provider.ts";

/** What one machine's agent knows; it is gone with the machine. */
interface Agent {
  mounted: boolean;
  noticeDeadline: number | null;
  /** What its cloud itself has told it, and not we; epoch milliseconds. */
  ownDeadline: number | null;
}

/** Which instance a machine is, and the volume that it works on; null for one without. */
export interface Rented {
  readonly instance: string;
  readonly volume: string | null;
}

/** The agents of a cloud's machines, and what they have sealed on their volumes, which outlive them. */
export interface RentedGuests {
  readonly door: GuestDoor;
  readonly sealed: Checkpoint[];
  /** How often an agent was told of a notice. */
  told(): number;
  /** The cloud tells the agent whose alias has this part of a notice, or takes it back: where its API says nothing. Epoch milliseconds. */
  hear(part: string, deadline: number | null): void;
  /** What a watch that listens to the agents hears. */
  readonly ear: Ear;
}

/** Agents on paper behind a cloud on the wire: a machine is known by its reach, and answers while the cloud says so. */
export function rentedGuests(
  clock: Clock,
  machine: MachineKind,
  isUp: (alias: string) => boolean,
  whoIs: (alias: string) => Rented,
  { sealMs, mountMs }: { readonly sealMs: number; readonly mountMs: number },
): RentedGuests {
  const agents = new Map<string, Agent>();
  const sealed: Checkpoint[] = [];
  let told = 0;
  /** What the cloud said to machines that nobody has visited yet, by a part of their alias. */
  const said = new Map<string, number | null>();
  const aliasOf = (reach: Reach) => (reach.kind === "ssh" ? reach.alias : reach.cwd);
  const inside = (reach: Reach): Agent => {
    const alias = aliasOf(reach);
    if (!isUp(alias)) throw new Error(`${alias} does not answer`);
    const hasNothingToMount = machine.volumes === "mounted" || whoIs(alias).volume === null;
    const agent = agents.get(alias) ?? { mounted: hasNothingToMount, noticeDeadline: null, ownDeadline: null };
    agents.set(alias, agent);
    for (const [part, deadline] of said) if (alias.includes(part)) agent.ownDeadline = deadline;
    return agent;
  };
  const sealedOn = (reach: Reach) => sealed.filter(({ volume }) => volume === whoIs(aliasOf(reach)).volume);
  const wordOf = (deadline: number | null): GuestWord => ({ notice: deadline === null ? null : { kind: "reclaim", deadline, own: true } });
  const seal = (alias: string, reason: Checkpoint["reason"]): string | null => {
    const { instance, volume } = whoIs(alias);
    if (volume === null || !isUp(alias)) return null;
    const nr = sealed.length + 1;
    const sha256 = String(nr).padStart(64, "0");
    const made = { id: `c-${nr}`, instance, volume, createdAt: clock.now(), files: 1, bytes: 1, sha256 };
    sealed.push({ ...made, sealed: true, verifiedAt: null, step: null, reason });
    return made.id;
  };
  /** An agent that hears of a notice waits for nobody with its own checkpoint. */
  const sealByItself = (alias: string) => void clock.sleep(sealMs).then(() => seal(alias, "notice"));
  const door: GuestDoor = {
    async report(reach) {
      const agent = inside(reach);
      return {
        phase: agent.mounted ? "running" : "preparing",
        awaitsVolume: !agent.mounted,
        exitCode: null,
        step: null,
        restoredFrom: sealedOn(reach).at(-1)?.id ?? null,
        lastSealSeconds: null,
        noticeDeadline: agent.noticeDeadline,
        ...(said.size === 0 ? {} : { word: wordOf(agent.ownDeadline) }),
      };
    },
    async snapshot(reach, reason, _deadline, signal) {
      await clock.sleep(sealMs, signal);
      if (!inside(reach).mounted) return { kind: "failed", why: "the volume is not mounted" };
      const id = seal(aliasOf(reach), reason);
      if (id === null) return { kind: "failed", why: "it has no volume" };
      return { kind: "sealed", id, step: null, files: 1, bytes: 1 };
    },
    async tellNotice(reach, deadlineSeconds) {
      const agent = inside(reach);
      const isNews = agent.noticeDeadline !== deadlineSeconds;
      agent.noticeDeadline = deadlineSeconds;
      told += 1;
      if (isNews && agent.mounted) sealByItself(aliasOf(reach));
    },
    async tellWithdrawn(reach) {
      inside(reach).noticeDeadline = null;
    },
    async mountVolume(reach, _device, _sizeGb, signal) {
      await clock.sleep(mountMs, signal);
      inside(reach).mounted = true;
    },
    async releaseVolume(reach) {
      inside(reach).mounted = false;
    },
    async sealed(reach) {
      inside(reach);
      return sealedOn(reach).toReversed();
    },
    isReady: async () => true,
    bootScript: async () => "#!/bin/sh\nexec sleep 1000\n",
    publicKey: async () => "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHN3ZWVwc3dlZXBzd2VlcHN3ZWVwc3dlZXBzd2VlcHN3 sweep",
  };
  const ear: Ear = {
    word(_provider, providerId) {
      const part = providerId.split("/").at(-1) ?? providerId;
      return said.has(part) && isUp(part) ? wordOf(said.get(part) ?? null) : undefined;
    },
  };
  const hear: RentedGuests["hear"] = (part, deadline) => {
    said.set(part, deadline);
    const [alias] = [...agents].find(([one, { mounted }]) => mounted && one.includes(part)) ?? [];
    if (alias !== undefined && deadline !== null) sealByItself(alias);
  };
  return { door, sealed, told: () => told, hear, ear };
}
