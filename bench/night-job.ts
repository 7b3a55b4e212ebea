import type { GuestDoor } from "../src/fleet/fleet.ts";
import type { Clock } from "../src/platform/clock.ts";
import type { Reach } from "../src/providers/provider.ts";
import type { PaperCloud, PaperMachine } from "../test/simulation/paper-cloud.ts";
import { paperGuest } from "../test/simulation/paper-guest.ts";

/** How long things take, in milliseconds. */
export interface Pace {
  /** From a running machine to an agent that serves. */
  readonly bootMs: number;
  /** To put a checkpoint back. */
  readonly restoreMs: number;
  /** To save and seal one; the job stands still meanwhile. */
  readonly sealMs: number;
  /** By the clock, from the end of one seal to the next. */
  readonly everyMs: number;
}

/** What one machine was good for. Times are epoch milliseconds. */
interface Run {
  readonly machine: PaperMachine;
  readonly servesFrom: number;
  /** Work that was put back into it. */
  readonly base: number;
  /** How long it stood still for seals so far, and since when it does now. */
  stoodMs: number;
  sealing: { readonly since: number; readonly done: Promise<boolean> } | null;
  /** When it ended; null while it lives. */
  endedAt: number | null;
  /** Wakes its agent. */
  asleep: AbortController | null;
}

/** What a night was made of, in milliseconds, over all instances. */
export interface Tally {
  readonly reclaims: number;
  /** Work that was done after the last sealed checkpoint of a machine that went. */
  readonly lostMs: number;
  readonly sealingMs: number;
  /** Booting and putting a checkpoint back. */
  readonly startingMs: number;
  readonly workingMs: number;
  readonly seals: number;
  readonly sealsUnderNotice: number;
}

/** What the agent keeps of the time to a deadline besides what a seal takes (`plan` in agent.sh). */
const marginMs = (leftMs: number) => (leftMs > 60_000 ? 4_000 : 1_000);

/**
 * The agents of a night, with a job that works a second a second from where its checkpoint left it. They do what agent.sh does:
 * seal by the clock; at a notice seal at once where that fits, and once more as late as it is sure to fit. What does not fit is
 * not begun. Everything else is the paper guest's.
 */
