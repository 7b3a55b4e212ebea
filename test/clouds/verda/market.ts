import type { FakeAnswer } from "../fake-server.ts";
import { invalid, notFound } from "./answers.ts";
import { CATALOGUE, type CatalogueType, IMAGES, LOCATIONS, VOLUME_TYPES } from "./catalogue.ts";
import { type Call, stockKey, type VerdaState } from "./state.ts";

/** Prices are strings in half of the rows, numbers in the others. */
function wireType(row: CatalogueType, index: number, currency: string) {
  const money = (text: string) => (index % 2 === 0 ? text : Number(text));
  return {
    id: `7b1e6a0a-0000-4000-8000-0000000000${String(index).padStart(2, "0")}`,
    instance_type: row.type,
    model: row.gpu === "" ? "CPU Node" : row.gpu.split(" ")[1],
    name: row.gpu,
    display_name: row.gpu,
    cpu: { description: `${row.cores} CPU`, number_of_cores: row.cores },
    gpu: { description: row.gpu, number_of_gpus: row.gpus },
    gpu_memory: { description: `${row.gpuMemoryGb}GB GPU RAM`, size_in_gigabytes: row.gpuMemoryGb },
    memory: { description: `${row.memoryGb}GB RAM`, size_in_gigabytes: row.memoryGb },
    price_per_hour: money(row.price),
    spot_price: money(row.spotPrice),
    dynamic_price: money("9.9900"),
    max_dynamic_price: money("19.9900"),
    storage: { description: "dynamic" },
    currency,
    description: row.gpu,
  };
}

export function listTypes({ request }: Call): FakeAnswer {
  const currency = request.query.get("currency") ?? "usd";
  return { status: 200, body: CATALOGUE.map((row, index) => wireType(row, index, currency)) };
}

/** The parameter that the server does not know is ignored without a word. */
function asksForSpot(state: VerdaState, query: URLSearchParams): boolean {
  const allowed = [state.switches.spotParameter, "location_code"];
  if (state.switches.strictQuery && [...query.keys()].some((key) => !allowed.includes(key))) throw invalid("unknown query parameter");
  return query.get(state.switches.spotParameter) === "true";
}

function isToBeHad(state: VerdaState, type: string, location: string, isSpot: boolean): boolean {
  return (state.stock.get(stockKey(type, location, isSpot)) ?? 0) > 0;
}

export function listAvailability({ state, request: { query } }: Call): FakeAnswer {
  const isSpot = asksForSpot(state, query);
  const only = query.get("location_code");
  const rows = LOCATIONS.filter(({ code }) => only === null || code === only).map(({ code }) => ({
    location_code: code,
    availabilities: CATALOGUE.map(({ type }) => type).filter((type) => isToBeHad(state, type, code, isSpot)),
  }));
  return { status: 200, body: rows };
}

/** A boolean, or the same as a string. */
export function getAvailability({ state, request: { query }, rest: [type = ""] }: Call): FakeAnswer {
  if (!CATALOGUE.some((row) => row.type === type)) throw notFound("Invalid instance type");
  const only = query.get("location_code");
  const isSpot = asksForSpot(state, query);
  const found = LOCATIONS.some(({ code }) => (only === null || code === only) && isToBeHad(state, type, code, isSpot));
  return { status: 200, body: type.length % 2 === 0 ? found : JSON.stringify(String(found)) };
}

export const listLocations = (): FakeAnswer => ({ status: 200, body: LOCATIONS });
export const listImages = (): FakeAnswer => ({ status: 200, body: IMAGES });
export const listVolumeTypes = (): FakeAnswer => ({
  status: 200,
  body: Object.entries(VOLUME_TYPES).map(([type, price]) => ({
    type,
    price: { price_per_month_per_gb: Number(price), cps_per_gb: 0, currency: "usd" },
    is_shared_fs: type.endsWith("_Shared"),
    iops: "100000",
  })),
});
export const getBalance = (): FakeAnswer => ({ status: 200, body: { amount: 100, currency: "usd" } });
