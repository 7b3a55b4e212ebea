import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { moneyToDecimal } from "../../src/model/money.ts";
import { gcpApi } from "../../src/providers/gcp/api.ts";
import { currentPrices, keyOf, type Prices } from "../../src/providers/gcp/prices.ts";
import { keptAnswers } from "../../src/providers/kept-answers.ts";
import { type FakeRequest, fakeServer } from "../clouds/fake-server.ts";
import { handClock } from "../local-cloud/hand-clock.ts";

const context = { signal: new AbortController().signal };
const A_DAY_MS = 24 * 3_600_000;

interface Sku {
  readonly description: string;
  readonly category: { readonly resourceFamily: string; readonly resourceGroup: string; readonly usageType: string };
  readonly serviceRegions: readonly string[];
  readonly pricingInfo: unknown;
}

function sku(
  description: string,
  resourceGroup: string,
  usageType: string,
  nanos: number,
  change: Partial<Sku> & { unit?: string; units?: string } = {},
): Sku {
  return {
    description,
    category: { resourceFamily: "Compute", resourceGroup, usageType },
    serviceRegions: ["us-central1", "us-east1"],
    pricingInfo: [
      {
        pricingExpression: {
          usageUnit: change.unit ?? "h",
          tieredRates: [{ startUsageAmount: 0, unitPrice: { currencyCode: "USD", units: change.units ?? "0", nanos } }],
        },
      },
    ],
    ...(change.category === undefined ? {} : { category: change.category }),
    ...(change.serviceRegions === undefined ? {} : { serviceRegions: change.serviceRegions }),
  };
}

const ram = { unit: "GiBy.h" };
const BOOK: readonly Sku[] = [
  sku("G2 Instance Core running in Americas", "CPU", "OnDemand", 24_988_440),
  sku("G2 Instance Ram running in Americas", "RAM", "OnDemand", 2_927_360, ram),
  sku("Nvidia L4 GPU running in Americas", "GPU", "OnDemand", 560_004_000),
  sku("Spot Preemptible G2 Instance Core running in Americas", "CPU", "Preemptible", 9_995_400),
  sku("Spot Preemptible G2 Instance Ram running in Americas", "RAM", "Preemptible", 1_170_940, ram),
  sku("Nvidia L4 GPU attached to Spot Preemptible VMs running in Americas", "GPU", "Preemptible", 224_001_600),
  sku("Spot Preemptible A3Plus Instance Core running in Americas", "CPU", "Preemptible", 7_000_000),
  sku("Spot Preemptible A3Plus Instance Ram running in Americas", "RAM", "Preemptible", 600_000, ram),
  sku("Nvidia H100 80GB Plus GPU attached to Spot Preemptible VMs running in Americas", "GPU", "Preemptible", 400_000_000, { units: "2" }),
  sku("N1 Predefined Instance Core running in Americas", "N1Standard", "OnDemand", 31_611_000),
  sku("N1 Predefined Instance Ram running in Americas", "N1Standard", "OnDemand", 4_237_000, ram),
  sku("Nvidia Tesla T4 GPU running in Americas", "GPU", "OnDemand", 350_000_000),
  // What must not be counted.
  sku("Commitment v1: G2 Cpu in Americas for 1 Year", "CPU", "Commit1Yr", 1),
  sku("Reserved G2 Instance Core running in Americas", "CPU", "OnDemand", 999_000_000),
  sku("G2 Sole Tenancy Instance Core running in Americas", "CPU", "OnDemand", 999_000_000),
  sku("G2 Custom Instance Core running in Americas", "CPU", "OnDemand", 999_000_000),
  sku("Nvidia Tesla T4 Virtual Workstation GPU running in Americas", "GPU", "OnDemand", 1),
  sku("Spot Preemptible A4 Nvidia B200 (1 gpu slice) running in Americas", "GPU", "OnDemand", 954_200_000, { units: "4" }),
  sku("Balanced PD Capacity", "SSD", "OnDemand", 100_000_000, {
    unit: "GiBy.mo",
    category: { resourceFamily: "Storage", resourceGroup: "SSD", usageType: "OnDemand" },
  }),
];

