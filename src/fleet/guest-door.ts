import { readAgent } from "../guest/agent-source.ts";
import { bootScript } from "../guest/boot-script.ts";
import { logEnd } from "../guest/log-end.ts";
import { marksOf } from "../guest/marks.ts";
import type { GuestPeers } from "../guest/peers-at-boot.ts";
import { type GuestCheckpoint, type GuestStatus, parseHeard } from "../guest/protocol.ts";
import {
  guestExec,
  guestMarks,
  guestNotice,
  guestNoticeWithdrawn,
  guestReadyHttp,
  guestRelease,
  guestSealed,
  guestSnapshot,
  guestStatus,
  guestVolume,
  streamAgentVerb,
  type VerbOptions,
} from "../guest/run-verb.ts";
import { guestSettings } from "../guest/settings.ts";
import { sshAccess, wayIn } from "../guest/ssh-access.ts";
import { guestFreeze, guestThaw } from "../guest/stillness.ts";
import type { Checkpoint } from "../model/checkpoint.ts";
import { Problem } from "../model/problem.ts";
import { deadline } from "../platform/clock.ts";
import { httpClient } from "../platform/http.ts";
import { ensureSshKey } from "../platform/ssh-key.ts";
import type { World } from "../platform/world.ts";
import type { Capabilities, Reach } from "../providers/provider.ts";
import type { InstanceRecord, InstanceSpec } from "../state/records.ts";
import { checkpointClock, interruptionsFor } from "./deciding/checkpoint-interval.ts";
import type { GuestDoor, GuestLine, GuestReport, GuestWord } from "./fleet.ts";
import { orderText } from "./spec/spec-order.ts";

/** How long one readiness probe may take, in milliseconds: on this machine, and by ssh, where it may have to connect first. */
const PROBE_MS = 5_000;
const FAR_PROBE_MS = 15_000;
/** A snapshot under a deadline is waited for so much longer: it may have sealed at the last moment. */
const AFTER_DEADLINE_MS = 30_000;
/** What an agent that does not know a verb ends with. */
const NO_SUCH_VERB = 2;
const LONGEST_LINE = 65_536;

/** The real way in: the agent's verbs, over whatever reach a machine has. `say`: for what must not go unheard. */
export function createGuestDoor(world: World, say = (text: string) => world.stderr.write(`warning: ${text}\n`)): GuestDoor {
  const way = wayIn(world);
  const options = (signal: AbortSignal) => ({ signal, ...way });
  const alarm = hostKeyAlarm(say);
  return {
    async report(reach, signal) {
      try {
        return reportOf(await guestStatus(reach, options(signal)));
      } catch (error) {
        alarm(error);
        // A machine whose agent has not started yet, or is gone already, has nothing to say.
        if (error instanceof Problem) return undefined;
        throw error;
      }
    },
    async marks(reach, signal) {
      const told = await guestMarks(reach, options(signal));
      return told === undefined ? undefined : marksOf(told);
    },
    logEnd: (reach, lines, signal) => logEnd(reach, lines, options(signal)),
    async silence(reach, signal) {
      try {
        await guestStatus(reach, options(signal));
        return undefined;
      } catch (error) {
        if (error instanceof Problem) return error.message;
        throw error;
      }
    },
    async listen(reach, signal, onLine) {
      try {
        return await listen(reach, options(signal), onLine);
      } catch (error) {
        alarm(error);
        // A connection that cannot be made is one that has ended; whoever listens tries again.
        if (error instanceof Problem && !signal.aborted) return "ended";
        throw error;
      }
    },
    async snapshot(reach, reason, deadlineSeconds, signal) {
      const until = deadlineSeconds === null ? null : deadlineSeconds * 1000;
      const limit = until === null ? {} : { timeoutMs: Math.max(0, until - world.clock.now()) + AFTER_DEADLINE_MS };
      try {
        const result = await guestSnapshot(reach, reason, until, { ...options(signal), ...limit });
        if (result.kind === "empty") return { kind: "nothing-to-seal" };
        if (result.kind === "does-not-fit") return result;
        const { id, step, files, bytes } = result.checkpoint;
        return { kind: "sealed", id, step, files, bytes };
      } catch (error) {
        if (error instanceof Problem) return { kind: "failed", why: error.message };
        throw error;
      }
    },
    tellNotice: (reach, deadlineSeconds, signal) => guestNotice(reach, deadlineSeconds * 1000, "reclaim", options(signal)),
    tellWithdrawn: (reach, signal) => guestNoticeWithdrawn(reach, options(signal)),
    async mountVolume(reach, device, sizeGb, signal) {
      await guestVolume(reach, device, sizeGb, options(signal));
    },
    releaseVolume: (reach, signal) => guestRelease(reach, options(signal)),
    freeze: (reach, seconds, signal) => guestFreeze(reach, seconds, options(signal)),
    thaw: (reach, signal) => guestThaw(reach, options(signal)),
    sealed: async (reach, signal) => (await guestSealed(reach, options(signal))).map(checkpointOf),
    async settings(reach, signal) {
      try {
        return await guestSettings(reach, options(signal));
      } catch (error) {
        alarm(error);
        if (error instanceof Problem) return undefined;
        throw error;
      }
    },
    publicKey: (signal) => ensureSshKey(way.ssh, signal),
    isReady: (reach, spec, signal) => isReady(reach, spec, options(signal)),
    bootScript: (record, cloud, peers, awaits) => bootScriptFor(world, record, cloud, peers, awaits ?? null),
  };
}

