import { worksUntil } from "../fleet/deciding/under-notice.ts";
import type { FleetEvent } from "../model/event.ts";
import { safeLine } from "../platform/terminal.ts";
import type { ListedRecord } from "../state/records.ts";
import { wrap } from "./detail-view.ts";
import { heardJson, isoTime, offerPriceJson } from "./json.ts";
import type { ListData, View } from "./view.ts";

/** One thing that was done about an instance, or left, and why. */
export interface Decision {
  readonly at: number;
  /** `launch`, `lost`, `wait`, `move`; for a bare change of state `running → reclaiming`. */
  readonly action: string;
  readonly because: string;
  /** What was known and mattered, as the event has it. */
  readonly inputs: Readonly<Record<string, unknown>>;
  /** When it was to be looked at again, where that was said. */
  readonly nextLook: number | null;
}

/** Fields of an event that are said in another place, or that nobody reads. */
const SAID = new Set(["action", "intent", "because", "nextLook", "token", "from", "to", "withdrawn"]);
const TIMES = new Set(["deadline", "seenAt", "onDemandFrom", "wakeBy"]);
const ASKED = "a command asked for it";

function actionOf({ type, data }: FleetEvent): string {
  if (type === "state") return `${data["from"]} → ${data["to"]}`;
  if (type === "notice") return data["withdrawn"] === true ? "notice withdrawn" : "notice";
  return String(data["action"] ?? data["intent"] ?? type);
}

/**
 * The decisions among the events of one instance, oldest first. A change of state is one of its own only where nothing else
 * was written at that moment for the same reason.
 */
export function decisionsOf(events: readonly FleetEvent[]): readonly Decision[] {
  const becauseOf = ({ data }: FleetEvent) => {
    if (typeof data["because"] === "string") return data["because"];
    // A wish that was not typed says whose it is: a budget's, say.
    return data["action"] !== "wish" ? null : typeof data["reason"] === "string" ? data["reason"] : ASKED;
  };
  const key = (event: FleetEvent) => `${event.at} ${becauseOf(event)}`;
  const told = new Set(events.filter(({ type }) => type !== "state").map(key));
  return events.flatMap((event) => {
    const because = becauseOf(event);
    if (because === null || (event.type === "state" && told.has(key(event)))) return [];
    const inputs = Object.fromEntries(
      Object.entries(event.data)
        .filter(([name, value]) => !SAID.has(name) && value !== null)
        .map(([name, value]) => [
          name,
          name === "heard" ? heardJson(value) : TIMES.has(name) && typeof value === "number" ? isoTime(value) : value,
        ]),
    );
    const next = event.data["nextLook"];
    return [{ at: event.at, action: actionOf(event), because, inputs, nextLook: typeof next === "number" ? next : null }];
  });
}

const clockText = (ms: number | null) => (ms === null ? "" : `${(isoTime(ms) ?? "").slice(11, 19)}Z`);
const inputText = (inputs: Decision["inputs"]) =>
  Object.entries(inputs)
    .map(([name, value]) => `${name} ${safeLine(typeof value === "string" ? value : JSON.stringify(value))}`)
    .join(", ");

/** What comes next of it, in a line for people; null when nothing does by itself. */
function nextText(record: ListedRecord, from: number | null): string | null {
  const { waiting } = record.outlook;
  if (waiting !== null)
    return `waiting: ${safeLine(waiting.reason)}; looks again ${clockText(waiting.nextLook)}${from === null ? "" : `; on demand from ${clockText(from)}`}`;
  const until = worksUntil(record);
  if (until === null) return null;
  return `under notice: works on until ${clockText(until)}, then seals once more and sleeps; its machine goes at ${clockText(record.notice?.deadline ?? null)}`;
}

const inputsJson = ({ price, ...inputs }: Decision["inputs"]) =>
  price === undefined ? inputs : { ...inputs, price: offerPriceJson(price) };

/** What was decided about one instance, and what it waits for now. `from`: when on-demand may be had, where that is to come. */
export function decisionsView(record: ListedRecord, decisions: readonly Decision[], from: number | null): View {
  const { waiting } = record.outlook;
  const rows = decisions.map(({ at, action, because, inputs, nextLook }) => ({
    at: isoTime(at) ?? "",
    action,
    because,
    inputs: inputText(inputs),
    nextLook: isoTime(nextLook) ?? "",
  }));
  const list: ListData = {
    keys: ["at", "action", "because", "inputs", "nextLook"],
    headers: { at: "AT", action: "ACTION", because: "BECAUSE", inputs: "INPUTS", nextLook: "NEXT LOOK" },
    rows,
  };
  return {
    schema: "spot.decisions/1",
    data: decisions.map(({ inputs, ...decision }) => ({
      ...decision,
      inputs: inputsJson(inputs),
      at: isoTime(decision.at),
      nextLook: isoTime(decision.nextLook),
    })),
    beside: {
      instance: record.name,
      state: record.state,
      waiting:
        waiting === null
          ? null
          : { reason: waiting.reason, since: isoTime(waiting.since), nextLook: isoTime(waiting.nextLook), onDemandFrom: isoTime(from) },
      worksUntil: isoTime(worksUntil(record)),
    },
    list,
    render(painter, width) {
      const lines = decisions.flatMap(({ at, action, because, inputs }) => {
        const head = `${(isoTime(at) ?? "").slice(0, 19).replace("T", " ")}Z  ${safeLine(action)}`;
        const text = (words: string) => wrap(words, Math.max(20, width - 4)).map((line) => `    ${line}`);
        return [
          painter.bold(head),
          ...text(safeLine(because)),
          ...(Object.keys(inputs).length === 0 ? [] : text(inputText(inputs)).map((line) => painter.dim(line))),
        ];
      });
      const next = nextText(record, from);
      const now = next === null ? [] : wrap(next, width).map((line) => painter.yellow(line));
      if (lines.length === 0) return ["No decision about it is on record.", ...now].join("\n");
      return [...lines, ...(now.length === 0 ? [] : ["", ...now])].join("\n");
    },
  };
}
