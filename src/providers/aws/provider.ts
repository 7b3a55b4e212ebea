import type { Instance, SpotInstanceRequest } from "@aws-sdk/client-ec2";
import type { Gpu } from "../../model/gpu.ts";
import { keptAnswers } from "../kept-answers.ts";
import type { CallContext, Capabilities, Provider, ProviderInstance } from "../provider.ts";
import { credentialsOf } from "./account.ts";
import { advisor } from "./advisor.ts";
import { type Api, awsApi } from "./api.ts";
import type { AwsWorld } from "./chain.ts";
import { PROVIDER } from "./codes.ts";
import { endMachine } from "./destroy.ts";
import { type Placed, placed, placedId } from "./ids.ts";
import { isFromPersistent, toInstance, toWaiting } from "./instances.ts";
import { launchMachine } from "./launch.ts";
import { leftoversOf } from "./leftovers.ts";
import { machineTypes } from "./machine-types.ts";
import { machines as machinesOf } from "./machines.ts";
import { noticeShelf } from "./notice-shelf.ts";
import { allOffers, type Market, NOTICE_SECONDS } from "./offers.ts";
import { onDemandPrices } from "./on-demand.ts";
import { placementScores } from "./placement.ts";
import { preparation as preparationOf } from "./preparation.ts";
import { priceHistoryOf } from "./price-history.ts";
import { type NoticeQueue, noticeQueue } from "./queue.ts";
import { regions as regionsOf } from "./regions.ts";
import { isOpen, isPersistentRequest, noticeOf, spotRequests } from "./requests.ts";
import { AWS_ASLEEP } from "./sleep.ts";
import { snapshotsOf } from "./snapshots.ts";
import { spotPrices } from "./spot-prices.ts";
import { tokenIn } from "./tags.ts";
import { volumesOf } from "./volumes.ts";

const CAPABILITIES: Capabilities = {
  noticeSeconds: NOTICE_SECONDS,
  protectionSeconds: 0,
  // No GPU type can be hibernated.
  hibernate: "park",
  idempotentLaunch: true,
  pollMs: 5_000,
  // Seconds is what is documented of what was just made; the waiters of AWS's own ask for longer.
  listSettlesMs: 60_000,
  volumes: true,
  zonalVolumes: true,
  endsAtTtl: false,
  restartsReclaimed: true,
  listEvery: {
    ms: 10_000,
    why: "a notice is 120 s long; a look takes two reads in each region, where EC2 allows 20 a second of each kind",
  },
  machine: { kind: "vm", notices: "aws", endsItself: true, volumes: "device" },
  retainsAddress: false,
  keepsRoot: false,
  billsMarketPrice: true,
  freeIfReclaimedWithinMs: 3_600_000,
  stoppedBillsGpu: false,
  whyNoStop: "a spot machine that is stopped at AWS can be taken away with its root disk, and one that EC2 stopped only EC2 starts again",
  asleep: AWS_ASLEEP,
};

const UNKNOWN_GPU: Gpu = { model: "", count: 0, vramGb: 0 };

/** A price or a GPU's name is no reason to miss a machine. */
async function orNone<Value>(work: Promise<readonly Value[]>): Promise<readonly Value[]> {
  return work.catch(() => []);
}

/** Shows machines, with what their own records do not say. */
function viewer(api: Api, market: Market, queue: NoticeQueue | undefined) {
  const isLiving = ({ State }: Instance) => State?.Name !== "terminated";
  return async (
    region: string,
    found: readonly Instance[],
    requests: readonly SpotInstanceRequest[],
    context: CallContext,
  ): Promise<readonly ProviderInstance[]> => {
    const isWaiting = (request: SpotInstanceRequest) =>
      request.State === "open" && isPersistentRequest(request) && tokenIn(request.Tags) !== null;
    const waiting = requests.filter(isWaiting);
    if (found.length === 0 && waiting.length === 0) return [];
    const types = new Map((await orNone(market.types.of(region, context))).map((type) => [type.type, type]));
    const gpuOf = (type: string | undefined) => types.get(type ?? "")?.gpu ?? UNKNOWN_GPU;
    const rented = found.filter((one) => isLiving(one) && types.has(one.InstanceType ?? ""));
    const spotTypes = rented.flatMap(({ InstanceLifecycle, InstanceType }) => (InstanceLifecycle === "spot" ? (InstanceType ?? []) : []));
    const prices = spotTypes.length === 0 ? [] : await orNone(market.spot.recent(region, [...new Set<string>(spotTypes)], context));
    const onDemand = rented.some(({ InstanceLifecycle }) => InstanceLifecycle !== "spot")
      ? await market.onDemand.of(region, context)
      : undefined;
    const priceOf = (one: Instance) => {
      if (one.InstanceLifecycle !== "spot") return { price: onDemand?.get(one.InstanceType ?? "") ?? null };
      const told = prices.find(({ type, zone }) => type === one.InstanceType && zone === one.Placement?.AvailabilityZone);
      return { price: told?.price ?? null, pricedAt: told?.observedAt };
    };
    const byId = new Map(requests.map((request) => [request.SpotInstanceRequestId, request]));
    const byInstance = new Map(requests.map((request) => [request.InstanceId, request]));
    const shown = found.map((one) => {
      const request = byId.get(one.SpotInstanceRequestId) ?? byInstance.get(one.InstanceId);
      const told = queue?.noticeOf({ region, id: one.InstanceId ?? "" }, api.ours(one.LaunchTime)) ?? null;
      const marked = noticeOf(api, request);
      // What EventBridge says of a reclaim is exact; a mere recommendation is less than a mark.
      const notice = told?.kind === "reclaim" ? told : (marked ?? told);
      return toInstance(api, region, one, { gpu: gpuOf(one.InstanceType), ...priceOf(one), notice, request });
    });
    const named = new Set(found.flatMap(({ SpotInstanceRequestId }) => SpotInstanceRequestId ?? []));
    const alone = waiting.filter(({ SpotInstanceRequestId }) => !named.has(SpotInstanceRequestId ?? ""));
    return [...shown, ...alone.map((request) => toWaiting(api, region, request, gpuOf(request.LaunchSpecification?.InstanceType)))];
  };
}

