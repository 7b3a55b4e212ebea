import { onTestFinished } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { type FakeAnswer, type FakeRequest, fakeServer } from "../clouds/fake-server.ts";
import { type FakePpio, fakePpio } from "../clouds/ppio/fake.ts";

/** In every text that a hostile cloud adds, so that one sees whether it got through. */
export const MARK = "EVIL";
/** A terminal's title, a cleared screen, colours, a hidden link, a line of our own making, text that runs backwards, and a NUL. */
export const HOSTILE = [
  `\u001b]0;${MARK}-title\u0007`,
  "\u001b[2J\u001b[1;1H\u001b[31m",
  MARK,
  "\u001b[0m",
  `\u001b]8;;http://evil.example/\u001b\\${MARK}-link\u001b]8;;\u001b\\`,
  `\r\n${MARK}-line  running  ok\n`,
  "\u202egnirts\u202c\u2066x\u2069\u200f",
  "\u009b31m\u009d0;t\u009c\u0000\u0007\u007f\u0085\u2028\u2029",
].join("");
/** The same, ten thousand characters long. */
export const LONG_HOSTILE = `${HOSTILE}${`${MARK}long`.repeat(1_250)}`;

/** A JSON value in which every text below one of these keys has been changed. */
export function changed(value: unknown, keys: ReadonlySet<string>, change: (text: string) => string, key = ""): unknown {
  if (typeof value === "string") return keys.has(key) ? change(value) : value;
  if (Array.isArray(value)) return value.map((one) => changed(one, keys, change, key));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, changed(one, keys, change, name)]));
}

export interface HostileCloud {
  /** The honest cloud behind it. */
  readonly cloud: FakePpio;
  /** What leads `spot` to the hostile one. */
  readonly env: Readonly<Record<string, string>>;
  /** From now on every text below one of these keys is changed; a key can be given twice. */
  twist(keys: readonly string[], change: (text: string) => string): void;
  /** From now on this is answered to everything that fits. */
  answerWith(answer: FakeAnswer, match?: (request: FakeRequest) => boolean): void;
  /** Honest again. */
  relent(): void;
}

/** A cloud that works as PPIO's documents say, with somebody hostile in front of it. It is gone when the test has ended. */
export async function hostileCloud(): Promise<HostileCloud> {
  const cloud = await fakePpio({ clock: systemClock, vendor: "ppio" });
  let twists: { readonly keys: ReadonlySet<string>; readonly change: (text: string) => string }[] = [];
  const front = await fakeServer({
    async handle({ method, path, query, headers, body }) {
      const asked = await fetch(`${cloud.url}${path}?${query}`, {
        method,
        headers: { authorization: headers["authorization"] ?? "", "content-type": "application/json" },
        ...(method === "GET" ? {} : { body }),
      });
      const text = await asked.text();
      const honest: unknown = text === "" ? undefined : JSON.parse(text);
      return { status: asked.status, body: twists.reduce((value, { keys, change }) => changed(value, keys, change), honest) };
    },
  });
  onTestFinished(async () => {
    await front.close();
    await cloud.close();
  });
  return {
    cloud,
    env: { ...cloud.env, PPIO_API_URL: front.url },
    twist(keys, change) {
      twists.push({ keys: new Set(keys), change });
    },
    answerWith: (answer, match) =>
      front.disturb({ what: { do: "answer", answer }, times: Number.POSITIVE_INFINITY, ...(match === undefined ? {} : { match }) }),
    relent() {
      twists = [];
      front.calm();
    },
  };
}

// Everything that moves a cursor, colours, or reorders; tabs and line feeds are ours to write.
const UNSAFE = /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]/gu;

/** What of a text must not reach a terminal, spelt out. */
export function unsafeIn(text: string): readonly string[] {
  const found = [...text.matchAll(UNSAFE)].map(([sign]) => sign).filter((sign) => sign !== "\n" && sign !== "\t");
  return [...new Set(found)].map((sign) => `U+${sign.codePointAt(0)?.toString(16).padStart(4, "0")}`);
}
