import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ListedPrice } from "../../src/model/listed-price.ts";
import { moneyToDecimal } from "../../src/model/money.ts";
import { marketOfTypes, sumsOfParts } from "./parts-fuzz.ts";
import { anyBytes, anyGpuInfo, parsed, statedOnly } from "./price-fuzz.ts";

const brief = ({ type, gpu, billing, price, onDemandPrice, zone }: ListedPrice) => [
  type,
  `${gpu.count}x ${gpu.model}${gpu.form === undefined ? "" : ` ${gpu.form}`} ${gpu.vramGb}`,
  zone,
  billing,
  Number(moneyToDecimal(price)),
  onDemandPrice === null ? null : Number(moneyToDecimal(onDemandPrice)),
];

const VAST = "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region\n";
const vast = (type: string, name: string, count: number, mib: number, price: string, region: string) =>
  `${type},${name},${count},32,64.0,"{'Gpus': [{'Name': '${name}', 'Count': ${count}, 'MemoryInfo': {'SizeInMiB': ${mib}}}], 'TotalGpuMemoryInMiB': ${mib}}",${price},0.00,"${region}"\n`;

const GCP = "InstanceType,vCPUs,MemoryGiB,AcceleratorName,AcceleratorCount,GpuInfo,Region,AvailabilityZone,Price,SpotPrice\n";
const PLAIN = "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,Price,Region,GpuInfo,SpotPrice\n";
const info = (size: number, total: number) =>
  `{'Gpus': [{'Count': 8, 'MemoryInfo': {'SizeInMiB': ${size}}}], 'TotalGpuMemoryInMiB': ${total}}`;
