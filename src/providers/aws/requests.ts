import { CancelSpotInstanceRequestsCommand, DescribeSpotInstanceRequestsCommand, type SpotInstanceRequest } from "@aws-sdk/client-ec2";
import type { Notice } from "../../model/notice.ts";
import type { CallContext } from "../provider.ts";
import type { Api } from "./api.ts";
import { NOTICE_SECONDS } from "./offers.ts";
import { everyPage, present } from "./pages.ts";
import { TOKEN_TAG } from "./tags.ts";

/** What asks EC2 for a spot machine, once or for as long as it is not cancelled. */
export interface SpotRequests {
  list(region: string, context: CallContext): Promise<readonly SpotInstanceRequest[]>;
  /** Those of one machine; its own record may not name its request yet. */
  ofInstance(
    region: string,
    instanceId: string,
    requestId: string | undefined,
    context: CallContext,
  ): Promise<readonly SpotInstanceRequest[]>;
  /** Those that carry this token, whether or not they name a machine. */
  ofToken(region: string, token: string, context: CallContext): Promise<readonly SpotInstanceRequest[]>;
  find(region: string, requestId: string, context: CallContext): Promise<SpotInstanceRequest | undefined>;
  cancel(region: string, requestIds: readonly string[], context: CallContext): Promise<void>;
}

const PER_PAGE = 1_000;

/** Whether it may still give, or give back, a machine (User Guide, life cycle of a spot request). */
export function isOpen({ State }: SpotInstanceRequest): boolean {
  return State === "open" || State === "active" || State === "disabled";
}

export function isPersistentRequest({ Type }: SpotInstanceRequest): boolean {
  return Type === "persistent";
}

/** The one view of a coming reclaim that the API has without EventBridge. It says since when, not until when. */
export function noticeOf(api: Api, request: SpotInstanceRequest | undefined): Notice | null {
  const code = request?.Status?.Code;
  if (code !== "marked-for-termination" && code !== "marked-for-stop") return null;
  const now = api.now();
  const markedAt = api.ours(request?.Status?.UpdateTime) ?? now;
  return { kind: "reclaim", source: "api", seenAt: now, deadline: markedAt + NOTICE_SECONDS * 1000, assumed: true };
}

export function spotRequests(api: Api): SpotRequests {
  const described = (region: string, filter: { readonly Name: string; readonly Values: string[] } | undefined, context: CallContext) =>
    everyPage(
      "spot requests",
      (token) =>
        api.ask(region, context, (ec2, options) =>
          ec2.send(
            new DescribeSpotInstanceRequestsCommand({
              ...(filter === undefined ? {} : { Filters: [filter] }),
              MaxResults: PER_PAGE,
              ...token,
            }),
            options,
          ),
        ),
      (page) => page.SpotInstanceRequests,
    );
  // By filters: an id that is not known there, or not yet, is an empty list and no error.
  const byId = (region: string, id: string, context: CallContext) =>
    described(region, { Name: "spot-instance-request-id", Values: [id] }, context);
  return {
    list: (region, context) => described(region, undefined, context),
    ofInstance: (region, instanceId, requestId, context) =>
      requestId === undefined
        ? described(region, { Name: "instance-id", Values: [instanceId] }, context)
        : byId(region, requestId, context),
    ofToken: (region, token, context) => described(region, { Name: `tag:${TOKEN_TAG}`, Values: [token] }, context),
    find: async (region, requestId, context) =>
      (await byId(region, requestId, context)).find((one) => one.SpotInstanceRequestId === requestId),
    async cancel(region, requestIds, context) {
      if (requestIds.length === 0) return;
      const command = new CancelSpotInstanceRequestsCommand({ SpotInstanceRequestIds: [...requestIds] });
      const { CancelledSpotInstanceRequests } = await api.ask(region, context, (ec2, options) => ec2.send(command, options));
      present("cancelled requests", CancelledSpotInstanceRequests);
    },
  };
}
