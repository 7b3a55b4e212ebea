import fc from "fast-check";
import { expect } from "vitest";
import { moneyToDecimal } from "../../src/model/money.ts";
import { parsed } from "./price-fuzz.ts";

/** What Google's machines bring or take, and what we call them with it: cloud.google.com/compute/docs/gpus. */
const TAKES: Readonly<Record<string, readonly (readonly [gpu: string, count: number, added: string])[]>> = {
  "a2-highgpu-4g": [["A100", 4, ""]],
  "a2-megagpu-16g": [["A100", 16, ""]],
  "a2-ultragpu-8g": [["A100-80GB", 8, ""]],
  "a3-highgpu-1g": [["H100", 1, ""]],
  "a3-highgpu-8g": [["H100", 8, ""]],
  "a3-edgegpu-8g": [["H100", 8, ""]],
  "a3-edgegpu-8g-nolssd": [["H100", 8, ""]],
  "a3-megagpu-8g": [["H100-MEGA", 8, ""]],
  "a3-ultragpu-8g": [["H200", 8, ""]],
  "a4-highgpu-8g": [["B200", 8, ""]],
  "g2-standard-8": [["L4", 1, ""]],
  "g2-standard-24": [["L4", 2, ""]],
  "n1-standard-4": [
    ["T4", 1, "+1xnvidia-tesla-t4"],
    ["P4", 1, "+1xnvidia-tesla-p4"],
  ],
  "n1-standard-16": [
    ["T4", 2, "+2xnvidia-tesla-t4"],
    ["P4", 2, "+2xnvidia-tesla-p4"],
    ["V100", 2, "+2xnvidia-tesla-v100"],
  ],
  "n1-standard-2": [],
  "c3-standard-8": [],
};
const GB: Readonly<Record<string, number>> = {
  ...{ A100: 40, "A100-80GB": 80, H100: 80, "H100-MEGA": 80, H200: 141, B200: 180, L4: 24, T4: 16, P4: 8, V100: 16, GB200: 186 },
};
const PLACES = ["us-central1-a", "asia-northeast3-b"];

/** Millionths of a dollar. */
const amount = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 99_999_999 }) },
  { weight: 2, arbitrary: fc.constantFrom(1_000_000, 2_000_000, null) },
);
const line = fc.record({
  /** A machine, or a GPU so many times. */
  part: fc.oneof(
    fc.constantFrom(...Object.keys(TAKES)).map((machine) => ({ machine })),
    fc.constantFrom(...Object.keys(GB)).chain((gpu) => fc.constantFrom(1, 2, 4, 8, 16).map((count) => ({ gpu, count }))),
    fc.constantFrom(...Object.values(TAKES).flat()).map(([gpu, count]) => ({ gpu, count })),
  ),
  zone: fc.constantFrom(...PLACES),
  price: amount,
  spot: amount,
});
type Line = typeof line extends fc.Arbitrary<infer One> ? One : never;

const text = (micros: number | null) => (micros === null ? "" : (micros / 1e6).toFixed(6));

function written({ part, zone, price, spot }: Line): string {
  const money = `${zone.slice(0, -2)},${zone},${text(price)},${text(spot)}`;
  if ("machine" in part) return `${part.machine},8.0,64.0,,,,${money}\n`;
  return `,,,${part.gpu},${part.count},{'Gpus': [{'MemoryInfo': {'SizeInMiB': ${(GB[part.gpu] ?? 0) * 1024}}}]},${money}\n`;
}

/** What can be rented: each machine with each GPU it takes, at the sum of both, where the GPU has one pair of prices there. */
function reckoned(lines: readonly Line[]): readonly string[] {
  return lines.flatMap(({ part: machine, zone, price, spot }) =>
    (("machine" in machine && TAKES[machine.machine]) || []).flatMap(([gpu, count, added]) => {
      const parts = lines.filter(
        (one) =>
          "gpu" in one.part && one.part.gpu === gpu && one.part.count === count && one.zone === zone && (one.price ?? one.spot) !== null,
      );
      const [part] = parts;
      if (part === undefined || parts.some((other) => other.price !== part.price || other.spot !== part.spot)) return [];
      const total = (a: number | null, b: number | null) => (a === null || b === null ? null : (a + b) / 1e6);
      const onDemand = total(price, part.price);
      const product = `${count}x ${gpu.replace(/-.*/, "")} ${GB[gpu]}`;
      const type = `${"machine" in machine ? machine.machine : ""}${added}`;
      return [
        ["spot", total(spot, part.spot)],
        ["on-demand", onDemand],
      ].flatMap(([billing, sum]) => (sum === null ? [] : [`${type} ${zone} ${product} ${billing} ${sum} of ${onDemand}`]));
    }),
  );
}