/** The column GpuInfo of real rows, by cloud and type. */
const GPU_INFO: Readonly<Record<string, string>> = {
  "lambda gpu_8x_h100_sxm5": info(81920, 81920),
  "lambda gpu_2x_b200_sxm6": info(184320, 184320),
  "scp g1v32v4": info(32510, 32510),
  "do gpu-h100x8-640gb": info(81559, 81559).toLowerCase(),
  "cudo intel-broadwell-v100_8x64v128gb": info(16384, 131072),
  "lium B300_8x": "{'Gpus': [{'MemoryInfo': {'SizeInMiB': 275456}, 'TotalGpuMemoryInMiB': 2203648}]}",
  "spheron H100_x_dallas-usa-1": info(81920, 81920).replaceAll("'", '""'),
  "vast 8x-Tesla_V100-32-65536": info(131072, 131072),
  "vast 2x-RTX_4090-32-65536": info(98280, 98280),
  "primeintellect lambdalabs__8xA100_80GB__240__1800": info(655360, 5242880).replaceAll("'", '""'),
  "primeintellect datacrunch__4xH200_141GB__176__740": info(577536, 2310144).replaceAll("'", '""'),
  "primeintellect lambdalabs__8xA100_40GB__124__1800": info(327680, 2621440).replaceAll("'", '""'),
  "vast 8x-H100_SXM-32-65536": info(81559, 652472),
  "nobody four": info(327680, 327680),
  "nobody two": info(40960, 81920),
};

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

  test("Google's machines and GPUs are priced apart, and both are paid", async () => {
    const gpu = (name: string, count: number, mib: number, zone: string, price: string, spot: string) =>
      `,,,${name},${count},{'Gpus': [{'MemoryInfo': {'SizeInMiB': ${mib}}}]},us-central1,${zone},${price},${spot}\n`;
    const { prices, tally } = await parsed(
      "gcp",
      GCP +
        "a2-highgpu-1g,12.0,85.0,,,,us-central1,us-central1-a,0.73948,0.36975\n" +
        "a2-ultragpu-1g,12.0,170.0,,,,us-central1,us-central1-a,1.09962,0.54978\n" +
        "a2-highgpu-2g,24.0,170.0,,,,us-central1,us-central1-a,1.47895,0.7395\n" +
        "n1-standard-4,4.0,15.0,,,,us-central1,us-central1-b,0.19,0.04\n" +
        "c3-standard-4,4.0,16.0,,,,us-central1,us-central1-b,0.20161,0.03151\n" +
        gpu("A100", 1, 40960, "us-central1-a", "2.933908", "1.466954") +
        gpu("A100-80GB", 1, 81920, "us-central1-a", "3.92808", "1.57") +
        gpu("T4", 1, 16384, "us-central1-b", "0.35", "0.175") +
        ",,,tpu-v6e-8,1,tpu-v6e-8,us-central1,us-central1-b,700.0,700.0\n",
    );
    expect(prices.map(brief)).toEqual([
      ["a2-highgpu-1g", "1x A100 SXM 40", "us-central1-a", "spot", 1.836704, 3.673388],
      ["a2-highgpu-1g", "1x A100 SXM 40", "us-central1-a", "on-demand", 3.673388, 3.673388],
      ["a2-ultragpu-1g", "1x A100 SXM 80", "us-central1-a", "spot", 2.11978, 5.0277],
      ["a2-ultragpu-1g", "1x A100 SXM 80", "us-central1-a", "on-demand", 5.0277, 5.0277],
      ["n1-standard-4+1xnvidia-tesla-t4", "1x T4 16", "us-central1-b", "spot", 0.215, 0.54],
      ["n1-standard-4+1xnvidia-tesla-t4", "1x T4 16", "us-central1-b", "on-demand", 0.54, 0.54],
    ]);
    expect(tally).toMatchObject({ read: 9, kept: 6, refused: {} });
  });

  test("an H100 of Google's has two prices, by the network of its machine", async () => {
    const gpu = (name: string, place: string, price: string, spot: string) =>
      `,,,${name},8,{'Gpus': [{'MemoryInfo': {'SizeInMiB': 81920}}]},${place.slice(0, -2)},${place},${price},${spot}\n`;
    const machine = (type: string, place: string, price: string, spot: string) =>
      `${type},208.0,1872.0,,,,${place.slice(0, -2)},${place},${price},${spot}\n`;
    const { prices, tally } = await parsed(
      "gcp",
      GCP +
        machine("a3-edgegpu-8g", "us-central1-a", "9.46006", "2.88933") +
        machine("a3-edgegpu-8g-nolssd", "us-east4-a", "9.46006", "2.15966") +
        machine("a3-edgegpu-8g", "asia-northeast3-a", "12.14861", "2.3997") +
        machine("a3-megagpu-8g", "us-east4-a", "9.46006", "2.15966") +
        gpu("H100", "us-central1-a", "33.60609", "23.9408") +
        gpu("H100", "us-east4-a", "78.37241", "17.8848") +
        gpu("H100", "asia-northeast3-a", "100.64584", "19.8776") +
        gpu("H100-MEGA", "us-central1-a", "82.75421", "25.2808") +
        gpu("H100-MEGA", "us-east4-a", "82.75424", "14.8952") +
        gpu("H100-MEGA", "asia-northeast3-a", "35.39149", ""),
    );
    expect(prices.map(brief)).toEqual([
      ["a3-edgegpu-8g", "8x H100 SXM 80", "us-central1-a", "spot", 26.83013, 43.06615],
      ["a3-edgegpu-8g", "8x H100 SXM 80", "us-central1-a", "on-demand", 43.06615, 43.06615],
      ["a3-edgegpu-8g-nolssd", "8x H100 SXM 80", "us-east4-a", "spot", 20.04446, 87.83247],
      ["a3-edgegpu-8g-nolssd", "8x H100 SXM 80", "us-east4-a", "on-demand", 87.83247, 87.83247],
      ["a3-edgegpu-8g", "8x H100 SXM 80", "asia-northeast3-a", "spot", 22.2773, 112.79445],
      ["a3-edgegpu-8g", "8x H100 SXM 80", "asia-northeast3-a", "on-demand", 112.79445, 112.79445],
      ["a3-megagpu-8g", "8x H100 SXM 80", "us-east4-a", "spot", 17.05486, 92.2143],
      ["a3-megagpu-8g", "8x H100 SXM 80", "us-east4-a", "on-demand", 92.2143, 92.2143],
    ]);
    expect(tally.refused).toEqual({ "no machine for it": 2 });
  });

  test("a GPU of Google's that is said twice at two prices has none, and what cannot be put together is counted", async () => {
    const gpu = (name: string, count: number, zone: string, price: string) => `,,,${name},${count},,us-east1,${zone},${price},\n`;
    const rest = "us-east1,us-east1-b,";
    const { prices, tally } = await parsed(
      "gcp",
      GCP +
        `g2-standard-4,4,16,,,,${rest}0.2,\ng2-standard-24,24,96,,,,${rest}1.1,\na4-highgpu-8g,224,3968,,,,${rest}9,\n` +
        // Without a GPU, whatever stands there: nothing is refused of it.
        `c3-standard-4,4,16,,,,${rest}none,\nc3-standard-8,8,32,,,,${rest},\n` +
        gpu("L4", 1, "us-east1-b", "0.56") +
        gpu("L4", 1, "us-east1-b", "0.56") +
        gpu("L4", 2, "us-east1-b", "1.12") +
        gpu("L4", 2, "us-east1-b", "1.13") +
        gpu("L4", 2, "us-east1-b", "1.12") +
        gpu("GB200", 4, "us-east1-b", "60") +
        gpu("tpu-v6e-8", 1, "us-east1-b", "25000"),
    );
    expect(prices.map(brief)).toEqual([["g2-standard-4", "1x L4 24", "us-east1-b", "on-demand", 0.76, 0.76]]);
    expect(tally).toEqual({ read: 12, kept: 1, refused: { "two prices": 2, "no price": 1, "no machine for it": 1 } });
  });

  test.each<[cloud: string, columns: string, row: string, gpu: string]>([
    // Rows as they stand in the files: the first four write one memory or that of all GPUs under one key.
    ["lambda", PLAIN, "gpu_8x_h100_sxm5,H100,8.0,208.0,1800.0,31.92,us-south-3,GPUINFO,", "8x H100 SXM 80"],
    ["lambda", PLAIN, "gpu_2x_b200_sxm6,B200,2.0,52.0,720.0,13.78,us-west-3,GPUINFO,", "2x B200 180"],
    ["scp", PLAIN, "g1v32v4,V100-32GB,4,32.0,256.0,6.30,KOREA-WEST-1-SCP-B001,GPUINFO,", "4x V100 31.7"],
    ["do", PLAIN, "gpu-h100x8-640gb,H100,8,160,1920.0,47.60,tor1,GPUINFO,", "8x H100 79.6"],
    ["cudo", PLAIN, "intel-broadwell-v100_8x64v128gb,V100,8.0,64,128,2.16,us-newyork-1,GPUINFO,", "8x V100 16"],
    ["lium", PLAIN, "B300_8x,B300,8.0,224.0,1890.0,62.0,CA,GPUINFO,", "8x B300 269"],
    ["spheron", PLAIN, "H100_x_dallas-usa-1,H100_PCIE_BAREMETAL,1.0,16.0,192.0,2.6268,dallas-usa-1,GPUINFO,", "1x H100 PCIe 80"],
    ["vast", PLAIN, "8x-Tesla_V100-32-65536,V100,8,32,64.0,0.85,SE,GPUINFO,0.00", "8x V100 16"],
    ["vast", PLAIN, "2x-RTX_4090-32-65536,RTX4090,2,32,64.0,0.79,FI,GPUINFO,0.00", "2x RTX4090 48"],
    ["primeintellect", PLAIN, "lambdalabs__8xA100_80GB__240__1800,A100-80GB,8.0,240.0,1800,14.32,US,GPUINFO,", "8x A100 80"],
    ["primeintellect", PLAIN, "datacrunch__4xH200_141GB__176__740,H200,4.0,176.0,740,7.98,FI,GPUINFO,", "4x H200 141"],
    ["primeintellect", PLAIN, "lambdalabs__8xA100_40GB__124__1800,A100,8.0,124.0,1800,10.32,JP,GPUINFO,", "8x A100 40"],
    // Should a cloud come to write otherwise than it is known to.
    ["vast", PLAIN, "8x-H100_SXM-32-65536,H100,8,32,64.0,16.00,VN,GPUINFO,", "8x H100 SXM 79.6"],
    ["nobody", PLAIN, "four,A100-80GB,4,32,64.0,16.00,VN,GPUINFO,", "4x A100 80"],
    ["nobody", PLAIN, "two,A100-80GB,2,32,64.0,16.00,VN,GPUINFO,", "2x A100 80"],
  ])("of %s: the memory of one GPU", async (cloud, columns, row, gpu) => {
    const info = GPU_INFO[`${cloud} ${row.split(",", 1)[0]}`] ?? "";
    const { prices, tally } = await parsed(cloud, `${columns}${row.replace("GPUINFO", `"${info}"`)}\n`);
    expect([prices.map(brief).map((cells) => cells[1]), tally.refused]).toEqual([[gpu], {}]);
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

describe("whatever happens to a file", () => {
  test("no price is taken that its row did not state", () => fc.assert(statedOnly(), RUNS));
  test("bytes of any kind end in prices or in a refusal, never in anything else", () => fc.assert(anyBytes(), RUNS));
  test("a GPU has a memory that one can have, or none is said", () => fc.assert(anyGpuInfo(), RUNS));
  test("what Google sells costs the sum of its parts", () => fc.assert(sumsOfParts(), RUNS));
  test("a market's types name their GPUs", () => fc.assert(marketOfTypes(), RUNS));
});
