import { burntZones } from "../../src/fleet/deciding/history.ts";
import { CONTROLLER_LOOKS_MS, LEAST_STAY_MS, SLEEP_MARGIN_MS } from "../../src/fleet/deciding/policy.ts";
import type { FleetEvent } from "../../src/model/event.ts";
import type { Reclaim } from "../../src/model/outlook.ts";
import type { InstanceSpec } from "../../src/state/records.ts";
import type { PaperWorld } from "./paper-world.ts";

/** One instance's life as its events tell it. */
interface Life {
  readonly spec: InstanceSpec | undefined;
  reclaims: readonly Reclaim[];
  /** When it was last seen to need a machine. */
  needs: number;
  /** Where the machine came from that it lost or left. */
  left: string;
  readyAt: number;
  leftOnDemandAt: number;
  /** The last wish to wake it allows it. */
  isOnDemandAllowed: boolean;
}

const never = Number.NEGATIVE_INFINITY;

/**
 * Replays all events and holds every launch and every move against the promises of the policies: no burnt zone is taken,
 * on-demand is no fallback before its time, and nobody leaves on-demand twice within half an hour.
 */
export async function brokenDecisions({ state }: PaperWorld): Promise<readonly string[]> {
  const records = await state.instances({ includeGone: true });
  const specs = new Map(records.map(({ name, createdAt, spec }) => [`${name} ${createdAt}`, spec]));
  const lives = new Map<string, Life>();
  const broken: string[] = [];
  for (let afterSeq = 0; ; ) {
    const events = await state.events({ afterSeq });
    for (const event of events) {
      const { instance, data, at } = event;
      if (instance === null) continue;
      if (data["intent"] === "up")
        lives.set(instance, {
          spec: specs.get(`${instance} ${at}`),
          reclaims: [],
          needs: at,
          left: "",
          readyAt: never,
          leftOnDemandAt: never,
          isOnDemandAllowed: false,
        });
      const life = lives.get(instance);
      if (life !== undefined) broken.push(...follow(life, event).map((what) => `event ${event.seq}, ${instance}: ${what}`));
    }
    const last = events.at(-1);
    if (last === undefined) return broken;
    afterSeq = last.seq;
  }
}

function follow(life: Life, { type, at, data }: FleetEvent): readonly string[] {
  const text = (key: string) => String(data[key] ?? "");
  const machine = text("providerId");
  const others = life.reclaims.filter((reclaim) => reclaim.machine !== machine);
  const isKnown = others.length < life.reclaims.length;
  if (type === "notice" && data["withdrawn"] === true) life.reclaims = others;
  if ((type === "notice" && data["kind"] === "reclaim") || data["taken"] === true)
    if (!isKnown) life.reclaims = [...life.reclaims, { machine, pool: text("pool"), at, ranMs: null }];
  // A machine that never served leaves the need as old as it was.
  if (data["action"] === "lost" && data["ranMs"] !== null) {
    life.needs = at;
    life.left = text("pool");
  }
  if (data["action"] === "wish" && data["desired"] === "running") {
    life.needs = at;
    life.left = "";
    life.isOnDemandAllowed = Array.isArray(data["ways"]) && data["ways"].includes("on-demand");
  }
  if (type === "state" && data["to"] === "running") life.readyAt = at;
  if (data["action"] === "work-on") return worksOn(data);
  if (data["intent"] === "launch") return launches(life, text("offer"), text("because"), at);
  if (data["intent"] === "destroy" && text("because").startsWith("spot is back")) return leaves(life, at);
  return [];
}

function launches(life: Life, pool: string, because: string, at: number): readonly string[] {
  const { spec, needs, reclaims, left } = life;
  const zone = pool.split("/").slice(0, 3).join("/");
  if (pool.endsWith("/spot")) {
    const isOnDemandToCome = spec !== undefined && spec.fallbackAfterMs !== null && at < needs + spec.fallbackAfterMs;
    const isLast = because.includes("there all the same") && !isOnDemandToCome;
    return burntZones(reclaims, at).has(zone) && !isLast ? [`a launch in ${zone}, which is burnt`] : [];
  }
  if (spec === undefined || spec.billing !== "spot" || left.endsWith("/on-demand") || life.isOnDemandAllowed) return [];
  if (spec.fallbackAfterMs === null) return ["on demand, and nobody allowed it"];
  const early = needs + spec.fallbackAfterMs - at;
  return early > 0 ? [`on demand ${early} ms before its time`] : [];
}

/** Whoever works on under a notice keeps what a take-over by another controller takes, and its last seal. */
function worksOn({ deadline, nextLook }: FleetEvent["data"]): readonly string[] {
  const kept = Number(deadline) - Number(nextLook);
  return kept >= SLEEP_MARGIN_MS + CONTROLLER_LOOKS_MS ? [] : [`it works on until ${kept} ms before its machine goes`];
}

function leaves(life: Life, at: number): readonly string[] {
  const since = Math.min(at - life.readyAt, at - life.leftOnDemandAt);
  life.leftOnDemandAt = at;
  return since < LEAST_STAY_MS ? [`it left on-demand after ${since} ms`] : [];
}
