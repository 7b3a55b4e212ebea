import { fakeServer } from "../fake-server.ts";
import { alibabaMetadata } from "./alibaba.ts";
import { awsMetadata } from "./aws.ts";
import { gcpMetadata } from "./gcp.ts";
import type { MetadataKind, MetadataOptions, MetadataRequest, MetadataService } from "./service.ts";

const ROWS = { aws: awsMetadata, gcp: gcpMetadata, alibaba: alibabaMetadata };

/** The metadata service of one machine, written from the vendors' documentation, on a port of loopback. */
export async function startMetadata(kind: MetadataKind, options: MetadataOptions): Promise<MetadataService> {
  const requests: { -readonly [Key in keyof MetadataRequest]: MetadataRequest[Key] }[] = [];
  const closed = new AbortController();
  const rows = ROWS[kind](options);
  const server = await fakeServer({
    async handle(request) {
      const { method, path, query, headers } = request;
      const entry = { at: options.clock.now(), method, path, query, headers, status: null as number | null };
      requests.push(entry);
      const answer = await rows.answer(request, closed.signal);
      entry.status = answer.status;
      return answer;
    },
  });
  const { answer: _, ...controls } = rows;
  return {
    ...controls,
    url: server.url,
    requests,
    server,
    async close() {
      closed.abort();
      await server.close();
    },
  };
}
