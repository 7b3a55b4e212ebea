import { RUNGS, type RungName } from "../../model/comeback.ts";
import { durationText } from "../../model/duration.ts";
import type { Money } from "../../model/money.ts";
import type { Offer } from "../../model/offer.ts";
import { compareMoney, type ExchangeRate } from "../../pricing/currency.ts";
import type { InstanceRecord, InstanceSpec } from "../../state/records.ts";
import { chooseOffers, type Preferences, type Tie, whyNothingFits } from "./offer-choice.ts";

/** The volume of a sleeping instance, and what is known of it. */
export interface HomeVolume {
  readonly name: string;
  readonly provider: string;
  readonly region: string;
  readonly zone: string;
  /** Its cloud attaches it in its zone alone. */
  readonly isZonal: boolean;
  readonly sizeGb: number;
  /** What it costs per hour, where the provider says; a second one costs as much. */
  readonly pricePerHour: Money | null;
}

/** A volume that holds what the home volume holds, made for an earlier try. */
export interface Twin {
  readonly provider: string;
  readonly region: string;
  readonly zone: string;
}

/** A sealed checkpoint in a bucket, for a machine that gets it once it is up. Times are in milliseconds. */
export interface BucketSource {
  readonly checkpoint: string;
  /** Of its manifest, in hex. */
  readonly sha256: string;
  /** `s3://bucket/prefix` */
  readonly place: string;
  readonly bytes: number;
  /** Epoch. */
  readonly sealedAt: number;
  readonly ageMs: number;
  /** By how much it is older than the newest sealed checkpoint that there is, as far as anybody can say; 0: it is that one. */
  readonly behindMs: number;
  /** That newest one is not known: a machine worked for so long after it, and nobody could read what it sealed last. */
  readonly isUnread?: boolean;
  /** The providers whose machines can be given it. */
  readonly to: readonly string[];
}

/** Whether and from where a sealed checkpoint of it can be read while no machine has the volume. */
export type Source =
  | {
      readonly from: string;
      readonly bytes: number;
      /** The providers on whose volumes its newest one can be put before a machine has them. */
      readonly to: readonly string[];
      readonly bucket?: BucketSource;
    }
  | { readonly why: string };

/** Which checkpoint it is, from where, and how old. */
export function copyText({ checkpoint, place, ageMs, behindMs, isUnread = false }: BucketSource): string {
  const missing = isUnread
    ? `its machine worked ${durationText(behindMs)} after it, and what it sealed since is not known: that work is not in it`
    : `${durationText(behindMs)} older than its newest: the work since then is not in it`;
  const behind = behindMs === 0 ? "its newest known one" : missing;
  return `the copy of ${checkpoint} in ${place}, sealed ${durationText(ageMs)} ago (${behind})`;
}

export interface LadderInput {
  readonly record: Pick<InstanceRecord, "spec" | "state" | "parked" | "parkOnly" | "price" | "provider" | "zone" | "sealedAsleep">;
  /** Null: it has none. */
  readonly home: HomeVolume | null;
  /** Where its kept root disk lies, if there is one. */
  readonly root: Tie | null;
  readonly market: readonly Offer[];
  /** Offers that are passed over for now, by their keys, each with why. */
  readonly blocked: ReadonlyMap<string, string>;
  readonly rate: ExchangeRate;
  readonly prefer: Preferences;
  readonly allow: readonly RungName[];
  /** The most for a rung above the first two, per hour; null: what the spec allows. */
  readonly ceiling: Money | null;
  /** Null where the cloud makes none; else whether there is one that is not older than the newest sealed checkpoint. */
  readonly snapshots: { readonly fresh: boolean; readonly pending: boolean } | null;
  /** Its volume began empty, for a checkpoint from a bucket, and nothing is known to be sealed on it. */
  readonly isBare?: boolean;
  readonly twins: readonly Twin[];
  /** Empty volumes to which a checkpoint from a bucket was on its way, made for an earlier try. */
  readonly vessels?: readonly Twin[];
  readonly source: Source;
  /** A copy that is not of the newest checkpoint is agreed to when it was sealed at or after this (epoch ms); absent or null: none. */
  readonly oldest?: number | null;
  /** How long a wake by each rung took before, in milliseconds. */
  readonly took: Partial<Readonly<Record<RungName, number>>>;
}

