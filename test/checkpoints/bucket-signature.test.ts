import { createHash } from "node:crypto";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { expect, onTestFinished, test } from "vitest";
import { systemRng } from "../../src/platform/rng.ts";
import { openBucket } from "../../src/providers/open-bucket.ts";
import { leaseAccount, motoAvailable } from "../clouds/aws/moto.ts";
import { HASTY } from "./travel-bench.ts";

// Of keys and queries without signs that are escaped, for which moto's idea of a signature is S3's.
test.skipIf(!motoAvailable())("what is sent to a bucket is signed as the server reckons it, and keys that are wrong are said", async () => {
  const account = await leaseAccount();
  onTestFinished(() => account.free());
  const bucket = `signed-${account.id}`;
  const s3 = new S3Client({ endpoint: account.url, region: "us-east-1", credentials: account.admin, forcePathStyle: true });
  onTestFinished(() => s3.destroy());
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  const open = async (secret: string) => {
    const keys = { AWS_ACCESS_KEY_ID: account.admin.accessKeyId, AWS_SECRET_ACCESS_KEY: secret };
    const env = { ...keys, AWS_ENDPOINT_URL_S3: account.url };
    const opened = await openBucket({ env, home: "/nonexistent", clock: HASTY, rng: systemRng }, { bucket, prefix: "p" });
    onTestFinished(() => opened.close());
    return opened;
  };
  const never = new AbortController().signal;
  const body = Buffer.from("some bytes");
  const sha256 = createHash("sha256").update(body).digest("hex");
  const right = await open(account.admin.secretAccessKey);
  expect(await right.put("data/x", body, sha256, never)).toBe(true);
  expect(await right.head("data/x", never)).toEqual({ size: 10, sha256: { kind: "whole", hex: sha256 } });
  const wrong = await open("not-the-secret-of-anybody");
  await expect(wrong.put("data/y", body, sha256, never)).rejects.toMatchObject({ code: "SPOT_E_CREDENTIALS", exit: 4 });
  expect(await right.head("data/y", never)).toBe(null);
});
