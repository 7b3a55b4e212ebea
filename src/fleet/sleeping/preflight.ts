import { ASLEEP_ITEMS, type Asleep, type AsleepBill, type AsleepItem, type AsleepTerms, asleepRate } from "../../model/asleep.ts";
import type { RungName } from "../../model/comeback.ts";
import { durationText } from "../../model/duration.ts";
import { costOf, type Money } from "../../model/money.ts";
import type { Capabilities } from "../../providers/provider.ts";
import type { InstanceSpec } from "../../state/records.ts";

/** A disk of the instance, as far as it is known. */
export interface KnownDisk {
  readonly sizeGb: number;
  /** Per hour, when the provider said. */
  readonly pricePerHour: Money | null;
  readonly isGone: boolean;
}

/** What a preflight goes by. Times are epoch milliseconds. */
export interface SleepFacts {
  readonly now: number;
  readonly spec: Pick<InstanceSpec, "name" | "volume" | "providers">;
  readonly capabilities: Pick<Capabilities, "hibernate" | "keepsRoot" | "zonalVolumes" | "machine" | "asleep">;
  /** The cloud's volumes can be made from snapshots. */
  readonly hasSnapshots: boolean;
  /** A checkpoint of it lies in a bucket. */
  readonly hasBucketCopy: boolean;
  /** Whether this very machine can be hibernated by its cloud; null when nobody has said. */
  readonly canHibernate: boolean | null;
  /** Asleep already: how; it is not asked then. */
  readonly parked: "native" | "recreate" | null;
  /** The volume's record; null before it is made. */
  readonly volume: KnownDisk | null;
  /** The kept root disk's; null without one. */
  readonly root: KnownDisk | null;
  /** When its newest checkpoint was sealed; null when none was, undefined when that was not looked for. */
  readonly sealedAt?: number | null;
  readonly ttlEndsAt: number | null;
  /** Its public address is to be kept. */
  readonly retainsAddress: boolean;
}

const HOURS_A_MONTH = 730;
const HOUR_MS = 3_600_000;

/** Whether and how it would come back, what it would cost meanwhile, and what speaks against it. Pure. */
export function preflight(facts: SleepFacts): Asleep {
  const { asleep } = facts.capabilities;
  const way = wayOf(facts);
  const terms = way === "native" ? (asleep.native ?? asleep.parked) : asleep.parked;
  const refusals = refusalsOf(facts, way);
  return {
    way,
    isAssumed: way === "native" && facts.canHibernate === null && facts.parked === null,
    back: facts.volume?.isGone === true ? "no" : refusals.length > 0 ? "empty" : terms.back.value,
    backNote: terms.back.note ?? null,
    backSource: terms.back.source,
    rungs: rungsOf(facts, way),
    memory: terms.memory,
    bills: ASLEEP_ITEMS.map((item) => billOf(facts, way, item, terms)),
    kept: terms.kept,
    refusals,
    warnings: warningsOf(facts, way),
  };
}

function wayOf({ capabilities, canHibernate, parked }: SleepFacts): Asleep["way"] {
  if (parked !== null) return parked === "native" ? "native" : "parked";
  return capabilities.hibernate === "native" && canHibernate !== false ? "native" : "parked";
}

/** Whether anything but the machine's own disk could hold its work. */
function outlives({ spec, capabilities, root, parked }: SleepFacts, way: Asleep["way"]): boolean {
  if (way === "native" || spec.volume !== null) return true;
  return parked === null ? capabilities.keepsRoot : root !== null;
}

function refusalsOf(facts: SleepFacts, way: Asleep["way"]): readonly string[] {
  const { spec, volume } = facts;
  if (!outlives(facts, way)) return ["it has no volume and its cloud cannot hibernate it: nothing of it would outlive its machine"];
  if (volume?.isGone === true && way === "parked") return [`its volume ${spec.volume?.name} is gone: there is nothing to come back with`];
  return [];
}

