/** The provider's word that an instance will be reclaimed (or only might be). Times are epoch milliseconds. */
export interface Notice {
  readonly kind: "reclaim" | "rebalance" | "maintenance";
  /** Which mouth spoke first: the provider's API or the agent inside the machine. */
  readonly source: "api" | "guest";
  readonly seenAt: number;
  readonly deadline: number;
  /** Since when each of the two mouths has said it; a mouth that is missing has not, or has taken it back. */
  readonly heard?: { readonly api?: number; readonly guest?: number };
  /** Present when the provider did not say when: the deadline is our own cautious assumption. */
  readonly assumed?: true;
}

/** Who can tell of a notice: the provider's list, and the agent inside the machine. */
export type Mouth = Notice["source"];

/** Of a notice that is known: one mouth says it too, or has taken it back while the other goes on saying it. */
export interface SecondMouth {
  readonly mouth: Mouth;
  readonly now: "says" | "withdrew";
}
