import type { VolumeOrigin } from "../fleet/volumes/volume-origin.ts";
import { accountText } from "../model/account.ts";
import type { Asleep } from "../model/asleep.ts";
import { bytesText } from "../model/bytes.ts";
import type { Checkpoint } from "../model/checkpoint.ts";
import type { CheckpointClock } from "../model/checkpoint-interval.ts";
import { durationText } from "../model/duration.ts";
import type { FleetEvent } from "../model/event.ts";
import { gpuText } from "../model/gpu.ts";
import { moneyText, savingsShare } from "../model/money.ts";
import { type Wake, type WakeTimes, wakeTimes } from "../model/wake.ts";
import { billsUntil, workloadEnd, workloadEndText } from "../model/workload-end.ts";
import type { InstanceRecord } from "../state/records.ts";
import { asleepBlock, asleepJson } from "./asleep-text.ts";
import { clockJson, clockText, type MeasuredClock } from "./checkpoint-clock-text.ts";
import { type DetailBlock, detailText } from "./detail-view.ts";
import { eventText } from "./event-text.ts";
import { idleLine, type LastPass, ttlLine } from "./guard-text.ts";
import { costText, type InstanceRow, paintState, stateText } from "./instances-view.ts";
import { checkpointJson, eventJson, instanceJson, isoTime, specJson } from "./json.ts";
import { truncatePainted } from "./live-frame.ts";
import type { Painter, View } from "./view.ts";
import { readyText, wakesJson, wakeText, wakeTimesText } from "./wake-text.ts";

