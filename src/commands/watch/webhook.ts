import { gate } from "../../fleet/hearing/ear-books.ts";
import { readOn } from "../../fleet/hearing/tail.ts";
import { durationText } from "../../model/duration.ts";
import type { FleetEvent } from "../../model/event.ts";
import type { Rng } from "../../model/ids.ts";
import { type Clock, follower } from "../../platform/clock.ts";
import type { HttpClient } from "../../platform/http.ts";
import type { NewEvent, State } from "../../state/records.ts";
import { type Posted, post } from "./webhook-post.ts";
import type { WebhookTarget } from "./webhook-target.ts";

/** So many posts to one receiver at once; those about one instance go one after the other. */
const AT_ONCE = 8;
/** So many events may wait for one receiver; the others wait in the log. */
const MOST_WAITING = 500;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 5 * 60_000;
/** An event older than this is no news to anybody. */
export const WORTH_TELLING_MS = 24 * 3_600_000;
const READ_EVERY_MS = 250;
const CURSOR_EVERY_MS = 1_000;
/** After so many failures in a row it is the receiver that is down, and not one event that it cannot take. */
const DOWN_AFTER = 3;
/** What is on its way when the watch ends is waited for so long. */
const FAREWELL_MS = 2_000;

export interface WebhookOptions {
  readonly target: WebhookTarget;
  readonly client: HttpClient;
  readonly state: Pick<State, "events" | "commit">;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly secret: string | null;
  /** It begins with the event after this one. */
  readonly from: number;
  readonly accepts: (event: FleetEvent) => boolean;
  readonly signal: AbortSignal;
  /** How often the log is read, in milliseconds; 250 unless told. */
  readonly readEveryMs?: number;
  /** What did not go well, for the log of events. */
  readonly warn: (event: NewEvent) => void;
}

interface Delivery extends WebhookOptions {
  /** What waits, in order, by what it is about. */
  readonly chains: Map<string, FleetEvent[]>;
  /** Read, and neither delivered nor given up. */
  readonly open: Set<number>;
  readonly work: Set<Promise<void>>;
  readonly doors: ReturnType<typeof gate>;
  /** For what is on its way: it ends a little later than the watch. */
  readonly last: AbortController;
  read: number;
  saved: number;
  /** In a row, of all of them. */
  failures: number;
  /** By the monotonic clock. */
  notBefore: number;
  tooOld: number;
}

/**
 * Posts what happens to one receiver, each event at least once, until the signal fires. It reads the log by itself, from where
 * it stopped the last time, so a receiver that is down keeps neither the watch nor another receiver waiting, and what it
 * misses waits in the log and not in memory.
 */
export async function deliver(options: WebhookOptions): Promise<void> {
  const { clock, signal, from, readEveryMs = READ_EVERY_MS } = options;
  const delivery: Delivery = {
    ...options,
    chains: new Map(),
    open: new Set(),
    work: new Set(),
    doors: gate(AT_ONCE),
    last: new AbortController(),
    read: from,
    saved: from,
    failures: 0,
    notBefore: 0,
    tooOld: 0,
  };
  let savedAt = clock.monotonic();
  while (!signal.aborted) {
    await readMore(delivery).catch(() => undefined);
    if (clock.monotonic() - savedAt >= CURSOR_EVERY_MS) {
      await save(delivery).catch(() => undefined);
      savedAt = clock.monotonic();
    }
    await clock.sleep(readEveryMs, signal).catch(() => undefined);
  }
  await Promise.race([Promise.all(delivery.work), clock.sleep(FAREWELL_MS)]);
  delivery.last.abort();
  await Promise.all(delivery.work);
  await save(delivery).catch(() => undefined);
  await options.client.close();
}

/** Takes up what is new, as far as there is room. */
async function readMore(delivery: Delivery): Promise<void> {
  const { state, signal, clock, open, chains, accepts } = delivery;
  if (open.size >= MOST_WAITING) return;
  const full = follower(signal);
  await readOn(state, delivery.read, full.own.signal, (events) => {
    for (const event of events) {
      if (open.size >= MOST_WAITING) {
        full.own.abort();
        return;
      }
      delivery.read = event.seq;
      // What a hook brought about is no news for another one, or they would answer each other for ever.
      if (!accepts(event) || event.data["hook"] !== undefined) continue;
      if (clock.now() - event.at > WORTH_TELLING_MS) {
        delivery.tooOld += 1;
        continue;
      }
      open.add(event.seq);
      const key = event.instance ?? event.provider ?? "";
      const chain = chains.get(key);
      if (chain === undefined) begin(delivery, key, [event]);
      else chain.push(event);
    }
  }).finally(full.done);
  if (delivery.tooOld === 0) return;
  say(delivery, null, `${delivery.tooOld} events were older than ${durationText(WORTH_TELLING_MS)} and were not told`);
  delivery.tooOld = 0;
}

