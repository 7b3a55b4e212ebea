import { unfitText } from "../model/checkpoint-fit.ts";
import { durationText } from "../model/duration.ts";
import type { FleetEvent } from "../model/event.ts";
import { safeLine, stripControl } from "../platform/terminal.ts";
import { plainPainter } from "./painter.ts";
import type { Painter } from "./view.ts";

/** One event as a line for people: time, instance, what happened. */
export function eventText(event: FleetEvent, painter: Painter): string {
  const time = painter.dim(new Date(event.at).toISOString().slice(11, 19));
  const who = painter.bold(stripControl(event.instance ?? event.provider ?? "").padEnd(12));
  return `${time}  ${who}  ${sentence(event, painter)}`.trimEnd();
}

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

function actionText(word: (key: string) => string): string {
  switch (word("action")) {
    case "launch":
      return `got ${word("type")} in ${word("zone")}`;
    case "heard":
      return heardText(word);
    case "controller":
      return `process ${word("pid")} on ${word("host")} acts from now on`;
    case "launch-refused":
      return `launch refused: ${word("why")}`;
    case "lost":
      return `the machine is gone (${word("why")}); next: ${word("next")}`;
    case "discard":
      return `gives the machine back: ${word("why")}`;
    case "wish":
      return `is to be ${word("desired")}`;
    case "volume-create":
      return `volume ${word("volume")} made`;
    case "volume-remove":
      return `volume ${word("volume")} deleted`;
    case "wait":
      return `waits: ${word("because")}`;
    case "precaution":
      return `seals: ${word("because")}`;
    case "stays":
      return `stays where it is: ${word("why")}`;
    case "spot-back":
      return `spot is on offer again (${word("pool")})`;
    case "spot-gone":
      return "spot is not on offer any more";
    case "price-rose":
    case "price-fell":
    case "leave-dear":
      return word("because");
    case "give-up-waking":
      return "was not serving by its cap: back to sleep";
    case "end-stray":
      return `ended a machine that no record explained (${word("providerId")})`;
    default:
      return word("action");
  }
}

function heardText(word: (key: string) => string): string {
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
