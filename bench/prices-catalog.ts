import { once } from "node:events";
import { createReadStream, createWriteStream, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

/**
 * A mirror of the catalogues with so many rows in all, made as the public ones are: more than half of the rows are AWS's, by
 * zone, nine of ten of them machines without a GPU; Azure's by region; Google's machines and GPUs apart; and the GPU clouds'.
 */
const [rowsText = "200000", folder = "."] = process.argv.slice(2);
const ROWS = Number(rowsText);

const GPUS = ["T4", "A10G", "L4", "L40S", "V100", "A100", "A100-80GB", "H100", "H200", "RTX4090"] as const;
const HEADER = "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region";
const ZONES = 100;

/** Some price in dollars, the same for the same row and version; one in twenty is another one in the next version. */
function price(row: number, version: number): number {
  const moved = row % 20 === version % 20 ? version : 0;
  return 0.1 + ((row * 7_919 + moved * 104_729) % 500_000) / 10_000;
}

const gpuCells = (row: number) => {
  const name = GPUS[row % GPUS.length] ?? "T4";
  const count = [1, 1, 2, 4, 8][Math.floor(row / GPUS.length) % 5] ?? 1;
  const mib = name === "T4" || name === "V100" ? 16_384 : name === "A100" ? 40_960 : 81_920;
  return `${name},${count}.0,16,64.0,"{'Gpus': [{'Name': '${name}', 'MemoryInfo': {'SizeInMiB': ${mib}}}], 'TotalGpuMemoryInMiB': ${mib * count}}"`;
};

const money = (amount: number) => amount.toFixed(4);

/** Who has which share of all rows, and how one of its rows is written. */
const CLOUDS: Readonly<Record<string, { readonly share: number; readonly header: string; line(row: number, version: number): string }>> = {
  aws: {
    share: 0.6,
    header: `${HEADER},AvailabilityZone`,
    line(row, version) {
      const [type, zone] = [Math.floor(row / ZONES), row % ZONES];
      const cells = type % 10 === 0 ? gpuCells(type / 10) : ",,4.0,16.0,";
      const onDemand = price(type, 0);
      return `m${type}.xlarge,${cells},${money(onDemand)},${money(onDemand * (0.3 + (price(row, version) % 1) / 4))},us-east-${zone % 20},use${zone % 20}-az${Math.floor(zone / 20)}`;
    },
  },
  azure: {
    share: 0.2,
    header: HEADER,
    line(row, version) {
      const [type, region] = [Math.floor(row / 50), row % 50];
      const cells = type % 12 === 0 ? gpuCells(type / 12) : ",,4,16,";
      return `Standard_D${type}_v5,${cells},${money(price(type, 0))},${money(price(row, version) / 4)},region${region}`;
    },
  },
  gcp: {
    share: 0.05,
    header: `${HEADER},AvailabilityZone`,
    line(row, version) {
      const zone = `us-central${row % 40}-a`;
      const type = Math.floor(row / 40);
      const cells = type % 5 === 0 ? `,${gpuCells(type / 5)}` : `n2-standard-${type},,,4.0,16.0,`;
      return `${cells},${money(price(row, version))},${money(price(row, version) / 3)},us-central${row % 40},${zone}`;
    },
  },
  ...Object.fromEntries(
    ["vast", "runpod", "lambda", "nebius", "shadeform"].map((cloud, index) => [
      cloud,
      {
        share: 0.03,
        header: HEADER,
        line: (row: number, version: number) =>
          `${cloud}-${Math.floor(row / 30)},${gpuCells(row + index)},${money(price(row, version))},${row % 3 === 0 ? "0.00" : money(price(row, version) / 2)},"Place ${row % 30}, US, NA"`,
      },
    ]),
  ),
};

/** Writes every file, as fast as the disk takes it. */
async function write(version: number): Promise<void> {
  for (const [cloud, { share, header, line }] of Object.entries(CLOUDS)) {
    const file = createWriteStream(join(folder, `${cloud}-${version}.csv`));
    file.write(`${header}\n`);
    const rows = Math.round(ROWS * share);
    for (let row = 0; row < rows; row += 1_000) {
      const lines = Array.from({ length: Math.min(1_000, rows - row) }, (_, index) => `${line(row + index, version)}\n`);
      if (!file.write(lines.join(""))) await once(file, "drain");
    }
    await once(file.end(), "finish");
  }
}

let version = 0;
await write(version);
const server = createServer((request, response) => {
  const cloud = /\/v8\/([a-z]+)\/vms\.csv$/.exec(request.url ?? "")?.[1] ?? "";
  if (CLOUDS[cloud] === undefined) return response.writeHead(404).end();
  const etag = `"${version}"`;
  if (request.headers["if-none-match"] === etag) return response.writeHead(304).end();
  const file = join(folder, `${cloud}-${version}.csv`);
  response.writeHead(200, { etag, "content-length": statSync(file).size });
  return createReadStream(file).pipe(response);
});
server.listen(0, "127.0.0.1", () => {
  process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/catalogs/` });
});
// Some prices change.
process.on("message", async () => {
  await write(version + 1);
  version += 1;
  process.send?.({ version });
});
