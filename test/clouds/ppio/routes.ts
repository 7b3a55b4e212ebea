import type { Clock } from "../../../src/platform/clock.ts";
import type { FakeAnswer, FakeRequest } from "../fake-server.ts";
import type { Instance, Instances } from "./instances.ts";
import type { Market } from "./market.ts";
import { orderOf } from "./order.ts";
import { invalid, Refusal, refusalAnswer } from "./refusals.ts";
import type { PpioSettings } from "./settings.ts";
import type { Storages } from "./storages.ts";
import { detailsView, listView, productView } from "./views.ts";

export const API_PATH = "/gpu-instance/openapi/v1";

export interface Cloud {
  readonly clock: Clock;
  readonly market: Market;
  readonly instances: Instances;
  readonly storages: Storages;
  readonly auths: ReadonlyMap<string, string>;
  readonly settings: () => PpioSettings;
  readonly skewMs: () => number;
  readonly credential: string;
  /** Called with the id of a storage that is no more. */
  readonly forgetStorage: (id: string) => void;
}

type Body = Readonly<Record<string, unknown>>;
type Route = (request: FakeRequest, cloud: Cloud) => FakeAnswer;

function bodyOf(request: FakeRequest): Body {
  const body = request.json();
  if (typeof body !== "object" || body === null || Array.isArray(body)) throw invalid("body");
  return body as Body;
}

function number(request: FakeRequest, name: string): number {
  const text = request.query.get(name);
  if (text === null || !/^\d{1,6}$/.test(text)) throw invalid(name);
  return Number(text);
}

function done(cloud: Cloud, body: unknown = {}): FakeAnswer {
  return cloud.settings().emptyBodies ? { status: 200 } : { status: 200, body };
}

const telling = (cloud: Cloud) => ({
  settings: cloud.settings(),
  market: cloud.market,
  now: cloud.clock.now(),
  skewMs: cloud.skewMs(),
});

function verb(act: (instance: Instance, cloud: Cloud) => void): Route {
  return (request, cloud) => {
    const { instanceId, ...more } = bodyOf(request);
    if (typeof instanceId !== "string" || Object.keys(more).length > 0) throw invalid("instanceId");
    const instance = cloud.instances.find(instanceId);
    act(instance, cloud);
    return done(cloud);
  };
}

const start: Route = (request, cloud) => {
  const answer = verb((instance, { instances }) => instances.start(instance))(request, cloud);
  const instanceId = String(bodyOf(request)["instanceId"]);
  return cloud.settings().startSaysState ? { status: 200, body: { instanceId, state: "toStart" } } : answer;
};

/** The order in which the next list is walked; one item moves forward past whoever walks it. */
function shuffled(all: readonly Instance[], page: number, size: number, turn: number): readonly Instance[] {
  const order = [...all];
  const next = (page + 1) * size;
  // Before the page after this one is read, its first item has moved to the front.
  for (let done = 0; done < turn && order.length > 0; done++) {
    const [moved] = order.splice(Math.min(next, order.length - 1), 1);
    if (moved !== undefined) order.unshift(moved);
  }
  return order;
}

function instanceList(): Route {
  let turn = 0;
  return (request, cloud) => {
    const { firstPage, largestPage, itemsMove, namesFound, totalTold } = cloud.settings();
    const size = Math.min(number(request, "pageSize"), largestPage);
    const page = number(request, "pageNum") - firstPage;
    const wanted = request.query.get("name") ?? "";
    const status = request.query.get("status");
    const isFound = ({ order }: Instance) => (wanted === "" || namesFound) && order.name.includes(wanted);
    const found = cloud.instances.all().filter((one) => isFound(one) && (status === null || one.status === status));
    const walked = itemsMove && turn < 3 ? shuffled(found, 0, size, turn++) : found;
    const rows = page < 0 ? [] : walked.slice(page * size, (page + 1) * size);
    return {
      status: 200,
      body: { instances: rows.map((one) => listView(one, telling(cloud))), ...(totalTold && { total: found.length }) },
    };
  };
}

