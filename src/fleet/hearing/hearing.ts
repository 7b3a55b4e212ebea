import type { Notice, SecondMouth } from "../../model/notice.ts";
import type { MachineKind, ProviderInstance } from "../../providers/provider.ts";
import type { InstanceRecord } from "../../state/records.ts";
import { isSameNotice } from "../deciding/decide.ts";
import type { CloudView } from "../deciding/decision.ts";
import type { GuestWord } from "../fleet.ts";

/** A notice that only an agent told, whose agent cannot be heard any more, stands for so long past its deadline, in milliseconds. */
const UNHEARD_MS = 120_000;

/** Since when each mouth has said it, in epoch milliseconds; as long as there was one it is the one that spoke first. */
export function mouthsOf({ heard, source, seenAt }: Notice): NonNullable<Notice["heard"]> {
  return heard ?? { [source]: seenAt };
}

/** What the agent itself has from its cloud. What we told it is our own word, and proves nothing. */
function guestNotice(known: Notice | null, word: GuestWord | undefined, now: number): Notice | null {
  if (word !== undefined) {
    if (word.notice === null || !isItsOwn(known, word.notice)) return null;
    const { kind, deadline } = word.notice;
    return { kind, source: "guest", seenAt: now, deadline };
  }
  // Unheard is not withdrawn.
  return known !== null && mouthsOf(known).guest !== undefined && now < known.deadline + UNHEARD_MS ? known : null;
}

/**
 * Whether the agent has it from its cloud. One that said so and was told the same since may not know any more from whom it has it:
 * it goes on saying it, and when its cloud takes it back, it forgets what it was told with it.
 */
function isItsOwn(known: Notice | null, { kind, deadline, own }: NonNullable<GuestWord["notice"]>): boolean {
  if (own || known === null) return own;
  return mouthsOf(known).guest !== undefined && isSameNotice(known, { kind, deadline, source: "guest", seenAt: known.seenAt });
}

/**
 * What is said of a machine by whichever mouth: the provider's list and the agent inside. A notice that one takes back stands
 * while the other still says it. `word` is undefined when the agent cannot be heard. Times are epoch milliseconds.
 */
export function eitherNotice(known: Notice | null, api: Notice | null, word: GuestWord | undefined, now: number): Notice | null {
  const guest = guestNotice(known, word, now);
  if (guest === null || api === null) return withMemory(known, guest ?? api);
  // An advice hides no reclaim.
  if (guest.kind !== api.kind) return withMemory(known, guest.kind === "reclaim" ? guest : api);
  if (api.assumed === true) return withMemory(known, guest);
  return withMemory(known, guest.deadline < api.deadline ? guest : api);
}

/** The notice that is known already is that very one, with the mouth that spoke first. */
function withMemory(known: Notice | null, said: Notice | null): Notice | null {
  return said !== null && isSameNotice(known, said) ? known : said;
}

/** A machine with the notice that either mouth tells of it. */
export function asHeard(record: InstanceRecord, instance: ProviderInstance, word: GuestWord | undefined, now: number): ProviderInstance {
  const notice = eitherNotice(record.notice, instance.notice, word, now);
  return notice === instance.notice ? instance : { ...instance, notice };
}

/** The same of whatever the provider says of a machine. */
export function viewAsHeard(record: InstanceRecord, cloud: CloudView, word: GuestWord | undefined, now: number): CloudView {
  return cloud.kind === "here" ? { kind: "here", instance: asHeard(record, cloud.instance, word, now) } : cloud;
}

/** Whether a notice would be taken for withdrawn of which the agent has not been asked, although it could know. */
export function wantsWord({ notice }: InstanceRecord, cloud: CloudView, machine: MachineKind): boolean {
  return machine.notices !== "controller" && notice !== null && cloud.kind === "here" && cloud.instance.notice === null;
}

/** Of a known notice: which mouth has said something new that changes nothing. */
export function secondMouth(known: Notice | null, api: Notice | null, word: GuestWord | undefined): SecondMouth | null {
  if (known === null) return null;
  const own = word?.notice != null && isItsOwn(known, word.notice) ? word.notice : null;
  const saysApi = api !== null && isSameNotice(known, api);
  const saysGuest = own !== null && isSameNotice(known, { ...own, source: "guest", seenAt: known.seenAt });
  const heard = mouthsOf(known);
  if (saysApi && heard.api === undefined) return { mouth: "api", now: "says" };
  if (saysGuest && heard.guest === undefined) return { mouth: "guest", now: "says" };
  if (!saysApi && heard.api !== undefined && saysGuest) return { mouth: "api", now: "withdrew" };
  if (word !== undefined && !saysGuest && heard.guest !== undefined && saysApi) return { mouth: "guest", now: "withdrew" };
  return null;
}
