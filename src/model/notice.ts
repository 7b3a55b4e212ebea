/** The provider's word that an instance will be reclaimed (or only might be). Times are epoch milliseconds. */
export interface Notice {
  readonly kind: "reclaim" | "rebalance" | "maintenance";
  /** Which mouth spoke first: the provider's API or the agent inside the machine. */
  readonly source: "api" | "guest";
  readonly seenAt: number;
  readonly deadline: number;
  /** Present when the provider did not say when: the deadline is our own cautious assumption. */
  readonly assumed?: true;
}
