/**
 * A workload on machines that are taken back, played event by event. It knows nothing of any formula: a machine is paid by the
 * second from its beginning, a callback falls when the dice say, a notice is heard at the next poll, and what is not in a whole
 * checkpoint when the machine goes is worked once more.
 */

export interface Life {
  readonly interruptionsPerHour: number;
  readonly protectionSeconds: number;
  readonly noticeSeconds: number;
  readonly everySeconds: number;
  readonly checkpointSeconds: number;
  readonly restartSeconds: number;
}

export interface Played {
  readonly machines: number;
  /** All in seconds. */
  readonly paid: number;
  readonly useful: number;
  readonly lost: number;
  readonly checkpoints: number;
  readonly restarts: number;
  /** Standard error of paid/useful, by the delta method over the machines. */
  readonly error: number;
}

/** Seeded dice, uniform in (0, 1): sfc32 (Chris Doty-Humphrey, PractRand), its first rolls thrown away. */
function dice(seed: number): () => number {
  let [a, b, c, turn] = [seed | 0, 0x9e3779b9 | 0, 0x243f6a88 | 0, 1];
  const roll = () => {
    const sum = (((a + b) | 0) + turn) | 0;
    turn = (turn + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return ((sum >>> 0) + 0.5) / 4_294_967_296;
  };
  for (let thrown = 0; thrown < 20; thrown++) roll();
  return roll;
}

/** The agent asks every ten seconds whether there is a notice. */
const POLL_SECONDS = 10;

interface Machine {
  readonly paid: number;
  readonly saved: number;
  readonly unsaved: number;
  readonly checkpoints: number;
  readonly start: number;
}

/** One machine from its beginning to its end. */
function machineOf(life: Life, roll: () => number): Machine {
  const { noticeSeconds, everySeconds, checkpointSeconds } = life;
  const called =
    life.interruptionsPerHour === 0 ? Infinity : life.protectionSeconds - Math.log(roll()) * (3600 / life.interruptionsPerHour);
  const gone = called + noticeSeconds;
  // Whoever hears early enough for two seals makes one; others go on as if nothing was said.
  const heard = noticeSeconds >= POLL_SECONDS + 2 * checkpointSeconds ? called + roll() * POLL_SECONDS : Infinity;
  let doing: "start" | "work" | "checkpoint" | "seal" = "start";
  let at = 0;
  let doneAt = life.restartSeconds;
  let start = 0;
  let saved = 0;
  let sinceCheckpoint = 0;
  let inCheckpoint = 0;
  let checkpoints = 0;
  let wasHeard = false;
  const spend = (until: number) => {
    const seconds = until - at;
    at = until;
    if (doing === "start") start += seconds;
    else if (doing === "work") sinceCheckpoint += seconds;
    else inCheckpoint += seconds;
  };
  for (;;) {
    const next = Math.min(doneAt, gone, wasHeard ? Infinity : heard);
    spend(next);
    if (next === gone) return { paid: at, saved, unsaved: sinceCheckpoint + inCheckpoint, checkpoints, start };
    if (next === heard && !wasHeard) {
      wasHeard = true;
      if (doing === "start") return { paid: at, saved, unsaved: 0, checkpoints, start };
      if (doing === "checkpoint") doing = "seal";
      else {
        doing = "seal";
        doneAt = at + checkpointSeconds;
      }
      continue;
    }
    if (doing === "checkpoint" || doing === "seal") {
      saved += sinceCheckpoint;
      checkpoints += inCheckpoint;
      sinceCheckpoint = 0;
      inCheckpoint = 0;
      if (doing === "seal") return { paid: at, saved, unsaved: 0, checkpoints, start };
      doing = "work";
    } else doing = doing === "start" ? "work" : "checkpoint";
    doneAt = at + (doing === "work" ? everySeconds : checkpointSeconds);
  }
}

/** Machines one after the other until so many hours are paid. */
export function playLives(life: Life, hours: number, seed: number): Played {
  const roll = dice(seed);
  const sum = { machines: 0, paid: 0, useful: 0, lost: 0, checkpoints: 0, restarts: 0 };
  // Of the squares, for the spread of paid − ratio × useful.
  const squares = { paid: 0, useful: 0, both: 0 };
  while (sum.paid < hours * 3600) {
    const { paid, saved, unsaved, checkpoints, start } = machineOf(life, roll);
    sum.machines += 1;
    sum.paid += paid;
    sum.useful += saved;
    sum.lost += unsaved;
    sum.checkpoints += checkpoints;
    sum.restarts += start;
    squares.paid += paid ** 2;
    squares.useful += saved ** 2;
    squares.both += paid * saved;
  }
  const ratio = sum.paid / sum.useful;
  const spread = squares.paid - 2 * ratio * squares.both + ratio ** 2 * squares.useful;
  return { ...sum, error: Math.sqrt(Math.max(0, spread)) / sum.useful };
}

/** Rates from a reclaim in 200 hours to twenty an hour, with and without notice and protection; some notices are too short. */
export const LIVES: readonly Life[] = [
  // an hour, protected, notice, every, checkpoint, restart
  [0.005, 0, 0, 3600, 30, 300],
  [0.02, 0, 120, 600, 5, 300],
  [0.05, 0, 0, 600, 5, 300],
  [0.05, 0, 120, 600, 5, 300],
  [0.05, 3600, 300, 1800, 20, 600],
  [0.05, 3600, 3600, 600, 60, 900],
  [0.1, 0, 0, 3600, 120, 120],
  [0.1, 0, 30, 600, 60, 300],
  [0.1, 3600, 0, 1200, 30, 1800],
  [0.2, 0, 30, 300, 5, 60],
  [0.2, 3600, 30, 1700, 100, 200],
  [0.3, 0, 120, 3600, 300, 600],
  [0.3, 0, 120, 1800, 50, 600],
  [0.5, 0, 0, 600, 60, 1800],
  [0.5, 3600, 120, 900, 10, 60],
  [0.5, 1800, 60, 2400, 200, 900],
  [1, 0, 0, 1800, 10, 300],
  [1, 0, 300, 600, 100, 300],
  [1, 3600, 0, 3600, 60, 600],
  [1.4, 0, 120, 600, 60, 900],
  [3, 0, 600, 900, 300, 600],
  [2, 0, 0, 1200, 120, 600],
  [2, 600, 120, 600, 50, 1200],
  [3, 0, 30, 300, 5, 300],
  [3, 0, 0, 900, 60, 900],
  [20, 0, 120, 300, 50, 110],
].map(
  ([interruptionsPerHour = 0, protectionSeconds = 0, noticeSeconds = 0, everySeconds = 0, checkpointSeconds = 0, restartSeconds = 0]) => ({
    interruptionsPerHour,
    protectionSeconds,
    noticeSeconds,
    everySeconds,
    checkpointSeconds,
    restartSeconds,
  }),
);