/** The catalogue in pages of two, with page tokens that end when it is told so. */
async function bench(skus: readonly Sku[] = BOOK, perPage = 2) {
  const home = mkdtempSync(join(tmpdir(), "spot-gcp-prices-"));
  const clock = handClock(Date.UTC(2026, 10, 1));
  const state = { epoch: 1 };
  const server = await fakeServer({
    handle({ path, query }: FakeRequest) {
      if (path.startsWith("/computeMetadata/")) return { status: 200, body: { access_token: "canary-token", expires_in: 36_000_000 } };
      const [epoch = state.epoch, from = 0] = (query.get("pageToken") ?? "").split("-").filter(Boolean).map(Number);
      if (epoch !== state.epoch)
        return { status: 400, body: { error: { code: 400, message: "Invalid page token", errors: [{ reason: "badRequest" }] } } };
      const next = from + perPage < skus.length ? `${state.epoch}-${from + perPage}` : "";
      return { status: 200, body: { skus: skus.slice(from, from + perPage), nextPageToken: next } };
    },
  });
  onTestFinished(async () => {
    await server.close();
    rmSync(home, { recursive: true, force: true });
  });
  const env = { SPOT_GCP_API_URL: server.url, GCE_METADATA_HOST: server.url.replace("http://", ""), GOOGLE_CLOUD_PROJECT: "p" };
  const world = { env, home, clock: { ...clock, sleep: async (ms: number) => clock.advance(ms) } };
  const asked = () => server.requests.filter(({ path }) => path.endsWith("/skus"));
  /** A process of its own: nothing is remembered but the files. */
  const read = (given = context): Promise<Prices> => currentPrices(gcpApi(world), keptAnswers("gcp", world), given);
  return { read, asked, clock, home, server, state };
}

const G2 = { machineType: "g2-standard-4", vcpus: 4, memoryMb: 16_384, accelerator: "nvidia-l4", count: 1 };
const text = (money: ReturnType<Prices["of"]>) => (money === null ? null : `${moneyToDecimal(money)} ${money.currency}`);