function warningsOf(
  { now, sealedAt, ttlEndsAt, spec, parked, capabilities, canHibernate }: SleepFacts,
  way: Asleep["way"],
): readonly string[] {
  const warnings: string[] = [];
  if (way === "native" && canHibernate === null && parked === null && capabilities.hibernate === "native" && spec.volume === null)
    warnings.push("its cloud does not say whether this machine can be hibernated, and without a volume it cannot be parked instead");
  if (spec.volume !== null && sealedAt === null)
    warnings.push(
      parked === null
        ? "no checkpoint of it is sealed yet: when none can be sealed now, it comes back from its beginning"
        : "no checkpoint of it is sealed: on another machine it would begin anew",
    );
  if (ttlEndsAt !== null)
    warnings.push(
      ttlEndsAt <= now
        ? "its --ttl is over: as soon as it comes back it ends"
        : `its --ttl goes on while it sleeps and is over in ${durationText(ttlEndsAt - now)}: brought back after that, it ends at once`,
    );
  return warnings;
}

/** What there is in principle; whether anything is in stock is known only by asking then. */
function rungsOf(facts: SleepFacts, way: Asleep["way"]): readonly RungName[] {
  const { spec, hasSnapshots, capabilities, root, parked } = facts;
  const hasRoot = parked === null ? capabilities.keepsRoot : root !== null;
  const hasVolume = spec.volume !== null && facts.volume?.isGone !== true;
  return [
    ...(way === "native" || hasRoot ? (["same-machine"] as const) : []),
    ...(hasVolume ? (["same-zone"] as const) : []),
    ...(hasVolume && hasSnapshots && capabilities.zonalVolumes ? (["snapshot"] as const) : []),
    // A checkpoint on a rented volume can be read only by a machine that has the volume; one in a bucket by anybody.
    ...((hasVolume && capabilities.machine.kind === "process") || (spec.volume !== null && facts.hasBucketCopy) ? (["copy"] as const) : []),
    ...(hasVolume || way === "native" ? (["on-demand"] as const) : []),
  ];
}

/** The disk that an item is about, with the size that counts. */
function diskOf(
  { spec, volume, root }: SleepFacts,
  item: AsleepItem,
): { readonly sizeGb: number | null; readonly live: Money | null } | null {
  if (item === "volume")
    return spec.volume === null ? null : { sizeGb: volume?.sizeGb ?? spec.volume.sizeGb, live: volume?.pricePerHour ?? null };
  if (item === "rootDisk") return { sizeGb: root?.sizeGb ?? null, live: root?.pricePerHour ?? null };
  return { sizeGb: null, live: null };
}

function billOf(facts: SleepFacts, way: Asleep["way"], item: AsleepItem, terms: AsleepTerms): AsleepBill {
  const { note = null, source, price, ...billed } = terms.billed[item];
  const disk = diskOf(facts, item);
  if (disk === null || (item === "volume" && facts.volume?.isGone === true))
    return { item, value: "gone", rate: null, list: null, isLive: false, sizeGb: null, note: "it has none", source };
  // Whoever put it to sleep has decided.
  if (billed.value === "if-kept" && facts.parked !== null && !facts.retainsAddress)
    return {
      item,
      value: "gone",
      rate: null,
      list: null,
      isLive: false,
      sizeGb: null,
      note: "it was given back; another one comes",
      source,
    };
  const sizeGb = disk.sizeGb ?? billed.sizeGb ?? null;
  // A parked machine's root disk that was not kept is not there, whatever the cloud could do.
  const isThere = item !== "rootDisk" || way === "native" || facts.parked === null || facts.root !== null;
  const value = !isThere ? "gone" : billed.value === "if-kept" && facts.retainsAddress ? "billed" : billed.value;
  const bills = value === "billed";
  if (bills && disk.live !== null)
    return {
      item,
      value,
      rate: { hour: disk.live, month: costOf(disk.live, HOURS_A_MONTH * HOUR_MS) },
      list: null,
      isLive: true,
      sizeGb,
      note,
      source,
    };
  const size = price?.per === "hour" ? 0 : sizeGb;
  const rate = bills && price !== undefined && size !== null ? asleepRate(price, size) : null;
  const list = rate === null && (bills || value === "if-kept") ? (price ?? null) : null;
  return { item, value, rate, list, isLive: false, sizeGb, note, source };
}
