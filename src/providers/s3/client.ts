import { Readable } from "node:stream";
import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import { usageProblem } from "../../model/problem.ts";
import { bytesClient } from "../../platform/http-bytes.ts";
import type { World } from "../../platform/world.ts";
import { credentialChain, originOf, plainClient, type SdkRequest } from "../aws/chain.ts";

export interface OpenClient {
  readonly s3: S3Client;
  /** Empty for AWS's own. */
  readonly endpoint: string;
  close(): Promise<void>;
}

const CONNECTIONS = 16;

const encoded = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);

function pathOf({ path, query = {} }: SdkRequest): string {
  const pairs = Object.entries(query).flatMap(([name, value]) => [value ?? ""].flat().map((one) => `${encoded(name)}=${encoded(one)}`));
  return pairs.length === 0 ? path : `${path}?${pairs.join("&")}`;
}

/** Our own HTTP for the SDK, for the sake of proxies and limits. */
function requestHandler(http: ReturnType<typeof bytesClient>): NonNullable<S3ClientConfig["requestHandler"]> {
  const handle = async (request: SdkRequest, { abortSignal }: { readonly abortSignal?: unknown } = {}) => {
    // undici writes the length itself and knows no `Expect`.
    const { "content-length": _, expect: __, ...headers } = request.headers;
    const {
      status,
      headers: said,
      body,
    } = await http.send({
      method: request.method,
      origin: originOf(request),
      path: pathOf(request),
      headers,
      body: request.body instanceof Uint8Array || typeof request.body === "string" ? request.body : null,
      signal: abortSignal instanceof AbortSignal ? abortSignal : undefined,
    });
    return { response: { statusCode: status, headers: said, body: Readable.from(body.length === 0 ? [] : [body]) } };
  };
  return { handle } as unknown as NonNullable<S3ClientConfig["requestHandler"]>;
}

/** Where a server other than AWS's is. A password in a URL would stand in messages and in the state. @throws Problem (usage) */
function endpointIn(env: World["env"]): string {
  const text = env["AWS_ENDPOINT_URL_S3"]?.trim() || env["AWS_ENDPOINT_URL"]?.trim() || "";
  if (text === "") return "";
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !["http:", "https:"].includes(url.protocol) || url.username !== "" || url.password !== "" || url.search !== "")
    throw usageProblem("AWS_ENDPOINT_URL_S3 is no URL of a server", "as in https://s3.example.com, without user or password");
  return url.href.replace(/\/$/, "");
}

/** A client that sends each request once; whoever uses it sends again. Nothing is looked up yet. */
export function openClient(world: Pick<World, "env" | "home" | "clock">): OpenClient {
  const { env } = world;
  const endpoint = endpointIn(env);
  const http = bytesClient(env, CONNECTIONS);
  const s3 = new S3Client({
    region: env["AWS_REGION"]?.trim() || env["AWS_DEFAULT_REGION"]?.trim() || "us-east-1",
    credentials: credentialChain(world).provider,
    requestHandler: requestHandler(http),
    // Other servers have no name for each bucket.
    ...(endpoint === "" ? { followRegionRedirects: true } : { endpoint, forcePathStyle: true }),
    // We say the checksums ourselves; what a server cannot do is not asked of it.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    expectContinueHeader: false,
    ...plainClient(env),
    useArnRegion: false,
    disableS3ExpressSessionAuth: true,
    sigv4aSigningRegionSet: [],
  } as S3ClientConfig);
  return {
    s3,
    endpoint,
    async close() {
      s3.destroy();
      await http.close();
    },
  };
}
