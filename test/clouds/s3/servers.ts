import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { type Moto, startMoto } from "../aws/moto.ts";

/** An S3 that somebody else wrote, with an empty bucket; and a client that goes to it without any of our code. */
export interface S3Server {
  readonly url: string;
  readonly bucket: string;
  /** What a `World` needs to reach it. */
  readonly env: Readonly<Record<string, string>>;
  /** Every key of the bucket with its size. */
  objects(): Promise<ReadonlyMap<string, number>>;
  read(key: string): Promise<Buffer>;
  write(key: string, body: Uint8Array | string): Promise<void>;
  remove(key: string): Promise<void>;
  /** Keys of the uploads that were begun and not ended. */
  uploads(): Promise<readonly string[]>;
  close(): Promise<void>;
}

interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

async function withBucket(url: string, keys: Keys, end: () => Promise<void>): Promise<S3Server> {
  const bucket = `b-${randomBytes(8).toString("hex")}`;
  const s3 = new S3Client({
    endpoint: url,
    region: "us-east-1",
    credentials: keys,
    forcePathStyle: true,
    requestChecksumCalculation: "WHEN_REQUIRED",
  });
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  return {
    url,
    bucket,
    env: {
      AWS_ACCESS_KEY_ID: keys.accessKeyId,
      AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
      AWS_ENDPOINT_URL_S3: url,
      AWS_REGION: "us-east-1",
    },
    async objects() {
      const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket }));
      return new Map(Contents.map(({ Key = "", Size = 0 }) => [Key, Size]));
    },
    async read(key) {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
      return Buffer.from((await Body?.transformToByteArray()) ?? []);
    },
    async write(key, body) {
      await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));
    },
    async remove(key) {
      await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }));
    },
    async uploads() {
      const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
      return Uploads.map(({ Key = "" }) => Key);
    },
    async close() {
      s3.destroy();
      await end();
    },
  };
}

/** One for all tests of a process: to start takes a second. */
const running: { moto: Promise<Moto> | undefined } = { moto: undefined };

/**
 * moto's: checksums (kept as they are said, not checked), lists of parts and of uploads. Who asks is not checked: its own idea
 * of a signature differs from S3's where a path or a query has signs that are escaped.
 */
export async function motoS3(): Promise<S3Server> {
  running.moto ??= startMoto();
  const { port } = await running.moto;
  return withBucket(`http://127.0.0.1:${port}`, { accessKeyId: "anybody", secretAccessKey: "anything" }, async () => {});
}

/** s3rver's: neither checksums nor lists of parts and uploads, as the poorer servers are. It knows who asks by the name of the key alone. */
export async function s3rverS3(): Promise<S3Server> {
  const folder = mkdtempSync(join(tmpdir(), "spot-s3rver-"));
  const { default: S3rver } = await import("s3rver");
  const server = new S3rver({ port: 0, address: "127.0.0.1", silent: true, directory: folder });
  const { port } = await server.run();
  return withBucket(`http://127.0.0.1:${port}`, { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" }, async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });
}