export function nightJobs(clock: Clock, cloud: PaperCloud, pace: Pace) {
  const runs = new Map<string, Run>();
  /** Sealed work by volume. */
  const sealed = new Map<string, number>();
  const count = { seals: 0, underNotice: 0 };
  const volumeOf = (machine: PaperMachine) => machine.volumeIds[0] ?? "";
  const isOver = ({ machine, endedAt }: Run) => endedAt !== null || !["running", "reclaiming"].includes(machine.state);

  const standingMs = ({ stoodMs, sealing }: Run, at: number) => stoodMs + (sealing === null ? 0 : Math.max(0, at - sealing.since));
  const work = (run: Run, now: number) => {
    const at = Math.min(now, run.endedAt ?? now);
    return run.base + Math.max(0, at - run.servesFrom - standingMs(run, at));
  };

  const sealNow = async (run: Run, signal?: AbortSignal): Promise<boolean> => {
    const since = clock.now();
    const captured = work(run, since);
    await clock.sleep(pace.sealMs, signal);
    cloud.machine(run.machine.id);
    if (isOver(run)) return false;
    run.stoodMs += clock.now() - since;
    run.sealing = null;
    count.seals++;
    if (run.machine.notice !== null) count.underNotice++;
    sealed.set(volumeOf(run.machine), captured);
    run.machine.sealedAt = clock.now();
    const id = `c-${run.machine.id}-${count.seals}`;
    cloud.volumes.get(volumeOf(run.machine))?.checkpoints.push({ id, machine: run.machine.id, at: clock.now() });
    return true;
  };
  /** One at a time: whoever comes second waits for the first, and then for his own. */
  const seal = async (run: Run, signal?: AbortSignal): Promise<boolean> => {
    while (run.sealing !== null && !isOver(run)) await run.sealing.done.catch(() => false);
    if (isOver(run) || work(run, clock.now()) <= (sealed.get(volumeOf(run.machine)) ?? 0)) return !isOver(run);
    const done = sealNow(run, signal);
    run.sealing = { since: clock.now(), done };
    try {
      return await done;
    } finally {
      if (!isOver(run)) run.sealing = null;
    }
  };

  /** The agent of one machine, from its start to its end. */
  const agent = async (run: Run): Promise<void> => {
    await sleepUntil(run, run.servesFrom);
    for (let next = clock.now() + pace.everyMs, answered: number | null = null; ; ) {
      cloud.machine(run.machine.id);
      if (isOver(run)) return;
      const now = clock.now();
      const deadline = run.machine.notice?.deadline ?? null;
      const last = deadline === null ? Number.POSITIVE_INFINITY : deadline - pace.sealMs - marginMs(deadline - now);
      const isNews = deadline !== null && answered !== deadline;
      if (now <= last && (isNews || now >= next || now === last)) {
        answered = deadline;
        await seal(run).catch(() => false);
        next = clock.now() + pace.everyMs;
      }
      // Past the last moment nothing more is begun: it waits for its end, or for the notice to be taken back.
      await sleepUntil(run, clock.now() < last ? Math.min(next, last) : next);
    }
  };
  /** Until then, or until something has happened to it. */
  const sleepUntil = async (run: Run, at: number) => {
    run.asleep = new AbortController();
    await clock.sleep(Math.max(1, at - clock.now()), run.asleep.signal).catch(() => undefined);
  };

  /** The run of a machine that runs; made at the first look at it. */
  const runOf = (machine: PaperMachine): Run | undefined => {
    const known = runs.get(machine.id);
    if (known !== undefined || machine.runningSince === null) return known;
    const base = sealed.get(volumeOf(machine)) ?? 0;
    const servesFrom = machine.runningSince + pace.bootMs + (base > 0 ? pace.restoreMs : 0);
    const run: Run = { machine, servesFrom, base, stoodMs: 0, sealing: null, endedAt: null, asleep: null };
    runs.set(machine.id, run);
    void agent(run);
    return run;
  };
  const inside = (reach: Reach): Run | undefined => {
    const machine = cloud.machine(reach.kind === "process" ? reach.cwd : "");
    return machine === undefined || !["running", "reclaiming"].includes(machine.state) ? undefined : runOf(machine);
  };
  const serves = (run: Run | undefined) => run !== undefined && clock.now() >= run.servesFrom;

  const paper = paperGuest(clock, cloud);
  const guest: GuestDoor = {
    ...paper,
    async report(reach, signal) {
      const run = inside(reach);
      const report = await paper.report(reach, signal);
      return run === undefined || report === undefined ? undefined : { ...report, phase: serves(run) ? "running" : "restoring" };
    },
    async snapshot(reach, _reason, _deadline, signal) {
      const run = inside(reach);
      if (run === undefined || !serves(run)) return { kind: "failed", why: "nobody is there" };
      const isSealed = await seal(run, signal);
      return isSealed ? { kind: "sealed", id: `c-${count.seals}`, step: null, files: 1, bytes: 1 } : { kind: "failed", why: "it ended" };
    },
    // It has heard it by itself.
    tellNotice: async () => undefined,
    isReady: async (reach) => serves(inside(reach)),
  };

  return {
    guest,
    /** To be called whenever a machine may have begun to run. */
    started: (machine: PaperMachine) => void runOf(machine),
    /** When a machine that is on its way will serve or be looked at again; undefined when that is now. */
    servesAt(machineId: string): number | undefined {
      const machine = cloud.machine(machineId);
      if (machine?.state === "provisioning") return machine.next?.at;
      const run = runs.get(machineId);
      return machine?.state === "running" && run !== undefined && clock.now() < run.servesFrom ? run.servesFrom : undefined;
    },
    warned: (machine: PaperMachine) => runOf(machine)?.asleep?.abort(),
    /** To be called at the moment at which a machine stops working. */
    ended(machine: PaperMachine, at: number) {
      const run = runOf(machine);
      if (run === undefined) return;
      run.endedAt ??= at;
      run.asleep?.abort();
    },
    /** All that was done by `until`. */
    tally(until: number, reclaims: number): Tally {
      for (const run of runs.values()) run.endedAt ??= run.machine.endedAt;
      const all = [...runs.values()].map((run) => {
        const at = Math.min(until, run.endedAt ?? until);
        const sealingMs = standingMs(run, at);
        const startingMs = Math.max(0, Math.min(at, run.servesFrom) - (run.machine.runningSince ?? run.servesFrom));
        const done = work(run, at);
        // What follows begins where the checkpoint is, and that is at least what this one began with.
        const lostMs = run.endedAt === null ? 0 : Math.max(0, done - Math.max(run.base, sealedBy(run)));
        return { sealingMs, startingMs, workingMs: done - run.base, lostMs };
      });
      const sum = (key: keyof (typeof all)[number]) => all.reduce((total, one) => total + one[key], 0);
      return {
        reclaims,
        lostMs: sum("lostMs"),
        sealingMs: sum("sealingMs"),
        startingMs: sum("startingMs"),
        workingMs: sum("workingMs"),
        seals: count.seals,
        sealsUnderNotice: count.underNotice,
      };
    },
  };

  /** The work that the next machine of this one's volume began with, or that is sealed now. */
  function sealedBy(run: Run): number {
    const later = [...runs.values()].find(
      ({ machine }) => volumeOf(machine) === volumeOf(run.machine) && machine.createdAt > run.machine.createdAt,
    );
    return later?.base ?? sealed.get(volumeOf(run.machine)) ?? 0;
  }
}
