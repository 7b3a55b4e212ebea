import { follower } from "../../platform/clock.ts";
import { ProviderError } from "../../providers/errors.ts";
import { byUrgency, NOT_URGENT, UNANSWERED, UNDER_NOTICE, type Urgency } from "../deciding/urgency.ts";
import type { Fleet } from "../fleet.ts";
import { sharedOffers } from "../shared-offers.ts";
import { type Around, aroundCalls } from "./around-calls.ts";

/**
 * The books of so many records are read and written side by side before their first call leaves. The database takes one
 * statement after the other: of ten thousand at once each would wait for all the others.
 */
const BEGUN = 64;
/** So many short words with agents at once, each a process and a connection, as many as an ear has. A thousand take 11 s by 0.7 s each. */
const WORDS = 64;
/**
 * So many of those that wait for a checkpoint or an unmount. They cost a connection and no work: a thousand by 20 s each are
 * through in 105 s, within a notice of two minutes. Whoever comes later has been told, and seals without us.
 */
const LONG_WORDS = 192;
/** So many questions at one provider: by half a second each that is thirty in a second, about where the clouds' rate limits begin. */
const QUESTIONS = 16;
/**
 * So many calls that change something there. They have places of their own: a launch takes seconds, and a thousand that wait
 * for machines to come up ask all the time. By two seconds each that is sixteen launches in a second.
 */
const CHANGES = 32;
/** One turn of so many goes to whoever has waited longest, so that nobody waits for ever. */
const OLDEST_EVERY = 8;

const LONG: ReadonlySet<string> = new Set(["snapshot", "releaseVolume"]);
/** What only asks a provider. What is not named here counts as a change. */
const ASKS: ReadonlySet<string> = new Set(["get", "list", "offers", "account"]);
/** Not a word with a machine. `listen` lasts as long as the watch, and its ear has places of its own. */
const NOT_WORDS: ReadonlySet<string> = new Set(["publicKey", "bootScript", "listen"]);

interface Waiting {
  readonly id: string;
  readonly go: () => void;
}

/**
 * Whose turn it is: the most urgent one's, and of equals the one's who came first; `turn` is the number of this turn.
 * @param waiting in the order of coming; not empty.
 * @returns its index.
 */
export function nextOf(waiting: readonly { readonly id: string }[], urgencies: ReadonlyMap<string, Urgency>, turn: number): number {
  if (turn % OLDEST_EVERY === 0) return 0;
  let [next, least] = [-1, NOT_URGENT];
  for (const [index, { id }] of waiting.entries()) {
    const urgency = urgencies.get(id) ?? NOT_URGENT;
    if (next >= 0 && byUrgency(urgency, least) >= 0) continue;
    [next, least] = [index, urgency];
  }
  return next;
}

/** A number of places, and those who wait for one. */
interface Line {
  /** @returns what gives the place back. @throws the signal's reason when it fires before the turn comes. */
  enter(id: string, signal: AbortSignal | undefined): Promise<() => void>;
}

function lineOf(places: number, urgencies: ReadonlyMap<string, Urgency>): Line {
  const waiting: Waiting[] = [];
  let [free, turn] = [places, 0];
  const leave = () => {
    free += 1;
    while (free > 0 && waiting.length > 0) {
      turn += 1;
      const [next] = waiting.splice(nextOf(waiting, urgencies, turn), 1);
      free -= 1;
      next?.go();
    }
  };
  const once = () => {
    let isLeft = false;
    return () => {
      if (isLeft) return;
      isLeft = true;
      leave();
    };
  };
  return {
    async enter(id, signal) {
      signal?.throwIfAborted();
      if (free > 0) {
        free -= 1;
        return once();
      }
      // A whole pass may wait under one signal.
      const { own, done } = follower(signal ?? new AbortController().signal);
      try {
        await new Promise<void>((resolve, reject) => {
          const entry: Waiting = { id, go: resolve };
          waiting.push(entry);
          const giveUp = () => {
            const index = waiting.indexOf(entry);
            if (index >= 0) waiting.splice(index, 1);
            reject(own.signal.reason);
          };
          own.signal.addEventListener("abort", giveUp, { once: true });
        });
      } finally {
        done();
      }
      return once();
    },
  };
}

