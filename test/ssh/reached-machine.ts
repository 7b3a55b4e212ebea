import { onTestFinished } from "vitest";
import { type AgentSettings, bootScript } from "../../src/guest/boot-script.ts";
import { runAgentVerb } from "../../src/guest/run-verb.ts";
import { runProgram } from "../../src/platform/process.ts";
import type { SshAccess } from "../../src/platform/ssh-files.ts";
import { ensureSshKey } from "../../src/platform/ssh-key.ts";
import type { Reach } from "../../src/providers/provider.ts";
import { type Machine, type MachineRoom, machineRoom } from "../clouds/machine-room.ts";
import { agentSource, eventually, noSettings } from "../guest/machine.ts";
import { temporaryFolder } from "../world.ts";

export type SshReach = Extract<Reach, { readonly kind: "ssh" }>;

/** No agent of whoever runs the tests, and nothing of this process's environment but PATH. */
export function access(home: string = temporaryFolder(), env: Readonly<Record<string, string>> = {}): SshAccess {
  return { home, env: { PATH: process.env["PATH"] ?? "", HOME: home, ...env } };
}

export async function room(): Promise<MachineRoom> {
  const made = await machineRoom();
  onTestFinished(() => made.close());
  return made;
}

export function reachOf(machine: Machine, alias = "fake-m1"): SshReach {
  return { kind: "ssh", host: machine.host, port: machine.port, user: machine.user, password: null, alias };
}

export const never = () => new AbortController().signal;

/** A machine that does nothing, and our key in it. */
export async function bareMachine(ssh: SshAccess, place?: MachineRoom): Promise<Machine> {
  const key = await ensureSshKey(ssh, never());
  const boot = { script: "#!/bin/sh\nexit 0\n" };
  return (place ?? (await room())).boot({ id: "m1", kind: "vm", boot, authorizedKeys: [key], mounts: [] });
}

/** A container with the real agent, its volume at /data, and a workload; its agent answers. */
export async function agentMachine(
  ssh: SshAccess,
  settings: Partial<AgentSettings> = {},
  place?: MachineRoom,
): Promise<{ readonly machine: Machine; readonly reach: SshReach; readonly place: MachineRoom }> {
  const where = place ?? (await room());
  const authorizedKey = await ensureSshKey(ssh, never());
  const script = bootScript(
    {
      ...noSettings,
      machine: { kind: "container", notices: "controller", endsItself: false, volumes: "mounted" },
      authorizedKey,
      ...settings,
    },
    agentSource,
  );
  const mounts = [{ path: "/data", volumeId: "disk" }];
  const machine = await where.boot({
    id: "m1",
    kind: "container",
    boot: { argv: ["/bin/sh", "-c", script], env: {} },
    authorizedKeys: [],
    mounts,
  });
  const reach = reachOf(machine);
  await eventually("the agent", async () => {
    try {
      const status = await runAgentVerb(reach, ["status"], { ssh, signal: never() });
      return status.code === 0 && status.stdout.includes('"phase":"running"') ? true : undefined;
    } catch {
      return undefined; // sshd does not know our key yet
    }
  });
  return { machine, reach, place: where };
}

/** Ends shared connections, so that the next call has to connect anew. */
export async function hangUp(ssh: SshAccess, controlFolder: string): Promise<void> {
  const script = 'for s in "$0"/*; do [ -S "$s" ] && ssh -F /dev/null -O exit -o ControlPath="$s" x; done; :';
  await runProgram(["/bin/sh", "-c", script, controlFolder], { env: ssh.env, signal: never() });
}
