import type * as v from "valibot";
import { readCredentials } from "../../platform/secrets.ts";
import type { World } from "../../platform/world.ts";
import { type CloudAnswer, type CloudRequest, cloudHttp, parsed } from "../cloud-http.ts";
import { accessOf } from "../credentials.ts";
import { isFault, ProviderError } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import { refusalOf, saysNothing } from "./codes.ts";
import { everyRow, type FirstPage, type PagedList } from "./pages.ts";
import type { Vendor } from "./vendors.ts";
import { instanceDetails, instancePage, productList, type WireInstance, type WireProduct } from "./wire.ts";

export type PpioWorld = Pick<World, "env" | "home" | "clock">;

/** The v1 API of one vendor. Every refusal is thrown as what it means. */
export interface PpioApi {
  readonly vendor: Vendor;
  now(): number;
  /** A moment of the server's clock on ours. */
  ours(serverMs: number): number;
  read<Schema extends v.GenericSchema>(
    schema: Schema,
    path: string,
    query: CloudRequest["query"],
    context: CallContext,
  ): Promise<v.InferOutput<Schema>>;
  /** Sent once. The body of the answer may be empty. */
  change(path: string, body: unknown, context: CallContext): Promise<CloudAnswer>;
  /** Undefined when this call does not find it, which alone proves nothing. */
  details(instanceId: string, context: CallContext): Promise<WireInstance | undefined>;
  /** All instances of the account, or those whose name contains these words: the filter is a fuzzy one. */
  instances(nameContains: string | null, context: CallContext): Promise<readonly WireInstance[]>;
  /** The row of one instance in the list, looked for among those of its name where that is known; undefined when it is not there. */
  row(instanceId: string, nameContains: string | null, context: CallContext): Promise<WireInstance | undefined>;
  products(
    query: { readonly clusterId: string; readonly gpuNum?: number; readonly billingMethod: "onDemand" | "spot" },
    context: CallContext,
  ): Promise<readonly WireProduct[]>;
}

const API_PATH = "/gpu-instance/openapi/v1";
const PAGE_SIZE = 100;

/** Nothing was changed by what only prepares a change, so its failure is never one after which something must be looked for. */
export async function preparing<Result>(provider: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (isFault(error, "ambiguous", "protocol", "not-found"))
      throw new ProviderError(provider, { kind: "unavailable" }, error.message, error.rawCode, error);
    throw error;
  }
}

export function ppioApi(vendor: Vendor, world: PpioWorld): PpioApi {
  const access = accessOf(vendor.id);
  let key: string | undefined;
  const http = cloudHttp({
    provider: vendor.id,
    baseUrl: `${(world.env[access.endpoint.variable] || access.endpoint.url).replace(/\/+$/, "")}${API_PATH}`,
    clock: world.clock,
    env: world.env,
    async headers() {
      key ??= Object.values((await readCredentials(access.variables, world)) ?? {})[0];
      if (key === undefined)
        throw new ProviderError(
          vendor.id,
          { kind: "auth" },
          `no credentials: set ${access.variables.join(" and ")} or run spot provider login ${vendor.id}`,
        );
      // The pages of every call say that this is required, of those without a body too.
      return { authorization: `Bearer ${key}`, "content-type": "application/json" };
    },
    secrets: () => (key === undefined ? [] : [key]),
  });
  const first: FirstPage = { page: 1, isSure: false };
  const now = () => world.clock.now();
  const accepted = (answer: CloudAnswer): CloudAnswer => {
    if (answer.status >= 200 && answer.status < 300) return answer;
    throw refusalOf(vendor.id, answer, now());
  };
  const read: PpioApi["read"] = async (schema, path, query, { signal }) =>
    parsed(vendor.id, schema, accepted(await http.send({ method: "GET", path, ...(query && { query }), effect: "read", signal })));
  const list = (nameContains: string | null, context: CallContext): PagedList<WireInstance> => ({
    provider: vendor.id,
    first,
    idOf: ({ id }) => id,
    async fetch(pageNum) {
      const filter = nameContains === null ? {} : { name: nameContains };
      const page = await read(instancePage, "/gpu/instances", { pageSize: PAGE_SIZE, pageNum, ...filter }, context);
      return { rows: page.instances ?? [], total: page.total };
    },
  });
  return {
    vendor,
    now,
    ours: (serverMs) => serverMs - http.clockOffsetMs(),
    read,
    change: async (path, body, { signal }) => accepted(await http.send({ method: "POST", path, body, effect: "change", signal })),
    async details(instanceId, context) {
      try {
        return await read(instanceDetails, "/gpu/instance", { instanceId }, context);
      } catch (error) {
        if (isFault(error, "not-found") || saysNothing(error)) return undefined;
        throw error;
      }
    },
    instances: (nameContains, context) => everyRow(list(nameContains, context)),
    row: async (instanceId, nameContains, context) =>
      (await everyRow(list(nameContains, context), instanceId)).find(({ id }) => id === instanceId),
    products: async (query, context) => (await read(productList, "/products", query, context)).data,
  };
}
