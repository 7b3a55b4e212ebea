/** One stretch of time in which something cost money. Times are epoch milliseconds. */
export interface Charge {
  readonly resource: string;
  readonly kind: "machine" | "root-disk" | "volume" | "address";
  readonly perHour: number;
  readonly from: number;
  to: number | null;
}

export interface Ledger {
  /** From this moment on the resource costs so much an hour; 0 ends it. The same rate again changes nothing. */
  set(resource: string, kind: Charge["kind"], perHour: number, at: number): void;
  readonly charges: readonly Charge[];
  /** What it cost until now, in dollars. Every minute that has begun is billed. */
  cost(kind: Charge["kind"], resource: string, now: number): number;
}

const MINUTE_MS = 60_000;

/** The bill of the cloud, by the minute. */
export function ledger(): Ledger {
  const charges: Charge[] = [];
  const open = (resource: string, kind: Charge["kind"]) =>
    charges.find((charge) => charge.resource === resource && charge.kind === kind && charge.to === null);
  return {
    charges,
    set(resource, kind, perHour, at) {
      const running = open(resource, kind);
      if (running?.perHour === perHour) return;
      if (running !== undefined) running.to = at;
      if (perHour > 0) charges.push({ resource, kind, perHour, from: at, to: null });
    },
    cost(kind, resource, now) {
      return charges
        .filter((charge) => charge.kind === kind && charge.resource === resource)
        .reduce((sum, { perHour, from, to }) => sum + (Math.ceil(((to ?? now) - from) / MINUTE_MS) * perHour) / 60, 0);
    },
  };
}
