/** Yuan an hour from a moment on; a function of time where the market decides. */
type Rate = (at: number) => number;

/** One stretch of time in which something cost money. Times are epoch milliseconds. */
export interface Charge {
  readonly resource: string;
  readonly kind: "instance" | "disk";
  readonly rate: Rate;
  readonly from: number;
  to: number | null;
}

export interface Ledger {
  readonly charges: readonly Charge[];
  /** From this moment on the resource is charged; nothing changes while it is already. */
  begin(resource: string, kind: Charge["kind"], rate: Rate, at: number): void;
  end(resource: string, at: number): void;
  isCharged(resource: string): boolean;
  /** Yuan until now, by the second. */
  cost(resource: string, now: number): number;
}

const HOUR_MS = 3_600_000;

/** The bill of the cloud: by the second, at the rate of the hour of use that each second lies in. */
export function ledger(): Ledger {
  const charges: Charge[] = [];
  const open = (resource: string) => charges.find((charge) => charge.resource === resource && charge.to === null);
  const costOf = ({ rate, from, to }: Charge, now: number): number => {
    const end = to ?? now;
    let sum = 0;
    for (let start = from; start < end; start += HOUR_MS) {
      const seconds = Math.ceil((Math.min(end, start + HOUR_MS) - start) / 1_000);
      sum += (rate(start) * seconds) / 3_600;
    }
    return sum;
  };
  return {
    charges,
    begin(resource, kind, rate, at) {
      if (open(resource) === undefined) charges.push({ resource, kind, rate, from: at, to: null });
    },
    end(resource, at) {
      const running = open(resource);
      if (running !== undefined) running.to = at;
    },
    isCharged: (resource) => open(resource) !== undefined,
    cost: (resource, now) => charges.filter((charge) => charge.resource === resource).reduce((sum, charge) => sum + costOf(charge, now), 0),
  };
}
