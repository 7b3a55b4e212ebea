import { unfitText } from "../model/checkpoint-fit.ts";
import { durationText } from "../model/duration.ts";
import type { FleetEvent } from "../model/event.ts";
import { safeLine, stripControl } from "../platform/terminal.ts";
import { plainPainter } from "./painter.ts";
import type { Painter } from "./view.ts";

/** One event as a line for people: time in UTC, with the date where `now` (epoch ms) is on another day; instance, what happened. */
export function eventText(event: FleetEvent, painter: Painter, now = event.at): string {
  const [day, today] = [isoTime(event.at), isoTime(now)].map((text) => text.slice(0, 10));
  const time = painter.dim(
    isoTime(event.at)
      .slice(day === today ? 11 : 0, 19)
      .replace("T", " "),
  );
  const who = painter.bold(stripControl(event.instance ?? event.provider ?? "").padEnd(12));
  return `${time}  ${who}  ${sentence(event, painter)}`.trimEnd();
}

const isoTime = (ms: number) => new Date(ms).toISOString();

/** What happened, without colours and without the time and the name. */
export function eventSentence(event: FleetEvent): string {
  return sentence(event, plainPainter);
}

function sentence(event: FleetEvent, painter: Painter): string {
  const { data } = event;
  // Each word is made safe before it is painted: a reason may be a cloud's own text, of any length and with lines of its own.
  const word = (key: string) => (data[key] === undefined || data[key] === null ? "" : safeLine(String(data[key])));
  const because = word("reason") === "" ? "" : ` (${word("reason")})`;
  switch (event.type) {
    case "state":
      return `${word("from")} → ${painted(word("to"), painter)}${because}`;
    case "notice":
      if (data["withdrawn"] === true) return painter.green("the notice was withdrawn");
      return painter.red(
        `${word("kind")} notice, ${secondsLeft(event)} left, said by the ${word("source") === "guest" ? "agent" : "provider"}`,
      );
    case "checkpoint":
      if (data["skipped"] === true) return painter.yellow(`checkpoint: ${skippedText(data)}`);
      return `${painter.cyan(`sealed${word("step") === "" ? "" : ` step ${word("step")}`} (${word("reason")})`)} ${painter.dim(word("checkpoint"))}`;
    case "intent":
      return painter.dim(`intends: ${[word("intent"), word("offer"), word("volume")].filter((text) => text !== "").join(" ")}`);
    case "action":
      return actionText(word);
    case "warning":
      return painter.yellow(word("message"));
    case "budget":
      return word("what") === "reached" ? painter.red(word("message")) : painter.yellow(word("message"));
    default:
      return `${event.type} ${JSON.stringify(data)}`;
  }
}

function skippedText(data: FleetEvent["data"]): string {
  const number = (key: string) => (typeof data[key] === "number" ? data[key] : 0);
  const stands = typeof data["stands"] === "string" ? safeLine(data["stands"]) : null;
  return unfitText({ bytes: number("bytes"), neededSeconds: number("neededSeconds"), leftSeconds: number("leftSeconds"), stands });
}

type Word = (key: string) => string;

const STILLNESS: Readonly<Record<string, string>> = {
  frozen: ", its file system held still meanwhile",
  synced: ", what was written out by then in it",
};