/** One way back. */
export interface Rung {
  readonly rung: RungName;
  /** It can be tried: it is allowed, and as far as anybody can say it leads somewhere. */
  readonly isOpen: boolean;
  /** It could be tried if its price were agreed to. */
  readonly isDear: boolean;
  /** Why it can be tried, or why not. */
  readonly why: string;
  /** What it takes, in words; nothing for one that is closed for good. */
  readonly needs: readonly string[];
  /** The offers that it would take, best first; none for the machine that sleeps. */
  readonly offers: readonly Offer[];
  /** Of the machine, per hour. */
  readonly price: Money | null;
  /** What goes on costing besides, per hour: a second volume beside the first. */
  readonly besides: Money | null;
  /** Until it serves, as last measured, in milliseconds; null before the first time. */
  readonly expectedMs: number | null;
  /** The copy in a bucket from which its work goes on; absent: from what lies on its volume. */
  readonly copy?: BucketSource;
}

type Judged = Pick<Rung, "isOpen" | "why"> & Partial<Rung>;

/** Every way back for a sleeping instance, in the order in which they are tried. Pure. */
export function ladder(input: LadderInput): readonly Rung[] {
  const judge: Readonly<Record<RungName, (input: LadderInput) => Judged>> = {
    "same-machine": sameMachine,
    "same-zone": sameZone,
    snapshot: sisterZone,
    copy: elsewhere,
    "on-demand": onDemand,
  };
  return RUNGS.map((rung) => {
    const closed = { isDear: false, needs: [], offers: [], price: null, besides: null };
    const judged: Omit<Rung, "rung" | "expectedMs"> = { ...closed, ...judge[rung](input) };
    const expectedMs = input.took[rung] ?? null;
    if (isAllowed(rung, input) || !judged.isOpen) return { rung, expectedMs, ...judged };
    return { rung, expectedMs, ...judged, isOpen: false, isDear: false, why: `${judged.why}; not allowed: --allow ${rung}` };
  });
}

/** What its spec says holds for a way back as well. */
function isAllowed(rung: RungName, { allow, record, prefer }: LadderInput): boolean {
  return allow.includes(rung) || (rung === "on-demand" && isOnDemandAgreed(record.spec, prefer));
}

/** Whether on demand was agreed to with its spec: as good as spot, or once spot was refused for long enough. */
function isOnDemandAgreed({ billing }: InstanceSpec, { onDemand }: Preferences): boolean {
  return billing === "auto" || onDemand;
}

/** Spot before all: on demand is a rung of its own, unless nothing else was ever wanted. */
function asSpot(spec: InstanceSpec): InstanceSpec {
  return spec.billing === "on-demand" ? spec : { ...spec, billing: "spot" };
}

/** Whether its machine sleeps at its cloud, and is still wanted. */
function sleepsNatively({ record }: LadderInput): boolean {
  return record.parked === "native" && !record.parkOnly;
}

function sameMachine(input: LadderInput): Judged {
  const { record, root } = input;
  if (sleepsNatively(input))
    return {
      isOpen: true,
      why: `its machine sleeps at ${record.provider} in ${record.zone}; whether there is hardware is known once it is asked for`,
      needs: ["its cloud wakes it"],
      price: record.price,
    };
  if (root === null) return { isOpen: false, why: "nothing of its last machine is left but its volume" };
  const found = offersAt(input, root);
  const why = `its root disk is kept in ${root.provider} ${root.zone ?? root.region}`;
  if (found.offers.length === 0) return { isOpen: false, why: `${why}, and ${found.why}` };
  return { ...found, isOpen: true, why, needs: ["a machine that boots from it"] };
}

/** What another machine would lose that its own one has. */
function losesRoot(input: LadderInput): string | null {
  if (!sleepsNatively(input) || input.record.sealedAsleep) return null;
  return "no checkpoint was sealed right before it slept: what it did lies on its sleeping machine alone";
}

function tieOf({ provider, region, zone, isZonal }: HomeVolume): Tie {
  return { provider, region, zone: isZonal ? zone : null };
}

function offersAt(input: LadderInput, tie: Tie): { readonly offers: readonly Offer[]; readonly price: Money | null; readonly why: string } {
  const { market, blocked, rate, prefer, record } = input;
  const spec = asSpot(record.spec);
  const calm = { ...prefer, onDemand: false };
  const offers = chooseOffers(market, spec, tie, blocked, rate, calm);
  const why = offers.length > 0 ? "there are offers" : whyNothingFits(market, spec, tie, rate, calm, blocked);
  return { offers, price: offers[0]?.price ?? null, why };
}

