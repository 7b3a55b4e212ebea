import type { Asleep } from "../model/asleep.ts";
import type { CheckpointClock } from "../model/checkpoint-interval.ts";
import { durationText } from "../model/duration.ts";
import { gpuText } from "../model/gpu.ts";
import { addMoney, costOf, type Money, moneyJson, moneyText, savingsShare } from "../model/money.ts";
import type { Offer } from "../model/offer.ts";
import type { InstanceSpec } from "../state/records.ts";
import { asleepJson, asleepLine } from "./asleep-text.ts";
import { clockJson, clockText } from "./checkpoint-clock-text.ts";
import { gpuJson, specJson } from "./json.ts";
import { listView } from "./list-view.ts";
import { priceHeader } from "./price-header.ts";
import type { View } from "./view.ts";

export interface PlanLine {
  readonly spec: InstanceSpec;
  readonly offer: Offer;
  /** How it would sleep, where a reclaim is to put it to sleep. */
  readonly asleep?: Asleep;
  /** When it would seal a checkpoint by the clock. */
  readonly clock?: CheckpointClock;
}

/** How long before a reclaim one hears of it. */
function noticeText({ noticeSeconds, noticeUpToSeconds = 0 }: Offer): string {
  if (noticeSeconds > 0) return durationText(noticeSeconds * 1000);
  return noticeUpToSeconds > 0 ? `0–${durationText(noticeUpToSeconds * 1000)}` : "none";
}

const HOURS_A_MONTH = 730;
const MS_PER_HOUR = 3_600_000;

/** What `up` would rent, priced. The question carries the price, as every confirmation does; scripts find the warnings beside it. */
export function planView(lines: readonly PlanLine[], warnings: readonly string[] = []): View & { readonly question: string } {
  const total = totals(lines);
  const price = total.map(({ hour, month }) => `${moneyText(hour)}/hour (${moneyText(month)}/month)`).join(" + ");
  const view = listView<PlanLine>({
    schema: "spot.plan/1",
    items: lines,
    toJson: ({ spec, offer, asleep, clock }) => ({
      name: spec.name,
      provider: offer.provider,
      region: offer.region,
      zone: offer.zone,
      type: offer.type,
      gpu: gpuJson(offer.gpu),
      billing: offer.billing,
      price: { ...moneyJson(offer.price), per: "hour", of: "instance" },
      onDemandPrice: offer.onDemandPrice === null ? null : moneyJson(offer.onDemandPrice),
      volume: spec.volume,
      ...(asleep === undefined ? {} : { asleep: asleepJson(asleep) }),
      ...(clock === undefined ? {} : { checkpointing: clockJson(clock) }),
      spec: specJson(spec),
    }),
    columns: [
      { key: "name", header: "NAME", value: ({ spec }) => spec.name, paint: (text, _, painter) => painter.bold(text) },
      { key: "gpu", header: "GPU", value: ({ offer }) => gpuText(offer.gpu) },
      { key: "billing", header: "BILLING", value: ({ offer }) => offer.billing },
      { key: "where", header: "WHERE", value: ({ offer }) => `${offer.provider} ${offer.zone}`, drop: 1 },
      {
        key: "price",
        header: priceHeader(lines.map(({ offer }) => offer.price)),
        align: "right",
        value: ({ offer }) => moneyText(offer.price),
      },
      { key: "saved", header: "SAVES", align: "right", value: savedText, drop: 2 },
      {
        key: "notice",
        header: "NOTICE",
        align: "right",
        value: ({ offer }) => (offer.billing === "spot" ? noticeText(offer) : "-"),
        drop: 4,
      },
      {
        key: "volume",
        header: "VOLUME",
        value: ({ spec }) => (spec.volume === null ? "none" : `${spec.volume.name} ${spec.volume.sizeGb} GB`),
        drop: 3,
      },
    ],
    empty: "Nothing to rent: everything is there already.",
    ...(lines.length === 0
      ? {}
      : {
          footer: `Together ${price} while ${lines.length === 1 ? "it runs" : "they run"}${volumesText(lines)}.${asleepText(lines)}${clocksText(lines)}`,
        }),
  });
  return {
    ...view,
    ...(warnings.length === 0 ? {} : { beside: { warnings } }),
    question: `Rent ${lines.length === 1 ? (lines[0]?.spec.name ?? "it") : `${lines.length} instances`} at ${price}?`,
  };
}

function savedText({ offer }: PlanLine): string {
  const saved = offer.onDemandPrice === null ? null : savingsShare(offer.price, offer.onDemandPrice);
  return saved === null ? "?" : `${Math.round(saved * 100)}%`;
}

/** Those that a reclaim puts to sleep; what is the same for several is said once. */
function asleepText(lines: readonly PlanLine[]): string {
  const said = new Map<string, string[]>();
  for (const { spec, asleep } of lines) {
    if (asleep === undefined) continue;
    const text = [asleepLine(asleep), ...asleep.refusals, ...asleep.warnings].join("; ");
    said.set(text, [...(said.get(text) ?? []), spec.name]);
  }
  return [...said].map(([text, names]) => ` After a reclaim ${names.join(", ")}: ${text}.`).join("");
}

/** The price is the machines' own: what a volume costs is known only once it is made. */
function volumesText(lines: readonly PlanLine[]): string {
  const names = new Set(lines.flatMap(({ spec }) => (spec.volume === null ? [] : [spec.volume.name])));
  return names.size === 0 ? "" : `, ${names.size === 1 ? "its volume" : "their volumes"} not counted`;
}

/** How often they seal, each way once. Who has no volume, or wants none, is told nothing. */
function clocksText(lines: readonly PlanLine[]): string {
  const texts = lines.flatMap(({ clock }) => (clock === undefined || clock.kind === "never" ? [] : [clockText(clock)]));
  return [...new Set(texts)].map((text) => `\nA checkpoint ${text}.`).join("");
}

function totals(lines: readonly PlanLine[]): readonly { readonly hour: Money; readonly month: Money }[] {
  const sums = new Map<string, Money>();
  for (const { offer } of lines) {
    const sum = sums.get(offer.price.currency);
    sums.set(offer.price.currency, sum === undefined ? offer.price : addMoney(sum, offer.price));
  }
  return [...sums.values()].map((hour) => ({ hour, month: costOf(hour, HOURS_A_MONTH * MS_PER_HOUR) }));
}
