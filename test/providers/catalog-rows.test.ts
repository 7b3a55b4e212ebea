import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { moneyToDecimal } from "../../src/model/money.ts";
import { marketOfTypes, sumsOfParts } from "./parts-fuzz.ts";
import { anyBytes, anyGpuInfo, brief, parsed, statedOnly } from "./price-fuzz.ts";

const VAST = "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region\n";
const vast = (type: string, name: string, count: number, mib: number, price: string, region: string) =>
  `${type},${name},${count},32,64.0,"{'Gpus': [{'Name': '${name}', 'Count': ${count}, 'MemoryInfo': {'SizeInMiB': ${mib}}}], 'TotalGpuMemoryInMiB': ${mib}}",${price},0.00,"${region}"\n`;

describe("the traps of the catalogues", () => {
  test("one name stands for several products, and a region may be anything", async () => {
    const { prices, tally } = await parsed(
      "vast",
      VAST +
        vast("1x-A100_SXM4-32-65536", "A100", 1, 40960, "0.76", "Georgia, US, NA") +
        vast("1x-A100_PCIE-32-65536", "A100", 1, 81920, "0.87", ", US, NA") +
        vast("2x-H100_NVL-32-65536", "H100", 2, 191660, "4.53", "Australia, AU, OC") +
        vast("1x-RTX_4090-32-65536", "RTX4090", 1, 49140, "0.40", "Hafnarfjarðarkaupstaður, IS, EU") +
        vast("2x-RTX_4070S_Ti-32-65536", "RTX4070", 2, 32752, "0.36", "Bulgaria, BG, EU"),
    );
    expect(prices.map(brief)).toEqual([
      ["1x-A100_SXM4-32-65536", "1x A100 SXM 40", "Georgia, US, NA", "on-demand", 0.76, 0.76],
      ["1x-A100_PCIE-32-65536", "1x A100 PCIe 80", ", US, NA", "on-demand", 0.87, 0.87],
      ["2x-H100_NVL-32-65536", "2x H100 NVL 93.6", "Australia, AU, OC", "on-demand", 4.53, 4.53],
      ["1x-RTX_4090-32-65536", "1x RTX4090 48", "Hafnarfjarðarkaupstaður, IS, EU", "on-demand", 0.4, 0.4],
      ["2x-RTX_4070S_Ti-32-65536", "2x RTX4070TISUPER 16", "Bulgaria, BG, EU", "on-demand", 0.36, 0.36],
    ]);
    expect(tally).toEqual({ read: 5, kept: 5, refused: {} });
  });

  test("a form may stand in GpuInfo alone; the type's own and another GPU's name come before it", async () => {
    const row = (type: string, name: string, info: string) =>
      `${type},${name},1,8,117,"{'Gpus': [{'Name': '${info}', 'Count': 1, 'MemoryInfo': {'SizeInMiB': 80}}], 'TotalGpuMemoryInMiB': 80}",1.39,,IN\n`;
    const { prices } = await parsed(
      "runpod",
      VAST +
        row("1x_A100-80GB_SECURE", "A100-80GB", "A100 PCIe") +
        row("1x_A100-80GB-SXM_SECURE", "A100-80GB-SXM", "A100 PCIe") +
        row("1x_H100_NVL", "H100", "H100 SXM") +
        row("1x_H100", "H100", "H200 SXM") +
        row("1x_L40S", "L40S", "L40S PCIe") +
        row("1x_H100_b", "H100", ""),
    );
    expect(prices.map(({ gpu }) => gpu.form ?? null)).toEqual(["PCIe", "SXM", "NVL", null, null, null]);
  });

  test("GpuInfo is a Python literal or JSON, counts one GPU or all of them, and MiB or GB", async () => {
    const json = (size: number, total: number) =>
      `"{""Gpus"": [{""Name"": ""B200"", ""MemoryInfo"": {""SizeInMiB"": ${size}}}], ""TotalGpuMemoryInMiB"": ${total}}"`;
    const verda = await parsed(
      "verda",
      "InstanceType,UpstreamCloudId,vCPUs,MemoryGiB,AcceleratorName,AcceleratorCount,GpuInfo,Region,Price,SpotPrice\n" +
        `8B200.240V,8B200.240V,240.0,1472.0,B200,8.0,${json(184_320, 1_474_560)},FIN-03,,13.69\n`,
    );
    expect(verda.prices.map(brief)).toEqual([["8B200.240V", "8x B200 180", "FIN-03", "spot", 13.69, null]]);
    const shadeform = await parsed(
      "shadeform",
      "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,Price,Region,GpuInfo,SpotPrice\n" +
        `lambdalabs_H100-sxm5x8,H100,8.0,208.0,1800,31.92,saltlakecity-usa-1,"{'Gpus': [{'MemoryInfo': {'SizeInMiB': 80}, 'TotalGpuMemoryInMiB': 640}]}",\n`,
    );
    expect(shadeform.prices.map(brief)).toEqual([
      ["lambdalabs_H100-sxm5x8", "8x H100 SXM 80", "saltlakecity-usa-1", "on-demand", 31.92, 31.92],
    ]);
  });

  test("a machine without a GPU is not asked for, and a zone's spot price may be above on demand", async () => {
    const { prices, tally } = await parsed(
      "aws",
      "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region,AvailabilityZone,Arch\n" +
        "a1.2xlarge,,,8.0,16.0,,0.2568,0.256800,ap-northeast-1,apne1-az2,arm64\n" +
        "m9.odd,,,8.0,16.0,,,,ap-northeast-1,apne1-az2,arm64\nm9.odder,,0,8.0,16.0,,free,-1,,,arm64\n" +
        `g4dn.xlarge,T4,1.0,4.0,16.0,"{'Gpus': [{'Name': 'T4', 'MemoryInfo': {'SizeInMiB': 16384}}], 'TotalGpuMemoryInMiB': 16384}",0.526,0.6,us-east-1,use1-az1,x86_64\n` +
        `p5.48xlarge,H100,8.0,192,2048,"{'Gpus': [{'MemoryInfo': {'SizeInMiB': 81920}}], 'TotalGpuMemoryInMiB': 655360}",98.32,,us-east-1,use1-az2,x86_64\n`,
    );
    expect(prices.map(brief)).toEqual([
      ["g4dn.xlarge", "1x T4 16", "use1-az1", "spot", 0.6, 0.526],
      ["g4dn.xlarge", "1x T4 16", "use1-az1", "on-demand", 0.526, 0.526],
      ["p5.48xlarge", "8x H100 SXM 80", "use1-az2", "on-demand", 98.32, 98.32],
    ]);
    expect(tally).toEqual({ read: 5, kept: 3, refused: {} });
  });

  test("what is no price is refused and counted, and the other price of the row stands", async () => {
    const row = (price: string, spot: string) => `x,T4,1,4,16,,${price},${spot},here\n`;
    const text = [
      ["-1", "0.2"],
      ["NaN", "1e308"],
      ["0.00", ""],
      ["inf", "0.1"],
      ["20000", "0.3"],
      ["1,5", "0.4"],
      ["0.5", "-0.5"],
    ].map(([price = "", spot = ""]) => row(price, spot));
    const { prices, tally } = await parsed("runpod", VAST + text.join(""));
    expect(prices.map(brief).map((cells) => cells.slice(3))).toEqual([
      ["spot", 0.2, null],
      ["spot", 0.1, null],
      ["spot", 0.3, null],
      ["on-demand", 0.5, 0.5],
    ]);
    expect(tally).toEqual({
      read: 7,
      kept: 4,
      refused: { "price is not a number": 5, "no price": 1, "price out of range": 1, "wrong number of columns": 1 },
    });
  });

  test("a price with the digits of a product of floats is that price, rounded at the millionth", async () => {
    const written = ["2.0699999999999998", "2.5100000000000002", "0.00000049", "0.0000005", "1.0000004999999999", "1.00000050000000000001"];
    const { prices, tally } = await parsed(
      "runpod",
      VAST + written.map((price, index) => `x${index},T4,1,4,16,,${price},,here\n`).join(""),
    );
    expect(prices.map(({ price }) => Number(price.micros))).toEqual([2_070_000, 2_510_000, 1, 1_000_000, 1_000_001]);
    expect(tally.refused).toEqual({ "no price": 1 });
  });

  test("the last row of a file that does not end with a line's end is refused: its last number may be cut off", async () => {
    const header = "InstanceType,AcceleratorName,AcceleratorCount,Region,SpotPrice,Price\n";
    const whole = `${header}a,T4,1,here,0.5,1.25\nb,T4,1,here,0.5,13.69\n`;
    const last = async (text: string) => {
      const { prices, tally } = await parsed("runpod", text);
      return [prices.filter(({ type }) => type === "b").map(({ price }) => Number(moneyToDecimal(price))), tally.refused];
    };
    expect(await last(whole)).toEqual([[0.5, 13.69], {}]);
    // 13.69, 13.6, 13, 1: each of them a price, and three of them wrong.
    for (const cut of [1, 2, 4, 5]) expect(await last(whole.slice(0, -cut))).toEqual([[], { "unfinished row": 1 }]);
    expect((await parsed("runpod", whole)).tally.read).toBe((await parsed("runpod", whole.slice(0, -3))).tally.read);
    expect(await parsed("runpod", header.trimEnd())).toMatchObject({ prices: [], tally: { read: 0, refused: {} } });
  });

  test("places that cannot be read are not one place, and a row of two lines is none", async () => {
    const row = (region: string) => Buffer.from(`x,T4,1,4,16,,1.5,,${region}\n`, "latin1");
    const { prices, tally } = await parsed("runpod", Buffer.concat([Buffer.from(VAST), row("B\u00e1cs"), row("B\u00e9cs"), row("fine")]));
    expect(prices.map(({ region }) => region)).toEqual(["fine"]);
    expect(tally.refused).toEqual({ "text is not UTF-8": 2 });
    const merged = await parsed("runpod", `${VAST}a,T4,1,4,16,"{},9.5,0.9,here\nb,T4,1,4,16,{}",1.5,0.5,here\nc,T4,1,4,16,,2.5,0.7,0.3\n`);
    expect([merged.prices, merged.tally.refused]).toEqual([[], { "line break in a cell": 1, "no region": 1 }]);
    const old = `${VAST}a,T4,1,4,16,"{},9.5,0.9,here\nb,T4,1,4,16,{}",1.5,0.5,here\nd,T4,1,4,16,,2.5,,here\n`.replaceAll("\n", "\r");
    const returns = await parsed("runpod", old);
    expect([returns.prices.map(({ type }) => type), returns.tally.refused]).toEqual([["d"], { "line break in a cell": 1 }]);
  });

  test.each([
    ["", "it is empty"],
    ["<html>404</html>\n", "the column InstanceType is missing"],
    [VAST.replace("SpotPrice", "Price"), "the column Price stands there twice"],
    [`${VAST}a,"T4,1,4,16,,1,2,here\n`, "Quote"],
  ])("%j is no catalogue", async (text, why) => {
    await expect(parsed("vast", text)).rejects.toThrow(why);
  });
});

/** How many files of each kind; the sweep (test/sweep/prices.spec.ts) makes many more. */
const RUNS = { numRuns: 150 };
/** These have dozens of rows. */
const FEW = { numRuns: 50 };

describe("whatever happens to a file", () => {
  test("no price is taken that its row did not state", () => fc.assert(statedOnly(), RUNS));
  test("bytes of any kind end in prices or in a refusal, never in anything else", () => fc.assert(anyBytes(), RUNS));
  test("a GPU has a memory that one can have, or none is said", () => fc.assert(anyGpuInfo(), RUNS));
  test("what Google sells costs the sum of its parts", () => fc.assert(sumsOfParts(), FEW));
  test("a market's types name their GPUs", () => fc.assert(marketOfTypes(), FEW));
});