/** Amazon EC2. Wire facts and what is unknown: docs/providers/aws.md. */
export async function awsProvider(world: AwsWorld): Promise<Provider> {
  const api = awsApi(world);
  const kept = keptAnswers(PROVIDER, world);
  const regions = regionsOf(api);
  const machines = machinesOf(api);
  const requests = spotRequests(api);
  const preparation = preparationOf(api);
  const queue = noticeQueue(api, regions.home, noticeShelf(world.home));
  const market: Market = {
    types: machineTypes(api, kept),
    spot: spotPrices(api),
    onDemand: onDemandPrices(api, kept),
    advisor: advisor(world, api.endpoint("EC2") !== undefined, kept),
    placement: placementScores(api, regions.home, kept),
    kept,
  };
  const view = viewer(api, market, queue);
  const ofOurs = ({ Tags, State }: Instance) => State?.Name !== "terminated" || tokenIn(Tags) !== null;
  const get = async (machine: Placed, context: CallContext): Promise<ProviderInstance | undefined> => {
    const found = await machines.get(machine, context);
    if (found === undefined) return undefined;
    // A request may hold its notice, which would count as withdrawn without it; its token; and a machine to come.
    const isOver = found.State?.Name === "terminated" && !isFromPersistent(found) && tokenIn(found.Tags) !== null;
    const asked =
      found.InstanceLifecycle === "spot" && !isOver
        ? await requests.ofInstance(machine.region, machine.id, found.SpotInstanceRequestId, context)
        : [];
    await queue?.recall();
    const shown = await view(machine.region, [found], asked, context);
    return shown.find(({ providerId }) => providerId === placedId(machine));
  };
  const getWaiting = async ({ region, id }: Placed, context: CallContext): Promise<ProviderInstance | undefined> => {
    const request = await requests.find(region, id, context);
    return request === undefined || !isOpen(request) ? undefined : (await view(region, [], [request], context))[0];
  };
  return {
    id: PROVIDER,
    capabilities: CAPABILITIES,
    offers: (query, context) => allOffers(api, regions, market, query, context),
    async launch(spec, context) {
      const { offer, token, name } = spec;
      await queue?.requireReadable(context);
      const instance = await launchMachine({ api, machines, types: market.types, preparation }, spec, context);
      const around = { gpu: offer.gpu, price: offer.price, notice: null, request: undefined };
      const made = toInstance(api, offer.region, instance, around);
      return {
        ...made,
        token,
        name: made.name || name,
        zone: made.zone || offer.zone,
        type: made.type || offer.type,
        billing: offer.billing,
      };
    },
    async list(context) {
      const [found] = await Promise.all([
        regions.each(context, async (region) => {
          // One after the other: eight regions are under way at once as it is.
          const asked = await requests.list(region, context);
          const all = await machines.list(region, context);
          return { region, all: all.filter(ofOurs), asked };
        }),
        queue?.receive(context),
      ]);
      const shown = await Promise.all(found.map(({ region, all, asked }) => view(region, all, asked, context)));
      return [...new Map(shown.flat().map((one) => [one.providerId, one])).values()];
    },
    async get(providerId, context) {
      const [machine, waiting] = [placed(providerId, "i"), placed(providerId, "sir")];
      if (waiting !== undefined) return getWaiting(waiting, context);
      return machine === undefined ? undefined : get(machine, context);
    },
    destroy: (providerId, context) => endMachine({ api, machines, requests }, providerId, context),
    credentials: credentialsOf(api),
    priceHistory: priceHistoryOf(api, regions, market),
    volumes: volumesOf(api, regions, machines, snapshotsOf(api, regions)),
    leftovers: leftoversOf(api, regions, requests, (request, context) =>
      endMachine({ api, machines, requests }, placedId(request), context),
    ),
  };
}
