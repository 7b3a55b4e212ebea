export type EventType = "intent" | "state" | "notice" | "checkpoint" | "action" | "price" | "budget" | "warning";

/** One line of the append-only log; also what `watch` tails. */
export interface FleetEvent {
  /** Never repeats, always grows. */
  readonly seq: number;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly type: EventType;
  /** The instance's name, when the event is about one. */
  readonly instance: string | null;
  readonly provider: string | null;
  /** The event's own fields, JSON-safe. */
  readonly data: Readonly<Record<string, unknown>>;
}
