import { durationText } from "../../model/duration.ts";
import type { Rng } from "../../model/ids.ts";
import type { Clock } from "../../platform/clock.ts";
import { isFault } from "../../providers/errors.ts";
import type { Capabilities, Provider } from "../../providers/provider.ts";
import type { BudgetPace } from "../budgets/budget-watch.ts";
import type { GuardPace } from "../guards.ts";
import { openTurns, type Turns } from "../leases/turns.ts";
import type { LooseEndsPace } from "../loose-ends.ts";
import type { Listing } from "../observe.ts";
import type { Told } from "../steps/told.ts";

const SHORTEST_MS = 1_000;
const LONGEST_MS = 30_000;
/** Without a notice there is only the loss to be seen, and rate limits are to be shared with other tools. */
const NO_NOTICE_MS = 10_000;
/** Of a notice, no more than this part may pass before it is seen. */
const PART_OF_NOTICE = 60;
/** Who does not answer is asked less often, up to this part of a notice, or up to so long where there is none to be missed. */
const PART_WHILE_SILENT = 4;
const SILENT_MS = 120_000;
/** Two watches that began in the same second shall not beat in step for ever. */
const JITTER = 0.1;

/** How often a whole account is listed by a watch, in milliseconds: a short notice needs a short pace. */
export function lookEveryMs({ noticeSeconds, machine, listEvery }: Capabilities): number {
  if (machine.kind === "process") return SHORTEST_MS;
  if (listEvery !== null) return Math.max(SHORTEST_MS, listEvery.ms);
  if (noticeSeconds <= 0) return NO_NOTICE_MS;
  return Math.min(LONGEST_MS, Math.max(SHORTEST_MS, (noticeSeconds * 1000) / PART_OF_NOTICE));
}

/** As often as a cloud lets one ask about something that changes, in milliseconds. */
function atOnceMs(capabilities: Capabilities): number {
  return Math.min(lookEveryMs(capabilities), Math.max(SHORTEST_MS, capabilities.pollMs));
}

/** How often an account is listed while a machine there is under notice: up to three times as often, as far as its cloud allows. */
function urgentEveryMs(capabilities: Capabilities): number {
  return Math.max(atOnceMs(capabilities), lookEveryMs(capabilities) / 3);
}

/** The longest that a provider which does not answer, or wants to be left alone, is not asked, in milliseconds. */
function mostSilenceMs(capabilities: Capabilities): number {
  const { noticeSeconds } = capabilities;
  return Math.max(lookEveryMs(capabilities), noticeSeconds <= 0 ? SILENT_MS : (noticeSeconds * 1000) / PART_WHILE_SILENT);
}

/** How often a watch asks, from one pass to the next. */
export interface Pace {
  /** Whether it is time to list a provider's account again; asking counts as having listed it. */
  isDue(provider: Provider): boolean;
  /** What came of it: the list, or why there is none and the fault itself. */
  listed(provider: Provider, listing: Listing, error?: unknown): void;
  /** The lists that have not come yet, by provider: later passes take them up. Null where a pass waits for all of them. */
  readonly lists: Map<string, Promise<Listing>> | null;
  /** The records that could not go on when they were last worked on, by id, with their version then and why. */
  readonly stuck: Map<string, { readonly version: number; readonly why: string | null; readonly problem: unknown }>;
  /** The records that change by themselves, with their version then and until when (monotonic ms) no look at them is worth a call. Null where none follows. */
  readonly later: Map<string, { readonly version: number; readonly at: number; readonly why: string | null }> | null;
  /** The work that passes have left going on beside them, by record; null where a pass waits for all of its work. */
  readonly underway: Map<string, Promise<unknown>> | null;
  /** Whose turn it is, of all that the passes have begun. */
  readonly turns: Turns;
  /** Which agents have heard of their notices. */
  readonly told: Told;
  /** The reading of volumes that goes on beside the passes; null where a pass waits for it. */
  readonly syncs: { underway: Promise<void> | null } | null;
  /** What belongs to no record is looked at beside the passes; null where a pass waits for it. */
  readonly looseEnds: LooseEndsPace | null;
  /** When the budgets are due. */
  readonly budgets: BudgetPace;
  /** When the agents are asked whether they live; null where each pass asks whoever is due. */
  readonly guards: GuardPace | null;
}

/** Everything is due at once. */
export const noPace = (): Pace => ({
  isDue: () => true,
  listed: () => undefined,
  lists: null,
  stuck: new Map(),
  later: null,
  underway: null,
  turns: openTurns(),
  told: new Map(),
  syncs: null,
  looseEnds: null,
  budgets: { at: 0 },
  guards: null,
});

/** A provider that is not asked as often, or more often, than it should be. */
export interface PaceWarning {
  readonly provider: string;
  readonly message: string;
}

