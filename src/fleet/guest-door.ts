import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { bootScript } from "../guest/boot-script.ts";
import { guestNotice, guestSnapshot, guestStatus } from "../guest/run-verb.ts";
import { EXIT } from "../model/exit-codes.ts";
import { Problem } from "../model/problem.ts";
import { deadline } from "../platform/clock.ts";
import { httpClient } from "../platform/http.ts";
import { runProgram } from "../platform/process.ts";
import type { World } from "../platform/world.ts";
import type { MachineKind, Reach } from "../providers/provider.ts";
import type { InstanceRecord, InstanceSpec } from "../state/records.ts";
import type { GuestDoor } from "./fleet.ts";

/** How long one readiness probe may take, in milliseconds. */
const PROBE_MS = 5_000;

/** The real way in: the agent's verbs, over whatever reach a machine has. */
export function createGuestDoor(world: World): GuestDoor {
  return {
    async report(reach, signal) {
      try {
        const status = await guestStatus(reach, { signal });
        return {
          phase: status.phase,
          awaitsVolume: false,
          exitCode: status.exitCode,
          step: status.step,
          restoredFrom: status.restoredFrom,
          lastSealSeconds: status.lastSealSeconds,
          noticeDeadline: status.notice?.deadline ?? null,
        };
      } catch (error) {
        // A machine whose agent has not started yet, or is gone already, has nothing to say.
        if (error instanceof Problem) return undefined;
        throw error;
      }
    },
    async snapshot(reach, reason, deadlineSeconds, signal) {
      try {
        const result = await guestSnapshot(reach, reason, deadlineSeconds === null ? null : deadlineSeconds * 1000, { signal });
        if (result.kind === "empty") return { kind: "nothing-to-seal" };
        const { id, step, files, bytes } = result.checkpoint;
        return { kind: "sealed", id, step, files, bytes };
      } catch (error) {
        if (error instanceof Problem) return { kind: "failed", why: error.message };
        throw error;
      }
    },
    tellNotice: (reach, deadlineSeconds, signal) => guestNotice(reach, deadlineSeconds * 1000, "reclaim", { signal }),
    tellWithdrawn: () => notBuilt(),
    mountVolume: () => notBuilt(),
    releaseVolume: () => notBuilt(),
    sealed: () => notBuilt(),
    publicKey: () => notBuilt(),
    isReady: (reach, spec, signal) => isReady(reach, spec, signal),
    bootScript: (record, machine) => bootScriptFor(world, record, machine),
  };
}

async function isReady(reach: Reach, spec: InstanceSpec, signal: AbortSignal): Promise<boolean> {
  const limit = deadline(signal, PROBE_MS);
  try {
    if (spec.readyHttp !== null && !(await answersHttp(reach, spec.readyHttp, limit.signal))) return false;
    if (spec.readyCmd === null) return true;
    if (reach.kind !== "process") return false;
    const result = await runProgram(["/bin/sh", "-c", spec.readyCmd], {
      cwd: spec.workdir ?? reach.cwd,
      env: { ...reach.env, ...spec.env },
      signal: limit.signal,
    });
    return result.code === 0;
  } finally {
    limit.done();
  }
}

/** `:8000/health` on the machine answers with a status below 400. */
async function answersHttp(reach: Reach, target: string, signal: AbortSignal): Promise<boolean> {
  const match = /^:(\d{1,5})(\/.*)?$/.exec(target);
  const host = reach.kind === "ssh" ? reach.host : "127.0.0.1";
  const client = httpClient(`http://${host}:${match?.[1] ?? ""}`);
  try {
    const { status } = await client.send({ method: "GET", path: match?.[2] ?? "/", signal });
    return status < 400;
  } finally {
    await client.close();
  }
}

function notBuilt(): Promise<never> {
  return Promise.reject(new Problem({ code: "SPOT_E_UNSUPPORTED", message: "not built yet", exit: EXIT.failed }));
}

async function bootScriptFor(world: World, record: InstanceRecord, machine: MachineKind): Promise<string> {
  const { spec } = record;
  const [volume] = record.volumes;
  const source = await readFile(join(world.packageRoot, "src", "guest", "agent.sh"), "utf8");
  return bootScript(
    {
      machine,
      instance: record.name,
      volumeName: volume?.name ?? null,
      volumeMount: volume?.mount ?? null,
      command: spec.command,
      env: spec.env,
      workdir: spec.workdir,
      checkpointHook: spec.checkpointHook,
      checkpointEverySeconds: spec.checkpointEveryMs === null ? null : spec.checkpointEveryMs / 1000,
      ttlEndsAt: record.ttlEndsAt === null ? null : Math.floor(record.ttlEndsAt / 1000),
      idleSeconds: spec.idleMs === null ? null : spec.idleMs / 1000,
    },
    source,
  );
}