const products: Route = ({ query }, { market, settings }) => {
  const clusterId = query.get("clusterId");
  const gpuNum = Number(query.get("gpuNum") ?? "0");
  const method = query.get("billingMethod") ?? "onDemand";
  if (!Number.isInteger(gpuNum) || gpuNum < 0 || gpuNum > 8) throw invalid("gpuNum");
  if (!["onDemand", "monthly", "spot"].includes(method)) throw invalid("billingMethod");
  const name = query.get("productName") ?? "";
  const found = market
    .in(clusterId)
    .filter(
      (product) =>
        product.name.includes(name) && (method !== "spot" || product.spotPrice > 0) && (method !== "monthly" || product.monthlyPrice > 0),
    );
  return { status: 200, body: { data: found.map((product) => productView(product, clusterId, gpuNum, { market, settings: settings() })) } };
};

const ROUTES: Readonly<Record<string, Route>> = {
  "GET /clusters": (_, { market }) => ({
    status: 200,
    body: {
      data: market.clusters.map((cluster) => ({
        ...cluster,
        availableGpuType: market.in(cluster.id).map(({ name }) => name),
        supportInstanceNetwork: false,
      })),
    },
  }),
  "GET /products": products,
  "POST /gpu/instance/create": (request, cloud) => {
    const { id } = cloud.instances.create(orderOf(bodyOf(request), cloud));
    return { status: 200, body: { id } };
  },
  "GET /gpu/instance": (request, cloud) => {
    const instance = cloud.instances.find(request.query.get("instanceId") ?? "");
    return { status: 200, body: detailsView(instance, telling(cloud)) };
  },
  "POST /gpu/instance/start": start,
  "POST /gpu/instance/stop": verb((instance, { instances }) => instances.stop(instance)),
  "POST /gpu/instance/restart": verb((instance, { instances }) => instances.restart(instance)),
  "POST /gpu/instance/delete": verb((instance, { instances }) => instances.remove(instance)),
  "GET /repository/auths": (_, { auths }) => ({
    status: 200,
    body: { data: [...auths].map(([id, name]) => ({ id, name, username: "somebody", password: "******" })) },
  }),
  "GET /networkstorages/list": (request, { storages, market }) => {
    const [size, page] = [number(request, "pageSize"), number(request, "pageNo")];
    const all = storages.all();
    const rows = page < 1 ? [] : all.slice((page - 1) * size, page * size);
    const view = ({ createdAt: _, ...storage }: (typeof rows)[number]) => ({
      ...storage,
      clusterName: market.clusters.find(({ id }) => id === storage.clusterId)?.name ?? "",
      price: "200",
    });
    return { status: 200, body: { data: rows.map(view), total: all.length } };
  },
  // A bare JSON string, not an object.
  "POST /networkstorage/create": (request, { storages }) => ({
    status: 200,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(storages.create(bodyOf(request)).storageId),
  }),
  "POST /networkstorage/delete": (request, cloud) => {
    const { storageId } = cloud.storages.remove(bodyOf(request));
    cloud.forgetStorage(storageId);
    return done(cloud);
  },
};

/** Answers one request as this cloud would, by the documents. */
export function ppioRoutes(cloud: Cloud): (request: FakeRequest) => Promise<FakeAnswer> {
  const routes: Readonly<Record<string, Route>> = { ...ROUTES, "GET /gpu/instances": instanceList() };
  return async (request) => {
    try {
      await cloud.instances.settle();
      if (request.headers["authorization"] !== `Bearer ${cloud.credential}`) throw new Refusal(401, "UNAUTHORIZED");
      // The pages of every call, of those without a body too, say that this header is required.
      if (!(request.headers["content-type"] ?? "").startsWith("application/json")) throw invalid("content-type");
      const path = request.path.startsWith(API_PATH) ? request.path.slice(API_PATH.length) : null;
      const route = path === null ? undefined : routes[`${request.method} ${path}`];
      if (route === undefined) return { status: 404, body: "404 page not found" };
      const answer = route(request, cloud);
      await cloud.instances.settle();
      return answer;
    } catch (error) {
      if (error instanceof Refusal) return refusalAnswer(error, cloud.settings());
      throw error;
    }
  };
}