/** A file of Google's, in any order and with rows said twice: what is sold is the sum of its parts, by a reckoning of its own. */
export const sumsOfParts = () =>
  fc.asyncProperty(fc.array(line, { maxLength: 40, size: "max" }), async (lines) => {
    const { prices, tally } = await parsed(
      "gcp",
      `InstanceType,vCPUs,MemoryGiB,AcceleratorName,AcceleratorCount,GpuInfo,Region,AvailabilityZone,Price,SpotPrice\n${lines.map(written).join("")}`,
    );
    const told = prices.map(({ type, zone, region, gpu, billing, price, onDemandPrice, vcpus, memoryGb }) => {
      expect([region, vcpus, memoryGb]).toEqual([zone.slice(0, -2), 8, 64]);
      const onDemand = onDemandPrice === null ? null : Number(moneyToDecimal(onDemandPrice));
      return `${type} ${zone} ${gpu.count}x ${gpu.model} ${gpu.vramGb} ${billing} ${Number(moneyToDecimal(price))} of ${onDemand}`;
    });
    expect(told.toSorted()).toEqual(reckoned(lines).toSorted());
    expect(tally).toMatchObject({ read: lines.length, kept: told.length });
  });

const MARKET = [
  { word: "RTX_4090", model: "RTX4090", memories: [24_564, 49_140] },
  { word: "A100_SXM4", model: "A100 SXM", memories: [40_960, 81_920] },
  { word: "A100_PCIE", model: "A100 PCIe", memories: [40_960, 81_920] },
  { word: "H100_NVL", model: "H100 NVL", memories: [95_830] },
  { word: "H200", model: "H200", memories: [143_771] },
  { word: "RTX_4070S_Ti", model: "RTX4070TISUPER", memories: [16_376] },
  { word: "RTX_PRO_6000_WS", model: "RTXPRO6000", memories: [97_887] },
  { word: "Tesla_V100", model: "V100", memories: [16_384, 32_768] },
  { word: "RTX_A2000", model: "RTXA2000", memories: [6_138] },
];
const machine = fc.constantFrom(...MARKET).chain(({ word, model, memories }) =>
  fc.record({
    word: fc.constant(word),
    model: fc.constant(model),
    mib: fc.constantFrom(...memories),
    count: fc.integer({ min: 1, max: 16 }),
    cents: fc.integer({ min: 1, max: 9_999 }),
    region: fc.constantFrom("Texas, US, NA", ", US, NA", "Bács-Kiskun, HU, EU"),
  }),
);

/** A file of a market whose types alone name the GPU, and whose memory is that of all GPUs of a machine, or of one. */
export const marketOfTypes = () =>
  fc.asyncProperty(fc.array(machine, { maxLength: 12, size: "max" }), fc.boolean(), async (machines, isOfAll) => {
    const rows = machines.map(({ word, mib, count, cents, region }) => {
      const told = isOfAll ? mib * count : mib;
      const info = `{'Gpus': [{'Name': 'GPU', 'Count': ${count}, 'MemoryInfo': {'SizeInMiB': ${told}}}], 'TotalGpuMemoryInMiB': ${mib * count}}`;
      return `${count}x-${word}-32-65536,GPU,${count},32,64.0,"${info}",${(cents / 100).toFixed(2)},0.00,"${region}"\n`;
    });
    const header = "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region\n";
    const { prices, tally } = await parsed("vast", header + rows.join(""));
    const shown = prices.map(({ gpu, price, region, zone, billing }) => {
      const name = gpu.form === undefined ? gpu.model : `${gpu.model} ${gpu.form}`;
      return [gpu.count, name, isOfAll ? gpu.vramGb : 0, Number(moneyToDecimal(price)), region, zone, billing];
    });
    expect(shown).toEqual(
      machines.map(({ model, mib, count, cents, region }) => {
        const gb = Math.round((mib / 1024) * 10) / 10;
        return [count, model, isOfAll ? gb : 0, cents / 100, region, region, "on-demand"];
      }),
    );
    expect(tally).toEqual({ read: machines.length, kept: machines.length, refused: {} });
  });