/** Who may go next, of all that a pass and those before it have begun. */
export interface Turns {
  /**
   * How urgent each record is from now on; also of those that wait already. Whoever is not named is not urgent. A checkpoint
   * that is waited for without a notice is given up when one comes: the agent is to hear of it now, and seals then.
   */
  rank(urgencies: Iterable<readonly [string, Urgency]>): void;
  /** The same of one. */
  rankOne(id: string, urgency: Urgency): void;
  /** Waits until a record's work may begin. @returns to be called when it waits for something for the first time, and at its end. */
  begin(id: string, signal: AbortSignal): Promise<() => void>;
  /**
   * The fleet for a record's work: its calls to providers and machines wait for their turns, and hold a place only while they
   * are under way. To be applied to a fleet under the record's lease, so that the lease is looked at when the turn has come.
   * Leases that are taken within are renewed together with it: a clock that has ended one of them has ended it as well.
   */
  among(fleet: Fleet, id: string, hasBegun: () => void): Fleet;
}

/** A word that takes long, and how urgent its record was when it was begun. */
interface LongWord {
  readonly rank: number;
  readonly own: AbortController;
}

export function openTurns(): Turns {
  const urgencies = new Map<string, Urgency>();
  const line = (places: number) => lineOf(places, urgencies);
  const [begun, words, longWords] = [line(BEGUN), line(WORDS), line(LONG_WORDS)];
  const longs = new Map<string, LongWord>();
  const calls = new Map<string, Line>();
  const offers = sharedOffers();
  const callsTo = (provider: string, name: string): Line => {
    const key = `${ASKS.has(name) ? "asks" : "changes"} ${provider}`;
    const found = calls.get(key) ?? line(ASKS.has(name) ? QUESTIONS : CHANGES);
    calls.set(key, found);
    return found;
  };
  const interruptible = async (id: string, given: readonly unknown[], send: (given: readonly unknown[]) => Promise<unknown>) => {
    const { own, done } = follower(given.find(isSignal) ?? new AbortController().signal);
    const word: LongWord = { rank: (urgencies.get(id) ?? NOT_URGENT).rank, own };
    longs.set(id, word);
    try {
      return await send(given.map((one) => (isSignal(one) ? own.signal : one)));
    } finally {
      done();
      if (longs.get(id) === word) longs.delete(id);
    }
  };
  return {
    rank(all) {
      urgencies.clear();
      for (const [id, urgency] of all) urgencies.set(id, urgency);
      for (const [id, { rank, own }] of longs)
        if (rank > UNDER_NOTICE && urgencies.get(id)?.rank === UNANSWERED) own.abort(new Error("its machine is being taken back"));
    },
    rankOne: (id, urgency) => void urgencies.set(id, urgency),
    begin: (id, signal) => begun.enter(id, signal),
    among(fleet, id, hasBegun) {
      const inTurn = async (at: Line, signal: AbortSignal | undefined, send: () => Promise<unknown>) => {
        hasBegun();
        const leave = await at.enter(id, signal);
        try {
          return await send();
        } finally {
          leave();
        }
      };
      const inside: Around = (send, given, name) => {
        if (NOT_WORDS.has(name)) return send(given);
        if (!LONG.has(name)) return inTurn(words, given.find(isSignal), () => send(given));
        const long = (sent: readonly unknown[]) => inTurn(longWords, sent.find(isSignal), () => send(sent));
        return interruptible(id, given, long);
      };
      return {
        ...fleet,
        guest: aroundCalls(fleet.guest, inside),
        async provider(provider) {
          const called: Around = (send, given, name) => {
            const signal = given.map(signalIn).find((found) => found !== undefined);
            let isSent = false;
            const sent = () => {
              isSent = true;
              return send(given);
            };
            return inTurn(callsTo(provider, name), signal, sent).catch((error: unknown) => {
              throw isSent || !isLate(error) ? error : tooMany(provider);
            });
          };
          const wrapped = aroundCalls(await fleet.provider(provider), called);
          return {
            ...wrapped,
            offers(query, context) {
              hasBegun();
              return offers.get(`${provider} ${JSON.stringify(query)}`, fleet.clock, () => wrapped.offers(query, context));
            },
          };
        },
      };
    },
  };
}

const isSignal = (given: unknown): given is AbortSignal => given instanceof AbortSignal;

/** What a call to a provider is made with always has the signal in its context. */
function signalIn(given: unknown): AbortSignal | undefined {
  return typeof given === "object" && given !== null && "signal" in given && isSignal(given.signal) ? given.signal : undefined;
}

const isLate = (error: unknown) => error instanceof DOMException && error.name === "TimeoutError";

/** Nothing was sent, so nothing was done. */
const tooMany = (provider: string) =>
  new ProviderError(provider, { kind: "rate-limited", retryAfterMs: null }, "there were so many calls at once that this one was not sent");