function sameZone(input: LadderInput): Judged {
  const { home, root } = input;
  if (home === null) return { isOpen: false, why: "it has no volume that another machine could have" };
  if (root !== null) return { isOpen: false, why: "its root disk is kept: the first rung asks for the same machines" };
  const lost = losesRoot(input);
  if (lost !== null) return { isOpen: false, why: lost };
  const tie = tieOf(home);
  const { why: none, ...found } = offersAt(input, tie);
  if (found.offers.length === 0) return { isOpen: false, why: none };
  const needs = [`a machine in ${tie.zone ?? tie.region}, with ${home.name}`];
  return { isOpen: true, why: `its volume lies in ${home.provider} ${tie.zone ?? tie.region}`, needs, ...found };
}

/** Those of a price that was agreed to; all where that is none. */
function affordable({ ceiling, rate }: LadderInput, offers: readonly Offer[]): readonly Offer[] {
  const within = offers.filter(({ price }) => ceiling === null || compareMoney(price, ceiling, rate) <= 0);
  return within.length > 0 ? within : offers;
}

/** A rung above the first two: what it costs has to be agreed to. */
function priced(
  { ceiling, rate }: LadderInput,
  judged: Judged & { readonly offers: readonly Offer[]; readonly price: Money | null },
): Judged {
  const within = judged.offers.filter(({ price }) => ceiling === null || compareMoney(price, ceiling, rate) <= 0);
  const [best] = within;
  if (best !== undefined) return { ...judged, offers: within, price: best.price };
  const dear = ceiling?.micros === 0n ? "nobody knows what it cost before, and the price" : "it costs more than it did, and that";
  return { ...judged, isOpen: false, isDear: true, why: `${judged.why}; ${dear} is to be agreed to: --yes` };
}

function sisterZone(input: LadderInput): Judged {
  const { home, snapshots, twins, record, isBare = false } = input;
  if (home === null) return { isOpen: false, why: "it has no volume" };
  if (!home.isZonal) return { isOpen: false, why: `${home.provider} attaches a volume anywhere in its region: there is no sister zone` };
  const lost = losesRoot(input);
  if (lost !== null) return { isOpen: false, why: lost };
  if (isBare) return { isOpen: false, why: `nothing is known to be sealed on ${home.name}, which began empty: a copy of it may be empty` };
  if (snapshots === null) return { isOpen: false, why: `${home.provider} makes no snapshots of volumes` };
  const region = { provider: home.provider, region: home.region, zone: null };
  const market = input.market.filter(({ zone }) => zone !== home.zone);
  const { why, ...found } = offersAt({ ...input, market }, region);
  const inTwins = found.offers.filter((offer) => twins.some((twin) => isAt(offer, twin)));
  const [best] = inTwins.length > 0 ? inTwins : found.offers;
  if (best === undefined) return { isOpen: false, why: `in the other zones of ${home.region}: ${why}` };
  const needs = isAt(best, ...twins)
    ? [`the copy of ${home.name} that is there already`]
    : [
        snapshots.fresh ? "a snapshot that is as fresh as its newest checkpoint" : `a snapshot of ${home.name}, which is made first`,
        `a second volume of ${home.sizeGb} GB in ${best.zone}; ${home.name} stays, and both bill`,
      ];
  const besides = isAt(best, ...twins) ? null : home.pricePerHour;
  return priced(input, {
    isOpen: true,
    why: `${record.spec.gpu?.model ?? "a machine"} is on offer in ${best.zone}, and its volume can be made anew there`,
    needs,
    offers: [...inTwins, ...found.offers.filter((offer) => !inTwins.includes(offer))],
    price: best.price,
    besides,
  });
}

function isAt(offer: Offer, ...twins: readonly Twin[]): boolean {
  return twins.some(({ provider, region, zone }) => offer.provider === provider && offer.region === region && offer.zone === zone);
}

