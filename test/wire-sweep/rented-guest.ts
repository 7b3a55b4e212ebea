import type { GuestDoor } from "../../src/fleet/fleet.ts";
import type { Checkpoint } from "../../src/model/checkpoint.ts";
import type { Clock } from "../../src/platform/clock.ts";
import type { MachineKind, Reach } from "../../src/providers/provider.ts";

/** What one machine's agent knows; it is gone with the machine. */
interface Agent {
  mounted: boolean;
  noticeDeadline: number | null;
}

/** The agents of a cloud's machines, and what they have sealed on the one volume of the sweep, which outlives them. */
export interface RentedGuests {
  readonly door: GuestDoor;
  readonly sealed: Checkpoint[];
  /** How often an agent was told of a notice. */
  told(): number;
}

/** Agents on paper behind a cloud on the wire: a machine is known by its reach, and answers while the cloud says so. */
export function rentedGuests(
  clock: Clock,
  machine: MachineKind,
  isUp: (alias: string) => boolean,
  volume: string,
  { sealMs, mountMs }: { readonly sealMs: number; readonly mountMs: number },
): RentedGuests {
  const agents = new Map<string, Agent>();
  const sealed: Checkpoint[] = [];
  let told = 0;
  const inside = (reach: Reach): Agent => {
    const alias = reach.kind === "ssh" ? reach.alias : reach.cwd;
    if (!isUp(alias)) throw new Error(`${alias} does not answer`);
    const agent = agents.get(alias) ?? { mounted: machine.volumes === "mounted", noticeDeadline: null };
    agents.set(alias, agent);
    return agent;
  };
  const door: GuestDoor = {
    async report(reach) {
      const agent = inside(reach);
      return {
        phase: agent.mounted ? "running" : "preparing",
        awaitsVolume: !agent.mounted,
        exitCode: null,
        step: null,
        restoredFrom: sealed.at(-1)?.id ?? null,
        lastSealSeconds: null,
        noticeDeadline: agent.noticeDeadline,
      };
    },
    async snapshot(reach, reason, _deadline, signal) {
      await clock.sleep(sealMs, signal);
      const agent = inside(reach);
      if (!agent.mounted) return { kind: "failed", why: "the volume is not mounted" };
      const id = `c-${sealed.length + 1}`;
      sealed.push({
        id,
        instance: "train",
        volume,
        createdAt: clock.now(),
        files: 1,
        bytes: 1,
        sha256: String(sealed.length + 1).padStart(64, "0"),
        sealed: true,
        verifiedAt: null,
        step: null,
        reason,
      });
      return { kind: "sealed", id, step: null, files: 1, bytes: 1 };
    },
    async tellNotice(reach, deadlineSeconds) {
      inside(reach).noticeDeadline = deadlineSeconds;
      told += 1;
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
      return sealed.toReversed();
    },
    isReady: async () => true,
    bootScript: async () => "#!/bin/sh\nexec sleep 1000\n",
    publicKey: async () => "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHN3ZWVwc3dlZXBzd2VlcHN3ZWVwc3dlZXBzd2VlcHN3 sweep",
  };
  return { door, sealed, told: () => told };
}