function begin(delivery: Delivery, key: string, chain: FleetEvent[]): void {
  delivery.chains.set(key, chain);
  const work: Promise<void> = workOff(delivery, key, chain).finally(() => delivery.work.delete(work));
  delivery.work.add(work);
}

/** Tells what waits about one instance, one after the other. */
async function workOff(delivery: Delivery, key: string, chain: FleetEvent[]): Promise<void> {
  for (let event = chain[0]; event !== undefined; event = chain[0]) {
    if (!(await tell(delivery, event, chain))) return;
    delivery.open.delete(event.seq);
    chain.shift();
  }
  delivery.chains.delete(key);
}

/** A notice or a state that another one of the same instance has followed is no longer true. */
function isSuperseded({ type, seq }: FleetEvent, chain: readonly FleetEvent[]): boolean {
  return (type === "notice" || type === "state") && chain.some((later) => later.type === type && later.seq > seq);
}

/** Tells one event until it has been taken, or is not worth it any more. @returns false when the watch ended before. */
async function tell(delivery: Delivery, event: FleetEvent, chain: readonly FleetEvent[]): Promise<boolean> {
  const { clock, signal, doors, client, target, secret, last } = delivery;
  for (let attempt = 1; !signal.aborted; attempt++) {
    if (attempt > 1 && isSuperseded(event, chain)) return true;
    if (clock.now() - event.at > WORTH_TELLING_MS && attempt > 1) {
      say(delivery, event, `gave up telling of event ${event.seq} after ${durationText(clock.now() - event.at)}`);
      return true;
    }
    const held = delivery.notBefore - clock.monotonic();
    if (attempt > 1 && held > 0) await clock.sleep(held, signal).catch(() => undefined);
    if (signal.aborted) return false;
    const leave = await doors.enter();
    // Whoever waited at the door goes on to its end: the last words are those that are on their way.
    const answer = await post(client, target, { event, attempt, now: clock.now() }, secret, last.signal).finally(leave);
    if (answer.kind === "delivered") {
      well(delivery);
      return true;
    }
    if (answer.kind === "refused") {
      well(delivery, false);
      say(delivery, event, `did not take event ${event.seq}: ${answer.why}`);
      return true;
    }
    if (last.signal.aborted) return false;
    await pause(delivery, attempt, answer);
  }
  return false;
}

function well(delivery: Delivery, isAnswer = true): void {
  if (isAnswer && delivery.failures >= DOWN_AFTER) say(delivery, null, "answers again");
  delivery.failures = 0;
  delivery.notBefore = 0;
}

/** Exponential, with full jitter; where the receiver itself says when, not sooner. */
async function pause(delivery: Delivery, attempt: number, { why, retryAfterMs }: Extract<Posted, { kind: "failed" }>): Promise<void> {
  const { clock, rng, signal } = delivery;
  const upTo = (times: number) => rng.next() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(20, times - 1));
  delivery.failures += 1;
  if (delivery.failures === DOWN_AFTER)
    say(delivery, null, `does not take what it is told (${why}); it is tried again and again for a day`);
  const ms = Math.max(upTo(attempt), retryAfterMs ?? 0);
  if (retryAfterMs !== null || delivery.failures >= DOWN_AFTER) {
    const shared = Math.max(retryAfterMs ?? 0, delivery.failures >= DOWN_AFTER ? upTo(delivery.failures) : 0);
    delivery.notBefore = Math.max(delivery.notBefore, clock.monotonic() + shared);
  }
  await clock.sleep(ms, signal).catch(() => undefined);
}

/** Everything up to here needs not be told again. */
async function save(delivery: Delivery): Promise<void> {
  const { open, state, clock, target } = delivery;
  const seq = open.size === 0 ? delivery.read : Math.min(...open) - 1;
  if (seq === delivery.saved) return;
  await state.commit({ cursors: [{ name: target.cursor, seq, at: clock.now() }] });
  delivery.saved = seq;
}

function say({ warn, clock, target }: Delivery, event: FleetEvent | null, message: string): void {
  const about = event === null ? {} : { about: event.seq };
  warn({
    at: clock.now(),
    type: "warning",
    instance: event?.instance ?? null,
    provider: event?.provider ?? null,
    data: { message: `the webhook at ${target.host} ${message}`, hook: "webhook", ...about },
  });
}
