import type { SecondMouth } from "../../model/notice.ts";
import type { Problem } from "../../model/problem.ts";
import type { MachineKind, ProviderInstance } from "../../providers/provider.ts";
import type { IntentRecord } from "../../state/records.ts";
import type { GuestReport } from "../fleet.ts";
import type { Near, StayAction } from "./stay.ts";
import type { NoticeAction } from "./under-notice.ts";

/** What the provider says about the machine of a record. */
export type CloudView =
  /** The record has no machine. */
  | { readonly kind: "none" }
  /** The provider did not answer: nothing is known, and nothing is concluded. `problem`: nor is waiting any use. */
  | { readonly kind: "silent"; readonly why: string; readonly problem?: Problem }
  /** The provider says that it is over. */
  | { readonly kind: "gone"; readonly instance: ProviderInstance | null }
  | { readonly kind: "here"; readonly instance: ProviderInstance };

/** The provider answered. */
export type KnownCloud = Exclude<CloudView, { readonly kind: "silent" }>;

export interface Observation {
  readonly now: number;
  readonly cloud: CloudView;
  /** The launch that has no recorded answer yet, if there is one. */
  readonly launchIntent: IntentRecord | null;
  /** The launch of a machine that is to take over, as long as it has no recorded answer. */
  readonly aheadIntent: IntentRecord | null;
  /** The machine that is to take over, as the provider sees it; null when there is none, or nobody answered. */
  readonly heir: ProviderInstance | null;
  /** A volume can be attached to a machine that runs. */
  readonly canAttach: boolean;
  /** A machine at the provider that carries that launch's token. */
  readonly foundByToken: ProviderInstance | null;
  /** How long after a launch its machine is sure to be listed, in milliseconds. */
  readonly listSettlesMs: number;
  readonly hibernates: "native" | "park";
  /** The cloud was asked to start the machine again by itself after a reclaim that stopped it. */
  readonly waitsForCapacity: boolean;
  /** How soon a machine that changes is worth another look, in milliseconds. */
  readonly pollMs: number;
  /** What the cloud's machines can do by themselves. */
  readonly machine: MachineKind;
  /** What is due is looked at again within so many milliseconds; null when nobody says so. */
  readonly looksEveryMs: number | null;
  /** The provider's id of the volume that it is to have; null when it has none, or a launch attaches it. */
  readonly attachVolume: string | null;
  /** What the agent says; null when it was not reachable or not asked. */
  readonly guest: GuestReport | null;
  readonly ready: boolean;
  /** Why the agent says nothing, in its own words; asked only when it is overdue. */
  readonly silence?: string | null;
  /** The agent was told of the notice a moment ago, and the word did not get through. */
  readonly toldInVain?: boolean;
  /** Of the notice that is known: who says it too, or does not say it any more; null or absent when that is nothing new. */
  readonly mouth?: SecondMouth | null;
  /** What is known around it, once it serves. */
  readonly near: Near;
}

export type Action =
  /** Look again later; nothing to do now. */
  | { readonly do: "wait"; readonly ms: number }
  /** Everything is as wanted. */
  | { readonly do: "rest" }
  | { readonly do: "launch" }
  /** A machine that is to take over, while the present one is being taken back. */
  | { readonly do: "launch-ahead" }
  | { readonly do: "adopt-ahead"; readonly instance: ProviderInstance }
  | { readonly do: "abandon-ahead" }
  /** The machine before it is gone. */
  | { readonly do: "take-over" }
  /** It is not needed after all. */
  | { readonly do: "end-successor" }
  /** There was no capacity a moment ago. */
  | { readonly do: "await-capacity" }
  | { readonly do: "adopt-launch"; readonly instance: ProviderInstance }
  | { readonly do: "abandon-launch" }
  | { readonly do: "note-ready"; readonly instance: ProviderInstance }
  | { readonly do: "note-notice"; readonly instance: ProviderInstance }
  | { readonly do: "note-withdrawn" }
  /** The other mouth says the same notice, or takes back what one still says. */
  | { readonly do: "note-mouth"; readonly second: SecondMouth }
  /** The agent has not heard of the notice, and has nobody else to hear it from. */
  | { readonly do: "tell-notice"; readonly instance: ProviderInstance }
  | { readonly do: "attach-volume"; readonly instance: ProviderInstance; readonly volumeId: string }
  | { readonly do: "mount-volume"; readonly instance: ProviderInstance }
  /** Its agent holds the workload back until a checkpoint has been copied to its volume. */
  | { readonly do: "bring-checkpoint"; readonly instance: ProviderInstance }
  /** That one is there, and the volume that has it gets the name. */
  | { readonly do: "note-arrived" }
  /** It should serve by now, and does not: said once. */
  | { readonly do: "note-overdue"; readonly why: string }
  /** The provider says a word about it that we do not know. */
  | { readonly do: "note-unknown"; readonly instance: ProviderInstance }
  /** Somebody stopped it outside of us. */
  | { readonly do: "note-stopped"; readonly instance: ProviderInstance }
  /** Its time is over, and it cannot end itself. */
  | { readonly do: "let-expire" }
  /** What a reclaim left of it still costs: it is ended, and then the machine is lost. */
  | { readonly do: "clear-remains"; readonly instance: ProviderInstance }
  /** What is wanted cannot be done to it as it is. */
  | { readonly do: "refuse-stopped" }
  | { readonly do: "refuse-parking" }
  /** The machine is no more, and we did not end it. */
  | { readonly do: "note-lost" }
  /** The machine never came up: end it and try another offer. */
  | { readonly do: "discard" }
  | { readonly do: "snapshot-and-hibernate"; readonly instance: ProviderInstance; readonly snapshot: boolean }
  | { readonly do: "note-hibernated"; readonly parked: "native" | "recreate" }
  | { readonly do: "restore"; readonly instance: ProviderInstance }
  /** A restore that its command did not live to cap. */
  | { readonly do: "give-up-waking" }
  | { readonly do: "snapshot-and-destroy"; readonly instance: ProviderInstance; readonly snapshot: boolean }
  | { readonly do: "note-gone" }
  | NoticeAction
  | StayAction;

export interface Decision {
  readonly action: Action;
  /** For people and for the log. */
  readonly why: string;
  /** When it is to be looked at again at the latest, in epoch milliseconds; absent: as ever. */
  readonly nextLook?: number;
}
