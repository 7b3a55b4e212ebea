import type { GuestDoor } from "../../src/fleet/fleet.ts";
import type { Clock } from "../../src/platform/clock.ts";
import type { Reach } from "../../src/providers/provider.ts";
import type { PaperCloud, PaperMachine } from "./paper-cloud.ts";

/** From the start of the machine until its agent says that the workload runs. */
const BOOT_MS = 300;
const SEAL_MS = 300;

/** The agents inside the machines of a paper cloud. */
export function paperGuest(clock: Clock, cloud: PaperCloud): GuestDoor {
  const inside = (reach: Reach): PaperMachine | undefined => {
    const machine = cloud.machine(reach.kind === "process" ? reach.cwd : "");
    return machine?.state === "running" ? machine : undefined;
  };
  const isBooted = (machine: PaperMachine) => clock.now() - (machine.runningSince ?? clock.now()) >= BOOT_MS;
  const hasVolume = (machine: PaperMachine) => isBooted(machine) && (!machine.expectsVolume || machine.mounted);
  const order = (id: string) => Number(id.slice("c-".length));
  const isHeld = ({ awaits, volumeIds: [volume = ""] }: PaperMachine) =>
    awaits !== null && !cloud.volumes.get(volume)?.checkpoints.some(({ id }) => order(id) >= order(awaits));
  const isBegun = (machine: PaperMachine) => hasVolume(machine) && !isHeld(machine);
  return {
    async report(reach) {
      const machine = inside(reach);
      if (machine === undefined) return undefined;
      return {
        phase: isBegun(machine) ? "running" : "preparing",
        awaitsVolume: isBooted(machine) && !hasVolume(machine),
        awaitsCheckpoint: hasVolume(machine) && isHeld(machine) ? machine.awaits : null,
        exitCode: null,
        step: null,
        restoredFrom: null,
        lastSealSeconds: null,
        noticeDeadline: machine.notice === null ? null : machine.notice.deadline / 1000,
      };
    },
    async snapshot(reach, _reason, _deadline, signal) {
      await clock.sleep(SEAL_MS, signal);
      const machine = inside(reach);
      if (machine === undefined) return { kind: "failed", why: "the machine is not there" };
      const volume = cloud.volumes.get(machine.volumeIds[0] ?? "");
      if (volume === undefined || !isBegun(machine)) return { kind: "nothing-to-seal" };
      const made = { id: `c-${cloud.sealed.length + 1}`, machine: machine.id, at: clock.now() };
      volume.checkpoints.push(made);
      cloud.sealed.push(made);
      machine.sealedAt = clock.now();
      return { kind: "sealed", id: made.id, step: null, files: 1, bytes: 1 };
    },
    async tellNotice(reach) {
      const machine = inside(reach);
      if (machine !== undefined) machine.sealedAt = clock.now();
    },
    tellWithdrawn: async () => undefined,
    async mountVolume(reach) {
      const machine = inside(reach);
      if (machine !== undefined && machine.volumeIds.length > 0) machine.mounted = true;
    },
    releaseVolume: async () => undefined,
    async sealed(reach) {
      const volume = cloud.volumes.get(inside(reach)?.volumeIds[0] ?? "");
      if (!cloud.settings.readable || volume === undefined) throw new Error("its disk cannot be read");
      const { name } = inside(reach) ?? { name: "" };
      return volume.checkpoints.toReversed().map(({ id, at }) => ({
        id,
        instance: name,
        // As its agent was told at boot.
        volume: name,
        createdAt: at,
        files: 1,
        bytes: 1,
        sha256: id,
        sealed: true,
        verifiedAt: null,
        step: null,
        reason: "manual",
      }));
    },
    publicKey: async () => "ssh-ed25519 AAAA paper",
    isReady: async (reach) => {
      const machine = inside(reach);
      return machine !== undefined && isBegun(machine);
    },
    bootScript: async (record, _cloud, _peers, awaits = null) =>
      `#!/bin/sh\n${record.volumes.length > 0 ? "# waits for its volume\n" : ""}${awaits === null ? "" : `# awaits ${awaits}\n`}`,
  };
}
