import { CONTROLLER_LOOKS_MS } from "../../fleet/deciding/policy.ts";
import type { Fleet } from "../../fleet/fleet.ts";
import type { Bell } from "../../fleet/hearing/bell.ts";
import type { OpenEar } from "../../fleet/hearing/ear.ts";
import { look, type Silent } from "../../fleet/hearing/look.ts";
import type { OwnPace } from "../../fleet/hearing/pace.ts";
import { controllerText, livingController, type Seat } from "../../fleet/leases/controller.ts";
import { reconcile } from "../../fleet/pass.ts";
import { Problem } from "../../model/problem.ts";
import type { InstanceRecord, NewEvent } from "../../state/records.ts";
import type { CommandContext } from "../command.ts";

/** Between two passes; a short notice needs a short one. */
const POLL_MS = 1_000;
/** One pass of `--act` may work this long on what is not settled before the next look. */
const PASS_LIMIT_MS = 2_000;
/** Where nothing is due and nothing has changed, a pass is made all the same after so long. */
const IDLE_MS = CONTROLLER_LOOKS_MS;
/** A provider is listed quickly for so long past the deadline of a notice there. */
const AFTERWARDS_MS = 600_000;

/** What the parts of one watch share. */
export interface Watching {
  readonly context: CommandContext;
  readonly fleet: Fleet;
  readonly pace: OwnPace;
  readonly ear: OpenEar;
  /** Null where nobody acts here. */
  readonly seat: Seat | null;
  /** The instances that are looked at; all of them when empty. */
  readonly names: readonly string[];
  /** Ends the pause between two passes. */
  readonly passBell: Bell;
  /** Ends the pause before what is new is told. */
  readonly newsBell: Bell;
  readonly note: ((trouble: string | null) => Promise<void>) | null;
  /** What does not work just now. */
  troubles: readonly string[];
  /** Who answers what happens. */
  acting: string;
  /** The last lines that commands of `--exec` have said, where a table is drawn over whatever else is written. */
  talk: readonly string[];
}

/** An event of the watch's own. Where it cannot be written it is said. */
export function tellLog({ fleet, context, newsBell }: Pick<Watching, "fleet" | "context" | "newsBell">, event: NewEvent): void {
  fleet.state.commit({ events: [event] }).then(newsBell.ring, () => context.progress.warn(String(event.data["message"])));
}

const wordsOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** Something that another try cannot change: a database that is damaged, or of a newer program. */
export function isForGood(error: unknown): boolean {
  return error instanceof Problem && !error.retryable && error.code.startsWith("SPOT_E_STATE");
}

/** Looks, and with `--act` acts, until the signal fires. What goes wrong is shown and tried again. */
export async function hearOn(watching: Watching): Promise<void> {
  const { fleet, pace, passBell, newsBell, note } = watching;
  const { signal } = watching.context.world;
  let seen = -1;
  let isBusy = true;
  let followed = "";
  let passedAt = fleet.clock.monotonic();
  const said = new Set<string>();
  while (!signal.aborted) {
    try {
      const seq = await fleet.state.lastSeq();
      const isIdle = fleet.clock.monotonic() - passedAt >= IDLE_MS;
      if (isBusy || isIdle || seq !== seen || pace.isAnyDue()) {
        seen = seq;
        passedAt = fleet.clock.monotonic();
        isBusy = await onePass(watching);
        followed = await follow(watching, followed);
        newsBell.ring();
      }
    } catch (error) {
      if (signal.aborted) break;
      if (isForGood(error)) throw error;
      watching.troubles = [wordsOf(error)];
      isBusy = true;
    }
    sayWarnings(watching, said);
    await note?.(watching.troubles.join("; ") || null);
    await passBell.pause(POLL_MS, signal);
  }
}

/** One look, or with `--act` one pass. @returns whether there is more to do before the next list. */
async function onePass(watching: Watching): Promise<boolean> {
  const { fleet, names, pace, seat, context } = watching;
  const { signal } = context.world;
  if (seat === null) {
    const living = await livingController(fleet);
    watching.acting =
      living === undefined ? "watching only, and nobody acts; --act responds" : `watching only; ${controllerText(living)} acts`;
    watching.troubles = silentTexts(await look(fleet, signal, names, pace), pace);
    return false;
  }
  const turn = await seat.take(signal);
  // The one who acts writes down what it hears, and that is what is shown: the clouds are asked once, not by everybody.
  if (turn.kind === "stands-by") {
    watching.acting = turn.controller === undefined ? "standing by" : `standing by: ${controllerText(turn.controller)} acts`;
    watching.troubles = turn.controller === undefined ? [] : [watching.acting];
    return true;
  }
  watching.acting = "watching and acting";
  const report = await reconcile(turn.held.fleet, { signal: turn.held.signal, limitMs: PASS_LIMIT_MS, pace });
  watching.troubles = [
    ...report.items.filter((item) => item.outcome === "stuck").map((item) => `${item.instance}: ${item.why ?? "stuck"}`),
    ...report.unended.map(({ what, why }) => `${what}: ${why}`),
    ...report.volumes.map(({ volume, why }) => `volume ${volume}: ${why}`),
    ...silentTexts(report.silent, pace),
  ];
  return (pace.underway?.size ?? 0) > 0 || report.items.some(({ outcome }) => outcome === "busy" || outcome === "waiting");
}

/** Who does not answer: also whoever was not asked again in this very pass. */
function silentTexts(now: readonly Silent[], pace: OwnPace): readonly string[] {
  return [...new Set([...now, ...pace.silent()].map(({ provider, why }) => `${provider} does not answer: ${why}`))];
}

/**
 * Listens to the agents of what is there now, and quickens where a notice is pending. Whoever stands by leaves it to the one who
 * acts. `before` is what the last call has returned.
 */
async function follow({ fleet, ear, pace, names, acting }: Watching, before: string): Promise<string> {
  if (acting.startsWith("standing by")) {
    ear.reset();
    return "";
  }
  // Ten thousand records are not read anew every second to find that they are the same.
  const key = [await fleet.state.lastSeq(), pace.latest.size, Math.floor(fleet.clock.monotonic() / IDLE_MS)].join();
  if (key === before) return before;
  const records = await fleet.state.instances(names.length === 0 ? {} : { names });
  ear.follow(records);
  pace.hurry(new Set(records.filter((record) => isPending(record, fleet.clock.now())).map(({ provider }) => provider)));
  return key;
}

function isPending({ notice, desired }: InstanceRecord, now: number): boolean {
  return notice !== null && notice.kind !== "rebalance" && desired === "running" && now < notice.deadline + AFTERWARDS_MS;
}

/** A provider that wants to be left alone for longer than a notice allows: said once each time, and shown as long as it lasts. */
function sayWarnings(watching: Watching, said: Set<string>): void {
  const warnings = watching.pace.warnings();
  for (const old of said) if (!warnings.some(({ message }) => message === old)) said.delete(old);
  for (const { provider, message } of warnings) {
    if (said.has(message)) continue;
    said.add(message);
    tellLog(watching, { at: watching.fleet.clock.now(), type: "warning", instance: null, provider, data: { message } });
  }
}