/** As a shell takes it again: words that hold more than plain characters are quoted. */
function shellLine(command: readonly string[]): string {
  return command.map((word) => (/^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(" ");
}

/** The machine that is paid for already and takes over when the present one is gone. */
function successorText({ outlook }: InstanceRecord): string | null {
  const { successor } = outlook;
  return successor === null
    ? null
    : `${successor.type} in ${successor.zone}, rented ahead${successor.providerId === null ? "" : `, ${successor.providerId}`}`;
}

/** How its workload ended, and what follows of that; null while it has not. */
function workloadText(record: InstanceRecord, now: number): string | null {
  const end = workloadEnd(record);
  if (end === null) return null;
  return `${workloadEndText(end, now)}; ${billsUntil(record, now)} (spot logs ${record.name}, spot down ${record.name})`;
}

/** Where nothing runs, however long ago it did. */
const RESTS: ReadonlySet<InstanceRecord["state"]> = new Set(["gone", "failed", "hibernated", "stopped"]);

/** What is done when spot is refused for long; null where it only waits. */
function fallbackText({ fallbackAfterMs, returnToSpot }: InstanceRecord["spec"]): string | null {
  if (fallbackAfterMs === null) return null;
  return `on demand after ${durationText(fallbackAfterMs)}${returnToSpot ? ", and back when it is there again" : ""}`;
}

function moneyBlock(record: InstanceRecord, cost: InstanceRow["cost"]): DetailBlock {
  const { price, onDemandPrice, spec } = record;
  const saved = price === null || onDemandPrice === null ? null : savingsShare(price, onDemandPrice);
  return {
    title: "money",
    rows: [
      {
        label: "price",
        value:
          price === null ? "unknown" : `${moneyText(price)}/hour${saved === null ? "" : `, ${Math.round(saved * 100)}% below on-demand`}`,
      },
      { label: "at most", value: spec.maxPrice === null ? null : `${spec.maxPrice}/hour (--max-price)` },
      { label: "so far", value: `${costText(cost)}${cost === undefined ? "" : ` (${cost.basis})`}` },
    ],
  };
}

function originText({ before, checkpoint, place, isOnItsWay }: VolumeOrigin): string {
  const there = `${before.name} in ${before.provider} ${before.zone}`;
  const what = checkpoint ?? "a snapshot";
  if (isOnItsWay) return `is on ${there} until ${what} has arrived from ${place}`;
  return `went on from ${what}${place === null ? "" : ` in ${place}`}; what came before is kept on ${there}, which bills: spot volumes rm ${before.name}`;
}

function originJson({ before, checkpoint, place, isOnItsWay }: VolumeOrigin) {
  const { name, provider, region, zone } = before;
  return { before: { name, provider, region, zone }, checkpoint, place, onItsWay: isOnItsWay };
}

/** Nothing for one that was never woken. */
function wakesBlock(wakes: readonly Wake[], times: WakeTimes): readonly DetailBlock[] {
  const last = wakes.at(-1);
  if (last === undefined) return [];
  return [
    {
      title: "wakes",
      rows: [
        { label: "took", value: wakeTimesText(times) || "not known: the clock was set back meanwhile" },
        { label: "last", value: `${wakeText(last)}; begun ${isoTime(last.startedAt)}` },
        { label: "ready is", value: readyText(last.readyBy) },
      ],
    },
  ];
}

function historyText(events: readonly FleetEvent[], painter: Painter, width: number, now: number): string {
  if (events.length === 0) return "";
  return `\n\n${painter.bold("last events")}\n${events.map((event) => truncatePainted(eventText(event, painter, now), width)).join("\n")}`;
}

/** One instance in full: what it is, what it costs, what is sealed, what happened last. */
export function instanceView(
  row: Omit<InstanceRow, "record"> & {
    readonly wakes?: readonly Wake[];
    /** When it seals by the clock, and what its agent has measured of that; null when nobody asked it. */
    readonly clock?: CheckpointClock;
    readonly measured?: MeasuredClock | null;
    readonly record: InstanceRecord;
    readonly lastPass?: LastPass | null;
    readonly asleep?: Asleep | null;
    /** Of a volume that began as a copy of another one. */
    readonly origin?: VolumeOrigin | null;
  },
  checkpoints: readonly Checkpoint[],
  events: readonly FleetEvent[],
): View {
  const { record, cost, now, guard = null, lastPass = null, asleep = null, wakes = [], clock, measured, origin = null } = row;
  const times = wakeTimes(wakes);
  return {
    schema: "spot.instance/1",
    data: {
      ...instanceJson(record, cost, guard),
      spec: specJson(record.spec),
      ...(asleep === null ? {} : { asleep: asleepJson(asleep) }),
      ...(origin === null ? {} : { volumeFrom: originJson(origin) }),
      wakes: wakesJson(wakes, times),
      ...(clock === undefined ? {} : { checkpointing: clockJson(clock, measured ?? undefined) }),
      checkpoints: checkpoints.slice(0, 5).map(checkpointJson),
      events: events.map(eventJson),
    },
    render(painter, width) {
      const { spec } = record;
      const [newest] = checkpoints;
      const [used] = record.volumes;
      const volume = used === undefined ? "" : `${used.name} at ${used.mount}`;
      const text = detailText(
        [
          {
            rows: [
              { label: "name", value: record.name, paint: (line) => painter.bold(line) },
              { label: "fleet", value: record.fleet },
              { label: "state", value: stateText(row), paint: (line) => paintState(line, record, painter) },
              { label: "why", value: record.reason },
              { label: "workload", value: workloadText(record, now) },
              { label: "wanted", value: record.desired === record.state ? null : record.desired },
              { label: "machine", value: `${gpuText(record.gpu)} (${record.gpu.vramGb} GB), ${record.type}, ${record.billing}` },
              {
                label: "where",
                value: `${record.provider} ${record.region}${record.zone === record.region ? "" : ` ${record.zone}`}${record.providerId === null ? "" : `, ${record.providerId}`}`,
              },
              { label: "account", value: record.account === null ? null : accountText(record.account) },
              { label: "machines", value: record.generation > 1 ? `${record.generation} so far` : null },
              { label: "next one", value: successorText(record) },
              {
                label: "waits",
                value:
                  record.outlook.waiting === null
                    ? null
                    : `${record.outlook.waiting.reason}; looks again at ${isoTime(record.outlook.waiting.nextLook)} (--why says more)`,
              },
              {
                label: "up",
                value:
                  record.readyAt === null || RESTS.has(record.state)
                    ? null
                    : `${durationText(now - record.readyAt)}, ready since ${isoTime(record.readyAt)}`,
              },
              {
                label: "disk",
                value:
                  record.state !== "stopped"
                    ? null
                    : record.dataKeptUntil === null
                      ? "it goes on billing while the machine is stopped"
                      : `it goes on billing, and is deleted by the provider at ${isoTime(record.dataKeptUntil)}`,
              },
              {
                label: "protected",
                value:
                  record.protectedUntil === null || record.protectedUntil <= now || RESTS.has(record.state)
                    ? null
                    : `from reclaim for ${durationText(record.protectedUntil - now)}`,
              },
              {
                label: "ends",
                value:
                  record.ttlEndsAt === null || record.state === "gone"
                    ? null
                    : `in ${durationText(record.ttlEndsAt - now)} (ttl), ${isoTime(record.ttlEndsAt)}`,
              },
              { label: "guard", value: guard === null ? null : ttlLine(record, guard, lastPass, now) },
              { label: "idle", value: guard === null ? null : idleLine(record, guard, lastPass, now) },
            ],
          },
          moneyBlock(record, cost),
          ...(asleep === null ? [] : [asleepBlock(asleep)]),
          ...wakesBlock(wakes, times),
          {
            title: "work",
            rows: [
              { label: "command", value: shellLine(spec.command) },
              { label: "on reclaim", value: spec.onReclaim },
              { label: "no spot", value: fallbackText(spec) },
              { label: "ports", value: spec.ports.map(({ port, protocol }) => `${port}/${protocol}`).join(", ") },
              { label: "registry", value: spec.registryAuth },
              { label: "reached at", value: record.endpoints.map(({ port, address }) => `${port} → ${address}`).join(", ") },
              { label: "volume", value: volume === "" ? "none: nothing outlives the machine" : volume },
              { label: "its work", value: origin === null ? null : originText(origin) },
              {
                label: "seals",
                value: clock === undefined || record.volumes.length === 0 ? null : clockText(clock, measured ?? undefined, now),
              },
              {
                label: "checkpoint",
                value:
                  newest === undefined
                    ? "none sealed yet"
                    : `${newest.id}${newest.step === null ? "" : `, step ${newest.step}`}, ${bytesText(newest.bytes)}, ${durationText(now - newest.createdAt)} ago (${newest.reason}); ${checkpoints.length} in all`,
              },
            ],
          },
        ],
        painter,
        width,
      );
      return `${text}${historyText(events, painter, width, now)}`;
    },
  };
}
