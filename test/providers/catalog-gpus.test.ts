import { describe, expect, test } from "vitest";
import { brief, parsed } from "./price-fuzz.ts";

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

describe("Google", () => {
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
});

describe("which GPUs a row has", () => {
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

  test("Azure's list has one GPU for a part of one, twelve for eight, and no memory", async () => {
    const columns = "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region,Generation\n";
    const { prices, tally } = await parsed(
      "azure",
      `${columns}Standard_ND96isr_H100_v5,H100,12,96.0,1900,H100,98.32,98.32,eastus,V2
Standard_NC80adis_H100_v5,H100,2,80.0,640,H100,13.96,,eastus,V2
Standard_NCC40ads_H100_v5,H100,1,40.0,320,H100,6.98,,eastus2,V2
Standard_ND96asr_v4,A100,8,96.0,900,A100,27.197,,eastus,V2
Standard_NC96ads_A100_v4,A100-80GB,4,96.0,880,A100-80GB,14.692,,eastus,V2
Standard_NC6s_v3,V100,1,6.0,112,V100,3.06,,eastus,"V1,V2"
Standard_ND40rs_v2,V100-32GB,8,40.0,672,V100-32GB,22.032,,eastus,V2
Standard_NV32as_v4,Radeon MI25,1,32.0,112,Radeon MI25,1.864,,eastus,"V1,V2"
Standard_NV4as_v4,Radeon MI25,1,4.0,14,Radeon MI25,0.233,0.02563,eastus,"V1,V2"
Standard_NV6ads_A10_v5,A10,1,6.0,55,A10,0.454,0.1135,eastus,"V1,V2"
Standard_NV18ads_A10_v5,A10,0.5,18.0,220,A10,1.6,0.4,eastus,"V1,V2"
`,
    );
    expect(prices.filter(({ billing }) => billing === "on-demand").map((price) => brief(price)[1])).toEqual([
      ...["8x H100 SXM 80", "2x H100 NVL 94", "1x H100 NVL 94", "8x A100 SXM 40", "4x A100 PCIe 80", "1x V100 16", "8x V100 SXM 32"],
      "1x MI25 0",
    ]);
    expect(tally.refused).toEqual({ "part of a GPU": 3 });
  });
});
