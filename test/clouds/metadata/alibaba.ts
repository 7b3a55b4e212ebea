import type { FakeAnswer } from "../fake-server.ts";
import { type MetadataOptions, type MetadataRows, toTheSecond } from "./service.ts";
import { plain, tokens, xhtmlPage } from "./tokens.ts";

/**
 * The instance metadata of Alibaba ECS. Written from its documentation ("Instance metadata", "Preemptible instances"): in
 * hardened mode (`HttpTokens=required`) only what carries a token passes. What a refusal looks like is documented for 404
 * only; 403 for the normal mode's requests is an assumption.
 */
export function alibabaMetadata(options: MetadataOptions): MetadataRows {
  const { instanceId = "i-bp1a2b3c4d5e6f7g8h9i" } = options;
  const words = { lifeHeader: "x-aliyun-ecs-metadata-token-ttl-seconds", tokenHeader: "x-aliyun-ecs-metadata-token", page: xhtmlPage };
  const store = tokens({ ...words, without: 403, bad: 401 }, options);
  let deadline: number | null = null;

  const answer: MetadataRows["answer"] = (request): FakeAnswer => {
    if (request.path === "/latest/api/token") return request.method === "PUT" ? store.give(request) : xhtmlPage(405);
    if (request.method !== "GET") return xhtmlPage(405);
    const refusal = store.refusal(request);
    if (refusal !== undefined) return refusal;
    if (request.path === "/latest/meta-data/instance-id") return plain(instanceId);
    if (request.path === "/latest/meta-data/instance/spot/termination-time" && deadline !== null) return plain(toTheSecond(deadline));
    return xhtmlPage(404);
  };

  const notHere = () => {
    throw new Error("not of this cloud");
  };
  return {
    answer,
    giveNotice(at) {
      deadline = at;
    },
    giveRebalance: notHere,
    giveMaintenance: notHere,
    withdraw() {
      deadline = null;
    },
    forgetTokens: () => store.forget(),
  };
}