/** The pace of a watch, and what else it wants to know and to change. */
export interface OwnPace extends Pace {
  /** The last answers, by provider. */
  readonly latest: ReadonlyMap<string, { readonly provider: Provider; readonly listing: Exclude<Listing, string> }>;
  /** Lists this provider as soon as its rate limit lets us. */
  hasten(provider: string): void;
  /** The providers with machines under notice: they are listed more often. */
  hurry(providers: ReadonlySet<string>): void;
  /** Everything is due at once, and what was listed is as if it had not been: nobody knows what happened meanwhile. */
  forget(): void;
  /** Whether any of the providers that were ever listed is due now. */
  isAnyDue(): boolean;
  /** Who did not answer the last time that it was asked, and why. */
  silent(): readonly { readonly provider: string; readonly why: string }[];
  /** What a person should know of it: who wants to be left alone for longer than a notice lets us. */
  warnings(): readonly PaceWarning[];
}

interface Beat {
  readonly provider: Provider;
  /** When it was last asked, by the monotonic clock. */
  asked: number;
  /** This time's share of the interval. */
  factor: number;
  /** In a row, and what the last one was. */
  failures: number;
  why: string;
  /** How long it asked to be left alone, in milliseconds; null when its failure was another. */
  retryAfterMs: number | null;
  isHastened: boolean;
}

/** How long after the last question the next one may be asked, in milliseconds. */
function intervalMs(beat: Beat, isUrgent: boolean): number {
  const { capabilities } = beat.provider;
  const usual = isUrgent ? urgentEveryMs(capabilities) : lookEveryMs(capabilities);
  if (beat.failures === 0) return beat.isHastened ? atOnceMs(capabilities) : usual;
  // Once is a hiccup; only what happens again is a state.
  const backed = lookEveryMs(capabilities) * 2 ** Math.min(10, beat.failures - 1);
  return Math.min(mostSilenceMs(capabilities), Math.max(backed, beat.retryAfterMs ?? 0));
}

function warningOf({ provider, retryAfterMs, failures }: Beat): PaceWarning | null {
  const { noticeSeconds } = provider.capabilities;
  const most = mostSilenceMs(provider.capabilities);
  if (failures === 0 || retryAfterMs === null || retryAfterMs <= most) return null;
  const why = noticeSeconds > 0 ? `a notice there lasts ${durationText(noticeSeconds * 1000)}` : "a loss is to be seen in time";
  const message = `${provider.id} wants no question for ${durationText(retryAfterMs)}; ${why}, so it is asked again after ${durationText(most)}`;
  return { provider: provider.id, message };
}

/** Each provider at its own pace, from now on. `rng` spreads the questions; without it every interval is exact. */
export function ownPace(clock: Clock, rng?: Rng): OwnPace {
  const beats = new Map<string, Beat>();
  const latest = new Map<string, { readonly provider: Provider; readonly listing: Exclude<Listing, string> }>();
  const lists = new Map<string, Promise<Listing>>();
  let urgent: ReadonlySet<string> = new Set();
  const factor = () => (rng === undefined ? 1 : 1 - JITTER + 2 * JITTER * rng.next());
  const isTime = (beat: Beat) => {
    const every = intervalMs(beat, urgent.has(beat.provider.id)) * beat.factor;
    // Half a second of slack, so that a pace of one second is not missed by a timer that fired a moment early.
    return clock.monotonic() - beat.asked >= every - 500;
  };
  return {
    isDue(provider) {
      if (lists.has(provider.id)) return false;
      const beat = beats.get(provider.id);
      if (beat !== undefined && !isTime(beat)) return false;
      const { failures = 0, why = "", retryAfterMs = null } = beat ?? {};
      beats.set(provider.id, { provider, asked: clock.monotonic(), factor: factor(), failures, why, retryAfterMs, isHastened: false });
      return true;
    },
    listed(provider, listing, error) {
      const beat = beats.get(provider.id);
      if (typeof listing !== "string") latest.set(provider.id, { provider, listing });
      if (beat === undefined) return;
      beat.failures = typeof listing === "string" ? beat.failures + 1 : 0;
      beat.why = typeof listing === "string" ? listing : "";
      beat.retryAfterMs = isFault(error, "rate-limited") && error.fault.kind === "rate-limited" ? error.fault.retryAfterMs : null;
    },
    lists,
    latest,
    hasten(id) {
      const beat = beats.get(id);
      if (beat !== undefined) beat.isHastened = true;
    },
    hurry(providers) {
      urgent = providers;
    },
    forget() {
      beats.clear();
      latest.clear();
    },
    isAnyDue: () => lists.size > 0 || [...beats.values()].some(isTime),
    silent: () => [...beats.values()].filter(({ failures }) => failures > 0).map(({ provider, why }) => ({ provider: provider.id, why })),
    warnings: () => [...beats.values()].flatMap((beat) => warningOf(beat) ?? []),
    stuck: new Map(),
    later: new Map(),
    underway: new Map(),
    turns: openTurns(),
    told: new Map(),
    syncs: { underway: null },
    looseEnds: { underway: null, last: { strays: [], unended: [], volumes: [], reaps: [] }, listings: new Map() },
    budgets: { at: 0 },
    guards: { next: new Map(), asked: new Map(), underway: null },
  };
}
