import type { Gpu, GpuForm } from "../../model/gpu.ts";
import { gpuFromName, gpuMatcher } from "../../model/gpu-names.ts";
import type { Billing } from "../../model/instance.ts";
import type { PriceSource } from "../../model/listed-price.ts";
import type { BookConnection, KnownGpu, PriceQuery } from "./types.ts";

interface MachineRow {
  readonly id: number;
  readonly provider: string;
  readonly type: string;
  readonly model: string;
  readonly form: GpuForm | "";
  readonly count: number;
  readonly vram_gb: number;
  readonly vcpus: number;
  readonly memory_gb: number;
}

/** A machine as its numbers stand in the price book, by its number there. */
export interface BookMachine {
  readonly provider: string;
  readonly type: string;
  readonly gpu: Gpu;
  readonly vcpus: number;
  readonly memoryGb: number;
}

export interface SeriesRow {
  readonly id: number;
  readonly machine: number;
  readonly region: string;
  readonly zone: string;
  readonly kind: PriceSource;
  readonly billing: Billing;
  readonly currency: string;
  readonly micros: number;
  readonly on_demand_micros: number | null;
  readonly since_at: number;
  readonly seen_at: number;
}

function bookMachine({ provider, type, model, form, count, vram_gb, vcpus, memory_gb }: MachineRow): BookMachine {
  const gpu = { model, count, vramGb: vram_gb, ...(form === "" ? {} : { form }) };
  return { provider, type, gpu, vcpus, memoryGb: memory_gb };
}

/** The machines that a query asks for. Names are matched here, so that SQL need not know how GPUs are spelt. */
export function machinesOf(database: BookConnection["database"], query: PriceQuery): ReadonlyMap<number, BookMachine> {
  const { gpuModel, gpuCount, providers, type } = query;
  const model = gpuModel === undefined ? null : gpuFromName(gpuModel).model;
  const rows = database
    .prepare("SELECT * FROM machines WHERE (?1 IS NULL OR model = ?1) AND (?2 IS NULL OR type = ?2)")
    .all([model, type ?? null]) as MachineRow[];
  const isAsked = gpuModel === undefined ? () => true : gpuMatcher(gpuModel);
  const isWanted = ({ provider, gpu }: BookMachine) =>
    (gpuCount === undefined || gpu.count === gpuCount) && (providers === undefined || providers.includes(provider)) && isAsked(gpu);
  return new Map(rows.map((row) => [row.id, bookMachine(row)] as const).filter(([, machine]) => isWanted(machine)));
}

/** A document that was not read to its end leaves machines behind of which nothing is said. */
const KNOWN_GPUS = `SELECT DISTINCT provider, model, form, vram_gb FROM machines m
  WHERE EXISTS (SELECT 1 FROM series WHERE machine = m.id)`;

export function knownGpus(database: BookConnection["database"]): readonly KnownGpu[] {
  const rows = database.prepare(KNOWN_GPUS).all([]) as MachineRow[];
  return rows.map(({ provider, model, form, vram_gb }) => ({ provider, model, vramGb: vram_gb, ...(form === "" ? {} : { form }) }));
}

/** Series of machines that come as a JSON list of their numbers, as `SeriesRow`. */
export const SERIES = `SELECT s.id, s.machine, p.region, p.zone, c.kind, s.billing, s.currency, s.micros, s.on_demand_micros,
    s.since_at, s.seen_at`;
export const OF_MACHINES = `FROM series s JOIN places p ON p.id = s.place JOIN sources c ON c.id = s.source
  WHERE s.machine IN (SELECT value FROM json_each(?))`;

/** The part of a query that is not about machines, as SQL and its values. */
export function conditions(query: PriceQuery): { readonly sql: string; readonly values: readonly (string | number)[] } {
  const { billing, place, source, maxPrices } = query;
  const parts: { readonly sql: string; readonly values: readonly (string | number)[] }[] = [
    ...(billing === undefined ? [] : [{ sql: "s.billing = ?", values: [billing] }]),
    ...(place === undefined ? [] : [{ sql: "(p.region = ? OR p.zone = ?)", values: [place, place] }]),
    ...(source === undefined ? [] : [{ sql: "c.kind = ?", values: [source] }]),
    ...(maxPrices === undefined
      ? []
      : [
          {
            sql: `(${["0", ...maxPrices.map(() => "(s.currency = ? AND s.micros <= ?)")].join(" OR ")})`,
            values: maxPrices.flatMap(({ currency, micros }) => [currency, Math.min(Number(micros), Number.MAX_SAFE_INTEGER)]),
          },
        ]),
  ];
  return { sql: parts.map(({ sql }) => ` AND ${sql}`).join(""), values: parts.flatMap(({ values }) => values) };
}

/** What a series says of the machine and the place that it is about. */
export function described(machine: BookMachine, { region, zone, billing, kind }: SeriesRow) {
  return { ...machine, region, zone, billing, source: kind };
}
