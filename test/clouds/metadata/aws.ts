import type { FakeAnswer } from "../fake-server.ts";
import { type MetadataOptions, type MetadataRows, toTheSecond } from "./service.ts";
import { plain, tokens, xhtmlPage } from "./tokens.ts";

/**
 * The Instance Metadata Service of EC2, version 2. Written from the EC2 user guide ("Instance metadata", "Spot Instance
 * interruption notices") and from what the AWS node termination handler asks; the paths of a notice are 404 until there is one.
 */
export function awsMetadata(options: MetadataOptions): MetadataRows {
  const { clock, action = "terminate", instanceId = "i-0123456789abcdef0" } = options;
  const words = { lifeHeader: "x-aws-ec2-metadata-token-ttl-seconds", tokenHeader: "x-aws-ec2-metadata-token", page: xhtmlPage };
  const store = tokens({ ...words, without: 401, bad: 401 }, options);
  let deadline: number | null = null;
  let rebalanceAt: number | null = null;

  const documents = (): Readonly<Record<string, string | null>> => ({
    "instance-id": instanceId,
    "instance-life-cycle": "spot",
    // Looks like the notice and is none: it stays `none`.
    "instance-action": "none",
    "spot/instance-action": deadline === null ? null : JSON.stringify({ action, time: toTheSecond(deadline) }),
    // Legacy; only where the instance is terminated.
    "spot/termination-time": deadline === null || action !== "terminate" ? null : toTheSecond(deadline),
    "events/recommendations/rebalance": rebalanceAt === null ? null : JSON.stringify({ noticeTime: toTheSecond(rebalanceAt) }),
    "events/maintenance/scheduled": "[]",
  });

  const answer: MetadataRows["answer"] = (request): FakeAnswer => {
    if (request.path === "/latest/api/token") return request.method === "PUT" ? store.give(request) : xhtmlPage(405);
    if (request.method !== "GET" && request.method !== "HEAD") return xhtmlPage(405);
    const refusal = store.refusal(request);
    if (refusal !== undefined) return refusal;
    const prefix = "/latest/meta-data/";
    const document = request.path.startsWith(prefix) ? documents()[request.path.slice(prefix.length)] : null;
    return typeof document === "string" ? plain(document) : xhtmlPage(404);
  };

  return {
    answer,
    giveNotice(at) {
      deadline = at;
    },
    giveRebalance() {
      rebalanceAt = clock.now();
    },
    giveMaintenance() {
      throw new Error("not of this cloud");
    },
    withdraw() {
      deadline = null;
      rebalanceAt = null;
    },
    forgetTokens: () => store.forget(),
  };
}
