/** One stretch of time in which something cost money. Times are epoch milliseconds. */
export interface Charge {
  /** `zone/name` of a machine or a disk, `global/name` of a snapshot. */
  readonly resource: string;
  readonly kind: "machine" | "disk" | "snapshot";
  /** In dollars. */
  readonly perHour: number;
  readonly from: number;
  to: number | null;
  /** Preempted in its first minute. */
  free: boolean;
}

export interface Ledger {
  readonly charges: readonly Charge[];
  /** From this moment on the resource costs so much an hour; 0 ends it. The same rate again changes nothing. */
  set(resource: string, kind: Charge["kind"], perHour: number, at: number): void;
  /** As `set` to 0 for a machine that was preempted: a stretch below a minute is free. */
  endPreempted(resource: string, at: number): void;
  /** What it cost until now, in dollars: machines per second, a minute at least; disks per second. */
  cost(resource: string, now: number): number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** The bill of the cloud. */
export function ledger(): Ledger {
  const charges: Charge[] = [];
  const open = new Map<string, Charge>();
  const set: Ledger["set"] = (resource, kind, perHour, at) => {
    const key = `${kind} ${resource}`;
    const running = open.get(key);
    if (running === undefined ? perHour === 0 : running.perHour === perHour) return;
    if (running !== undefined) running.to = at;
    open.delete(key);
    if (perHour === 0) return;
    const charge: Charge = { resource, kind, perHour, from: at, to: null, free: false };
    open.set(key, charge);
    charges.push(charge);
  };
  const billedMs = ({ from, to, kind, free }: Charge, now: number): number => {
    if (free) return 0;
    const whole = Math.ceil(((to ?? now) - from) / 1_000) * 1_000;
    return kind === "machine" ? Math.max(whole, MINUTE_MS) : whole;
  };
  return {
    charges,
    set,
    endPreempted(resource, at) {
      const running = open.get(`machine ${resource}`);
      if (running !== undefined && at - running.from < MINUTE_MS) running.free = true;
      set(resource, "machine", 0, at);
    },
    cost(resource, now) {
      return charges
        .filter((charge) => charge.resource === resource)
        .reduce((sum, charge) => sum + (billedMs(charge, now) / HOUR_MS) * charge.perHour, 0);
    },
  };
}
