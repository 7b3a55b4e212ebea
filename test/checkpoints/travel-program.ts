import { wayTo } from "./travel-bench.ts";

// A copy as a program of its own: what `test/sweep/copy.spec.ts` kills.
const order = JSON.parse(process.argv[2] ?? "{}") as {
  readonly env: Readonly<Record<string, string>>;
  readonly bucket: string;
  readonly folder: string;
  readonly back: string;
  readonly id: string;
  readonly what: "up" | "down";
};
const way = await wayTo({ env: order.env, bucket: order.bucket, url: order.env["AWS_ENDPOINT_URL_S3"] ?? "" });
if (order.what === "up") await way.up(order.folder, { readBack: true });
else await way.down(order.id, order.back);
await way.bucket.close();