/** What each action is for people; one that is not in here is named by its own word. */
const ACTION_TEXT: Readonly<Record<string, (word: Word) => string>> = {
  adopt: (word) => `taken over from what the cloud has${word("volume") === "" ? "" : ` (volume ${word("volume")})`}`,
  "checkpoint-arrived": (word) => `its checkpoint has arrived on ${word("volume")} in ${word("zone")}, and is verified there`,
  "checkpoint-copied": (word) => `${word("checkpoint")} copied to ${word("to")}, and verified there`,
  "root-left": (word) => `the root disk of its machine before stays as ${word("volume")} in ${word("zone")}, and bills`,
  "begin-from": (word) => `goes on from ${word("checkpoint")}`,
  "checkpoints-prune": (word) => `${word("count")} of its checkpoints removed from ${word("bucket") || `volume ${word("volume")}`}`,
  "close-rung": (word) => `${word("rung")} leads nowhere: ${word("because")}; the next way back is tried`,
  climb: (word) => `comes back another way (${word("rung")}): ${word("because")}`,
  controller: (word) => `process ${word("pid")} on ${word("host")} acts from now on`,
  "copies-left": (word) => `copies of its volume that no machine has go on billing: ${word("volumes").replaceAll(",", ", ")}`,
  discard: (word) => `gives the machine back: ${word("why")}`,
  "end-stray": (word) => `ended a machine that no record explained (${word("providerId")})`,
  "remove-stray-volume": (word) => `deleted a volume that arrived after it was given up (${word("providerId")})`,
  "remove-stray-snapshot": (word) => `deleted a snapshot that arrived after it was given up (${word("providerId")})`,
  "end-successor": (word) => `ended the machine that was rented ahead and is not needed (${word("successor")})`,
  forget: (word) => `forgotten; its machine ${word("providerId")} goes on and shows in spot orphans`,
  "give-up-waking": () => "was not serving by its cap: back to sleep",
  heard: heardText,
  launch: (word) => `got ${word("type")} in ${word("zone")}`,
  "launch-ahead": (word) => `rented its next machine ahead: ${word("type")} in ${word("zone")}`,
  "launch-ahead-refused": () => "no machine could be rented ahead; one is rented when this one is gone",
  "launch-refused": (word) => `launch refused: ${word("why")}`,
  "leave-dear": (word) => word("because"),
  lost: lostText,
  "mount-volume": () => "its volume is mounted",
  precaution: (word) => `seals: ${word("because")}`,
  "price-fell": (word) => word("because"),
  "price-rose": (word) => word("because"),
  reap: (word) => `reap ended the ${word("kind")} ${word("providerId")}`,
  "refuse-parking": () => "not parked: there is no volume, and all would be lost",
  "seal-early": (word) => `seals: ${word("because")}`,
  sleep: (word) => word("because"),
  "spot-back": (word) => `spot is on offer again (${word("pool")})`,
  "spot-gone": () => "spot is not on offer any more",
  stays: (word) => `stays where it is: ${word("why")}`,
  "take-over": (word) => `goes on with the machine that was rented ahead: ${word("type")} in ${word("zone")}`,
  "volume-create": (word) => `volume ${word("volume")} made`,
  "volume-moved": (word) =>
    `volume ${word("volume")} lies in ${word("to")} from now on; the one in ${word("from")} is kept as ${word("kept")} and bills`,
  "volume-lost": (word) => `volume ${word("volume")} is not there any more`,
  "volume-remove": (word) => `volume ${word("volume")} deleted`,
  "snapshot-remove": (word) => `snapshot ${word("providerId")} of volume ${word("volume")} deleted`,
  "volume-snapshot": (word) => `snapshot of volume ${word("volume")} made${STILLNESS[word("stillness")] ?? ""}`,
  wake: (word) => `its wake is over (${word("outcome")}); show says where the time went`,
  wait: (word) => `waits: ${word("because")}`,
  wish: (word) => `is to be ${word("desired")}`,
  "work-on": (word) => word("because"),
  "workload-ended": (word) => `its command ended with exit code ${word("code")}`,
};

function actionText(word: Word): string {
  const action = word("action");
  return Object.hasOwn(ACTION_TEXT, action) ? (ACTION_TEXT[action]?.(word) ?? action) : action;
}

/** What of the work outlived the machine stands first: at 3 a.m. it is the question. */
function lostText(word: Word): string {
  const gone = `the machine is gone (${word("why")})`;
  const next = `next: ${word("next")}`;
  switch (word("work")) {
    case "sealed":
      return `${gone}; ${word("step") === "" ? "its work" : `step ${word("step")}`} was sealed ${durationText(Number(word("ageMs")))} before; ${next}`;
    case "none":
      return `${gone}; nothing of its work was ever sealed; ${next}`;
    default:
      return `${gone}; ${next}`;
  }
}

function heardText(word: Word): string {
  const [who, other] = word("mouth") === "guest" ? ["the agent", "the provider"] : ["the provider", "the agent"];
  return word("withdrew") === "true" ? `${who} took the notice back; ${other} still says it` : `${who} says the notice too`;
}

function painted(state: string, painter: Painter): string {
  if (state === "running") return painter.green(state);
  if (state === "reclaiming" || state === "failed" || state === "unknown") return painter.red(state);
  return state;
}

function secondsLeft(event: FleetEvent): string {
  const deadline = event.data["deadline"];
  return typeof deadline === "number" ? durationText(Math.max(0, deadline - event.at)) : "some time";
}