/** A host key that has changed looks like a machine that does not answer; it is said once for each. */
function hostKeyAlarm(say: (text: string) => void): (error: unknown) => void {
  const said = new Set<string>();
  return (error) => {
    if (!(error instanceof Problem) || error.code !== "SPOT_E_HOST_KEY_CHANGED" || said.has(error.message)) return;
    said.add(error.message);
    say(`${error.message}; ${error.next.join("; ")}`);
  };
}

function reportOf(status: GuestStatus): GuestReport {
  return {
    phase: status.phase,
    awaitsVolume: status.awaits === "volume",
    awaitsCheckpoint: status.awaits === "volume" ? null : status.awaits,
    exitCode: status.exitCode,
    endedAt: status.endedAt,
    step: status.step,
    restoredFrom: status.restoredFrom,
    passedOver: (status.passedOver ?? "").split(" ").filter((id) => /^c-[0-9A-Za-z-]{1,64}$/.test(id)),
    lastSealSeconds: status.lastSealSeconds,
    checkpointSeconds: status.checkpointSeconds,
    everySeconds: status.every,
    noticeDeadline: status.notice?.deadline ?? null,
    heartbeatAt: status.heartbeatAt,
    saidAt: status.saidAt,
    fit: status.fit,
    ...(status.marks === null ? {} : { marks: marksOf(status.marks) }),
    ...(status.notice?.own === undefined && status.notice !== null ? {} : { word: wordOf(status.notice) }),
  };
}

function wordOf(notice: GuestStatus["notice"]): GuestWord {
  return { notice: notice === null ? null : { kind: notice.kind, deadline: notice.deadline * 1000, own: notice.own === true } };
}

/** Hears a machine's agent until the connection ends; lines that are none of its own are passed over. */
async function listen(reach: Reach, options: VerbOptions, onLine: (line: GuestLine) => void): Promise<"ended" | "unable"> {
  const program = await streamAgentVerb(reach, ["listen"], options);
  let rest = "";
  program.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = `${rest}${chunk}`.split("\n");
    rest = (lines.pop() ?? "").slice(-LONGEST_LINE);
    for (const line of lines) {
      const heard = parseHeard(line);
      if (heard !== undefined) onLine({ phase: heard.phase, step: heard.step, ...wordOf(heard.notice) });
    }
  });
  const { code } = await program.done;
  return code === NO_SUCH_VERB ? "unable" : "ended";
}

function checkpointOf({ instance, volume, createdAt, ...checkpoint }: GuestCheckpoint): Checkpoint {
  return { ...checkpoint, instance: instance ?? "", volume: volume ?? "", createdAt: createdAt * 1000, sealed: true, verifiedAt: null };
}

async function isReady(reach: Reach, spec: InstanceSpec, options: VerbOptions): Promise<boolean> {
  const limit = deadline(options.signal, reach.kind === "ssh" ? FAR_PROBE_MS : PROBE_MS);
  const within = { ...options, signal: limit.signal };
  try {
    if (spec.readyHttp !== null && !(await answersHttp(reach, spec.readyHttp, within))) return false;
    if (spec.readyCmd === null) return true;
    // In the environment and the folder of the workload, wherever the machine is.
    return (await guestExec(reach, ["/bin/sh", "-c", spec.readyCmd], within)).code === 0;
  } finally {
    limit.done();
  }
}

/** `:8000/health` on the machine answers with a status below 400; it need not be reachable from outside. */
async function answersHttp(reach: Reach, target: string, options: VerbOptions): Promise<boolean> {
  const match = /^:(\d{1,5})(\/.*)?$/.exec(target);
  const [port, path] = [match?.[1] ?? "", match?.[2] ?? "/"];
  if (reach.kind === "ssh") return guestReadyHttp(reach, port, path, options);
  const client = httpClient(`http://127.0.0.1:${port}`);
  try {
    const { status } = await client.send({ method: "GET", path, signal: options.signal });
    return status < 400;
  } finally {
    await client.close();
  }
}

async function bootScriptFor(
  world: World,
  record: InstanceRecord,
  { machine, noticeSeconds }: Pick<Capabilities, "machine" | "noticeSeconds">,
  peers: GuestPeers | undefined,
  awaits: string | null,
): Promise<string> {
  const { spec } = record;
  const clock = checkpointClock(spec, interruptionsFor(record, world.clock.now()));
  const [volume] = record.volumes;
  // A container has nobody but its boot script to let us in; into a vm the cloud does.
  const authorizedKey = machine.kind === "container" ? await ensureSshKey(sshAccess(world), world.signal) : null;
  const source = await readAgent(world.packageRoot);
  return bootScript(
    {
      machine,
      noticeSeconds,
      authorizedKey,
      ...(peers === undefined ? {} : { peers }),
      instance: record.name,
      volumeName: volume?.name ?? null,
      volumeMount: volume?.mount ?? null,
      command: spec.command,
      env: spec.env,
      workdir: spec.workdir,
      checkpointHook: spec.checkpointHook,
      checkpointEverySeconds: clock.kind === "ordered" ? clock.everySeconds : spec.checkpointEveryMs === 0 ? 0 : null,
      betweenSeconds: clock.kind === "daly" ? clock.interruptions.betweenSeconds : null,
      ttlEndsAt: record.ttlEndsAt === null ? null : Math.floor(record.ttlEndsAt / 1000),
      idleSeconds: spec.idleMs === null ? null : spec.idleMs / 1000,
      idleBy: spec.idleBy,
      caches: spec.caches !== false,
      awaits,
      order: orderText(spec),
    },
    source,
  );
}