describe("prices of the billing catalogue", () => {
  test("are the sum of cores, memory and GPUs, exact to the millionth, spot and on demand apart", async () => {
    const { read } = await bench();
    const prices = await read();
    expect(text(prices.of(G2, "us-central1", "on-demand"))).toBe("0.706796 USD");
    expect(text(prices.of(G2, "us-central1", "spot"))).toBe("0.282718 USD");
    const n1 = { machineType: "n1-standard-8", vcpus: 8, memoryMb: 30_720, accelerator: "nvidia-tesla-t4", count: 2 };
    // 8 × 0.031611 + 30 × 0.004237 + 2 × 0.35
    expect(text(prices.of(n1, "us-east1", "on-demand"))).toBe("1.079998 USD");
  });

  test("an A3 Mega is A3Plus in the catalogue, and a B200 a slice with all that belongs to it", async () => {
    const { read } = await bench();
    const prices = await read();
    const mega = { machineType: "a3-megagpu-8g", vcpus: 208, memoryMb: 1_916_928, accelerator: "nvidia-h100-mega-80gb", count: 8 };
    // 208 × 0.007 + 1872 × 0.0006 + 8 × 2.4
    expect(text(prices.of(mega, "us-central1", "spot"))).toBe("21.779200 USD");
    const b200 = { machineType: "a4-highgpu-8g", vcpus: 224, memoryMb: 1, accelerator: "nvidia-b200", count: 8 };
    expect(text(prices.of(b200, "us-central1", "spot"))).toBe("39.633600 USD");
    expect(prices.of(b200, "us-central1", "on-demand")).toBeNull();
  });

  test("what has no price for one of its parts, or none in that region, has no price", async () => {
    const { read } = await bench();
    const prices = await read();
    expect(prices.of(G2, "europe-west4", "spot")).toBeNull();
    expect(prices.of({ ...G2, accelerator: "nvidia-tesla-t4" }, "us-central1", "spot")).toBeNull();
    expect(prices.of({ ...G2, machineType: "g9-standard-4" }, "us-central1", "spot")).toBeNull();
    expect(prices.of({ ...G2, machineType: "a3-edgegpu-8g", accelerator: "nvidia-h100-80gb" }, "us-central1", "spot")).toBeNull();
  });

  test("commitments, reservations, custom types, sole tenancy and workstations are no prices of ours", () => {
    const keys = BOOK.map((one) => keyOf({ ...one, serviceRegions: [], pricingInfo: [] }));
    expect(keys.filter((key) => key === null)).toHaveLength(4);
    expect(new Set(keys).has("on-demand gpu t4")).toBe(true);
    expect(keys.filter((key) => key === "on-demand core g2")).toHaveLength(1);
  });

  test("a disk costs a 730th of its month an hour", async () => {
    const { read } = await bench();
    expect(text((await read()).ofDisk("pd-balanced", 73, "us-central1"))).toBe("0.010000 USD");
  });

  test("are kept for a day, in a few hundred bytes for a page, and asked for again after it", async () => {
    const { read, asked, clock, home } = await bench();
    await read();
    const pages = Math.ceil(BOOK.length / 2);
    expect(asked()).toHaveLength(pages);
    await read();
    clock.advance(A_DAY_MS - 1_000);
    await read();
    expect(asked()).toHaveLength(pages);
    clock.advance(2_000);
    await read();
    expect(asked()).toHaveLength(2 * pages);
    const files = readdirSync(join(home, "cache"));
    expect(files.filter((name) => /^gcp-[0-9a-f]{8}-skus-/.test(name))).toHaveLength(pages);
    expect(files.every((name) => !readFileSync(join(home, "cache", name), "utf8").includes("canary"))).toBe(true);
  });

  test("a first reading that was cut short goes on where it was", async () => {
    const { read, asked, server } = await bench();
    server.disturb({ what: { do: "answer", answer: { status: 403, body: "no" } }, match: ({ query }) => query.get("pageToken") === "1-6" });
    await expect(read()).rejects.toMatchObject({ fault: { kind: "auth" } });
    const before = asked().length;
    await read();
    expect(asked()[before]?.query.get("pageToken")).toBe("1-6");
    expect(asked()).toHaveLength(before + Math.ceil(BOOK.length / 2) - 3);
  });

  test("a page token that has ended in between means from the beginning", async () => {
    const { read, server, state } = await bench();
    server.disturb({ what: { do: "answer", answer: { status: 403, body: "no" } }, match: ({ query }) => query.get("pageToken") === "1-6" });
    await expect(read()).rejects.toMatchObject({ fault: { kind: "auth" } });
    state.epoch = 2;
    expect(text((await read()).of(G2, "us-central1", "spot"))).toBe("0.282718 USD");
  });

  test("yesterday's stand in while the catalogue does not answer, with their own time", async () => {
    const { read, clock, server } = await bench();
    const { observedAt } = await read();
    clock.advance(2 * A_DAY_MS);
    server.disturb({
      what: { do: "answer", answer: { status: 503, body: "" } },
      match: ({ path }) => path.endsWith("/skus"),
      times: Number.POSITIVE_INFINITY,
    });
    expect(await read()).toMatchObject({ observedAt });
    clock.advance(8 * A_DAY_MS);
    await expect(read()).rejects.toMatchObject({ fault: { kind: "unavailable" } });
  });

  test("forty thousand SKUs: read in pages of 5,000, and later from small files alone", async () => {
    const noise = Array.from({ length: 40_000 }, (_, index) =>
      sku(`Network Egress number ${index} from somewhere to elsewhere`, "Egress", "OnDemand", 1),
    );
    const { read, asked, home } = await bench([...noise, ...BOOK], 5_000);
    await read();
    expect(asked()).toHaveLength(9);
    expect(asked().every(({ query }) => query.get("pageSize") === "5000" && query.get("currencyCode") === "USD")).toBe(true);
    expect(text((await read()).of(G2, "us-central1", "spot"))).toBe("0.282718 USD");
    expect(asked()).toHaveLength(9);
    const bytes = readdirSync(join(home, "cache")).reduce((sum, name) => sum + statSync(join(home, "cache", name)).size, 0);
    expect(bytes).toBeLessThan(20_000);
  });
});
