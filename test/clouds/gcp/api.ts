import type { Clock } from "../../../src/platform/clock.ts";
import type { FakeAnswer, FakeRequest } from "../fake-server.ts";
import { operationJson } from "./answers.ts";
import { imageRead } from "./catalogue-routes.ts";
import { partial } from "./fields.ts";
import type { OAuth } from "./oauth.ts";
import { checkRequestId, remembered } from "./operations.ts";
import { badRequest, invalid, Refusal, refused } from "./refusal.ts";
import type { Outcome } from "./route.ts";
import { ROUTES } from "./routes.ts";
import { type Operation, PROJECT, PROJECT_NUMBER, type Site } from "./site.ts";
import { skus } from "./skus.ts";

/** Parameters that every method knows. */
const STANDARD = new Set([
  "alt",
  "fields",
  "prettyPrint",
  "quotaUser",
  "userIp",
  "key",
  "callback",
  "access_token",
  "oauth_token",
  "uploadType",
  "upload_protocol",
  "$.xgafv",
]);

export interface Api {
  readonly site: Site;
  readonly clock: Clock;
  readonly tokens: OAuth;
  settle(): Promise<void>;
  /** Fires when the cloud is closed: nobody waits any longer. */
  readonly closed: AbortSignal;
}

function limiter({ site }: Api): () => void {
  let minute = -1;
  let count = 0;
  return () => {
    const now = Math.floor(site.time() / 60_000);
    if (now !== minute) {
      minute = now;
      count = 0;
    }
    count += 1;
    if (count > site.switches.requestsPerMinute)
      throw new Refusal(
        site.switches.rateLimitStatus,
        "rateLimitExceeded",
        "Quota exceeded for quota metric 'Read requests' and limit 'Read requests per minute' of service 'compute.googleapis.com'.",
      );
  };
}

function checkQuery(query: URLSearchParams, known: readonly string[]): void {
  for (const name of query.keys())
    if (!STANDARD.has(name) && !known.includes(name))
      throw badRequest(
        `Invalid JSON payload received. Unknown name "${name}": Cannot bind query parameter. Field '${name}' could not be found in request message.`,
      );
  const alt = query.get("alt") ?? "json";
  if (alt !== "json") throw invalid(`Invalid value for field 'alt': '${alt}'.`);
}

/** Blocks until the operation is DONE, its two minutes are over, or the cloud is closed. */
async function waitFor({ site, clock, settle, closed }: Api, operation: Operation): Promise<void> {
  const until = clock.now() + site.switches.longestWaitMs;
  while (operation.status !== "DONE" && clock.now() < until && !closed.aborted) {
    const due = Math.min(site.nextAt() ?? until, until);
    // Not in one step: somebody else may change what is due.
    await clock.sleep(Math.min(Math.max(due - clock.now(), 1), 1_000), closed).catch(() => undefined);
    await settle();
  }
}

async function compute(context: Api, request: FakeRequest, isBeta: boolean, rest: string): Promise<unknown> {
  const { site, tokens } = context;
  const scopes = request.method === "GET" ? ["cloud-platform", "compute", "compute.readonly"] : ["cloud-platform", "compute"];
  tokens.require(request, scopes);
  const [, project = "", path = ""] = /^projects\/([^/]+)(?:\/(.*))?$/.exec(rest) ?? [];
  if (request.method === "GET" && /^global\/images\//.test(path)) {
    checkQuery(request.query, []);
    return imageRead(site, project, path);
  }
  if (project !== PROJECT && project !== PROJECT_NUMBER) {
    if (project === "") throw new Refusal(404, "notFound", "Not Found");
    throw new Refusal(403, "forbidden", `Required 'compute.instances.list' permission for 'projects/${project}'`);
  }
  for (const route of ROUTES) {
    const match = route.method === request.method ? route.pattern.exec(path) : null;
    if (match === null) continue;
    checkQuery(request.query, route.query);
    const requestId = request.query.get("requestId");
    checkRequestId(requestId);
    const key = `${request.method} ${path} ${requestId?.toLowerCase()}`;
    const before = requestId === null ? undefined : remembered(site, key);
    if (before !== undefined) return operationJson(site, before);
    const body = request.body === "" ? {} : request.json();
    const outcome: Outcome = route.handle({ site, query: request.query, body, isBeta, parts: match.slice(1).map(decodeURIComponent) });
    if ("json" in outcome) return outcome.json;
    if ("waitFor" in outcome) {
      await waitFor(context, outcome.waitFor);
      return operationJson(site, outcome.waitFor);
    }
    const { began } = outcome;
    if (requestId !== null) {
      began.clientOperationId ??= requestId;
      site.requestIds.set(key, { operation: began, at: site.time() });
    }
    return operationJson(site, began);
  }
  throw new Refusal(404, "notFound", "Not Found");
}

const LARGEST_PAGE = 5_000;

/** `GET /v1/services/6F81-5844-456A/skus` of the billing catalogue. */
function catalogue({ site, tokens }: Api, request: FakeRequest): unknown {
  const { query } = request;
  checkQuery(query, ["startTime", "endTime", "currencyCode", "pageSize", "pageToken"]);
  if (!query.has("key")) tokens.require(request, ["cloud-platform", "cloud-billing", "cloud-billing.readonly"]);
  if ((query.get("currencyCode") ?? "USD") !== "USD") throw invalid("the fake knows dollars only");
  const asked = Number(query.get("pageSize") ?? 0);
  if (!Number.isInteger(asked) || asked < 0 || asked > LARGEST_PAGE) throw invalid(`Page size must be between 0 and ${LARGEST_PAGE}.`);
  const size = Math.min(asked === 0 ? LARGEST_PAGE : asked, site.switches.largestSkuPage);
  const token = query.get("pageToken") ?? "";
  const from = token === "" ? 0 : Number(/^sku-(\d+)$/.exec(Buffer.from(token, "base64").toString("utf8"))?.[1] ?? "NaN");
  if (Number.isNaN(from)) throw invalid("Request contains an invalid argument.");
  const rows = skus(site.time(), site.switches.spotFactor);
  const next = from + size;
  return {
    skus: rows.slice(from, next),
    // An empty string at the end, not nothing.
    nextPageToken: next < rows.length ? Buffer.from(`sku-${next}`).toString("base64") : "",
  };
}

/** What the whole of the cloud answers. */
export function api(context: Api): (request: FakeRequest) => Promise<FakeAnswer> {
  const limit = limiter(context);
  return async (request) => {
    await context.settle();
    try {
      if (request.path === "/token") return context.tokens.exchange(request);
      limit();
      const [, version, rest = ""] = /^\/compute\/(v1|beta)\/(.+)$/.exec(request.path) ?? [];
      const body = async () => {
        if (version !== undefined) return compute(context, request, version === "beta", rest);
        if (request.method === "GET" && request.path === "/v1/services/6F81-5844-456A/skus") return catalogue(context, request);
        throw new Refusal(404, "notFound", "Not Found");
      };
      return { status: 200, body: partial(await body(), request.query.get("fields")) };
    } catch (error) {
      if (error instanceof Refusal) return refused(error);
      throw error;
    }
  };
}