function elsewhere(input: LadderInput): Judged {
  const { home, source, record } = input;
  if (home === null) return { isOpen: false, why: "it has no volume, and so no checkpoint" };
  const lost = losesRoot(input);
  if (lost !== null) return { isOpen: false, why: lost };
  if ("why" in source) return { isOpen: false, why: source.why };
  const market = input.market.filter((offer) => takesBefore(offer, home, source) || takesAfter(offer, home, source));
  const { blocked, rate, prefer, vessels = [] } = input;
  const spec = asSpot(record.spec);
  const calm = { ...prefer, onDemand: false };
  const found = chooseOffers(market, spec, null, blocked, rate, calm);
  const offers = [...found.filter((offer) => isAt(offer, ...vessels)), ...found.filter((offer) => !isAt(offer, ...vessels))];
  const whole = offers.filter((offer) => takesBefore(offer, home, source));
  // What goes back to older work is a question by itself, and asked only where nothing else is there.
  const candidates = isOldAgreed(source.bucket, input.oldest) ? offers : whole.length > 0 ? whole : offers;
  const [best] = candidates;
  if (best === undefined) return { isOpen: false, why: `elsewhere: ${whyNothingFits(market, spec, null, rate, calm, blocked)}` };
  const judged = priced(input, copyRung(input, home, source, affordable(input, candidates)));
  if (judged.copy === undefined || isOldAgreed(judged.copy, input.oldest)) return judged;
  return { ...judged, isOpen: false, isDear: true, why: `${judged.why}; that it goes back to older work is to be agreed to: --yes` };
}

/** What it takes to come back at the best of these offers. */
function copyRung(
  { vessels = [] }: LadderInput,
  home: HomeVolume,
  source: Exclude<Source, { readonly why: string }>,
  offers: readonly Offer[],
): Judged & { readonly offers: readonly Offer[]; readonly price: Money | null } {
  const [best] = offers;
  const where = best === undefined ? "" : `${best.provider} ${best.zone}`;
  const rest = { isOpen: true, offers, price: best?.price ?? null };
  const second = `a second volume of ${home.sizeGb} GB there; ${home.name} stays, and both bill`;
  if (best === undefined || takesBefore(best, home, source) || source.bucket === undefined) {
    const needs = [second, `${source.bytes} bytes copied and verified`];
    return { ...rest, why: `its newest checkpoint is read from ${source.from} and copied to ${where}`, needs, besides: home.pricePerHour };
  }
  const { bucket } = source;
  const isThere = isAt(best, ...vessels);
  return {
    ...rest,
    why: `${copyText(bucket)}, goes to a machine in ${where}`,
    needs: [
      isThere ? "the volume there to which it was on its way" : second,
      `${bucket.bytes} bytes copied to it once it is up, while it bills, and verified there; its workload is held back until then`,
    ],
    besides: isThere ? null : home.pricePerHour,
    copy: bucket,
  };
}

/** Whether the checkpoint can be put on a volume there before a machine has it. */
function takesBefore({ provider, region }: Offer, home: HomeVolume, source: Exclude<Source, { readonly why: string }>): boolean {
  // Where a snapshot can take its volume along, that is the rung before.
  return source.to.includes(provider) && (provider !== home.provider || region !== home.region);
}

/** Whether a machine there can be given the copy: anywhere but where the volume itself can be had. */
function takesAfter({ provider, region, zone }: Offer, home: HomeVolume, source: Exclude<Source, { readonly why: string }>): boolean {
  const isNear = provider === home.provider && region === home.region && (!home.isZonal || zone === home.zone);
  return source.bucket?.to.includes(provider) === true && !isNear;
}

function isOldAgreed(bucket: BucketSource | undefined, oldest: number | null | undefined): boolean {
  return bucket === undefined || bucket.behindMs === 0 || (oldest != null && bucket.sealedAt >= oldest);
}

function onDemand(input: LadderInput): Judged {
  const { record, home, root, market, blocked, rate, prefer } = input;
  const { spec } = record;
  if (spec.billing === "on-demand") return { isOpen: false, why: "it is rented on demand anyway: the rungs above ask for that" };
  const tie = root ?? (home === null ? null : tieOf(home));
  if (tie === null) return { isOpen: false, why: "it has no volume that another machine could have" };
  const lost = losesRoot(input);
  if (lost !== null) return { isOpen: false, why: lost };
  const wanted = { ...spec, billing: "on-demand" as const };
  const offers = chooseOffers(market, wanted, tie, blocked, rate, prefer);
  const [best] = offers;
  if (best === undefined) return { isOpen: false, why: whyNothingFits(market, wanted, tie, rate, prefer, blocked) };
  const agreed = isOnDemandAgreed(spec, prefer) ? { ...input, ceiling: null } : input;
  return priced(agreed, {
    isOpen: true,
    why: `${best.type} is on offer on demand in ${best.zone}, where its volume lies`,
    needs: ["the price on demand"],
    offers,
    price: best.price,
  });
}
