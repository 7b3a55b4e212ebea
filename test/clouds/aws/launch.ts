import type { FakeAnswer } from "../fake-server.ts";
import { wireInstance } from "./instance-view.ts";
import { type LaunchPlan, planOf, requireRoom } from "./launch-rules.ts";
import { beginBill, volumePrice } from "./ledger.ts";
import { adminCall, type MotoAnswer } from "./moto.ts";
import { indices, type Parameters } from "./query.ts";
import { answer, orRefuse, Refusal } from "./refusal.ts";
import { openRequest, setStatus } from "./spot-requests.ts";
import { type AwsState, type Call, type FakeInstance, type FakeSpotRequest, holdStock } from "./state.ts";
import { type Element, itemsAt, parseXml, textAt } from "./xml.ts";

const ROOT_GB = 8;

/** Parameters as one text, whatever their order. */
const fingerprint = (parameters: Parameters) =>
  [...parameters]
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join("\n");

/**
 * What a token has made, where this is a repetition: moto does not know `ClientToken` and would make another.
 * @throws Refusal for the same token with anything else.
 */
export function replayed({ state, action, region, parameters }: Call): readonly string[] | undefined {
  const token = parameters.get("ClientToken");
  const key = `${action} ${region} ${token}`;
  const known = token === null ? undefined : state.tokens.get(key);
  if (known === undefined) return undefined;
  if (state.clock.now() - known.at > state.switches.tokenMemoryMs) {
    state.tokens.delete(key);
    return undefined;
  }
  if (known.asked === fingerprint(parameters)) return known.ids;
  throw new Refusal(
    400,
    "IdempotentParameterMismatch",
    "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
  );
}

export function remember({ state, action, region, parameters }: Call, ids: readonly string[]): void {
  const token = parameters.get("ClientToken");
  if (token !== null) state.tokens.set(`${action} ${region} ${token}`, { asked: fingerprint(parameters), ids, at: state.clock.now() });
}

async function zoneOfSubnet({ state, region, parameters }: Call): Promise<string | null> {
  const subnet = parameters.get("SubnetId");
  if (subnet === null) return null;
  const given = orRefuse(
    await adminCall(state.account, state.host, { region }, { Action: "DescribeSubnets", Version: "2016-11-15", "SubnetId.1": subnet }),
  );
  return textAt(itemsAt(parseXml(given.text), "subnetSet")[0], "availabilityZone");
}

/** Bytes that the root volume of a launch is asked to have. */
function rootGb(order: Parameters): number {
  const sizes = indices(order, "BlockDeviceMapping").map((at) => Number(order.get(`BlockDeviceMapping.${at}.Ebs.VolumeSize`) ?? 0));
  return Math.max(ROOT_GB, ...sizes);
}

/** Enters into the books what moto has just launched. */
function enterInstances(
  state: AwsState,
  region: string,
  order: Parameters,
  plan: Pick<LaunchPlan, "type" | "zone" | "isSpot">,
  launched: MotoAnswer,
  requests: readonly FakeSpotRequest[],
): readonly FakeInstance[] {
  const document = parseXml(launched.text);
  const at = state.clock.now();
  return itemsAt(document, "instancesSet").map((item: Element, index) => {
    const request = requests[index];
    const instance: FakeInstance = {
      seq: state.nextSeq(),
      id: textAt(item, "instanceId"),
      region,
      zone: plan.zone,
      type: plan.type,
      isSpot: plan.isSpot,
      reservationId: textAt(document, "reservationId"),
      order,
      launchedAt: at,
      item,
      spotRequestId: request?.id ?? null,
      state: "pending",
      since: at,
      held: state.switches.holdPending,
      reason: null,
      transition: "",
      address: null,
      doom: null,
      comesToNothing: state.switches.capacityRunsOutLater,
      holdsStock: false,
      restartAt: null,
      interruptedByEc2: false,
      noticeAt: null,
      rebalanceAt: null,
      unseen: state.switches.notFoundFirst,
    };
    state.instances.set(instance.id, instance);
    holdStock(state, instance, true);
    for (const mapping of itemsAt(item, "blockDeviceMapping")) enterRoot(state, instance, mapping, at);
    if (request !== undefined) {
      request.instanceId = instance.id;
      setStatus(request, "active", "fulfilled", at);
    }
    return instance;
  });
}

function enterRoot(state: AwsState, { id: instanceId, region, zone, order }: FakeInstance, mapping: Element, at: number): void {
  const id = textAt(mapping, "ebs", "volumeId");
  const sizeGb = rootGb(order);
  state.volumes.set(id, {
    seq: state.nextSeq(),
    id,
    region,
    zone,
    sizeGb,
    createdAt: at,
    isRoot: true,
    item: null,
    state: "in-use",
    since: at,
    attachment: {
      instanceId,
      device: textAt(mapping, "deviceName"),
      deleteOnTermination: textAt(mapping, "ebs", "deleteOnTermination") !== "false",
      state: "attached",
      since: at,
    },
    unseen: 0,
  });
  beginBill(state, { resourceId: id, kind: "volume", pricePerHour: volumePrice(sizeGb) }, at);
}

function launchAnswer({ state, action }: Call, ids: readonly string[], isFirst: boolean): FakeAnswer {
  const instances = ids.flatMap((id) => state.instances.get(id) ?? []);
  const items = instances.map((one) =>
    wireInstance(state, one, isFirst && state.switches.requestIdLater ? { withoutRequestId: true } : {}),
  );
  return answer(action, {
    reservationId: instances[0]?.reservationId ?? "",
    ownerId: state.account.id,
    groupSet: [],
    instancesSet: items,
  });
}

/** RunInstances. `forward` has moto do it, and check signature and rights once more. */
export async function runInstances(call: Call, forward: () => Promise<MotoAnswer>): Promise<FakeAnswer> {
  const { state, region, parameters } = call;
  const before = replayed(call);
  if (before !== undefined) return launchAnswer(call, before, false);
  const plan = planOf(state, region, parameters, await zoneOfSubnet(call));
  if (parameters.get("DryRun") !== "true") requireRoom(state, region, plan);
  const launched = orRefuse(await forward());
  const count = itemsAt(parseXml(launched.text), "instancesSet").length;
  const requests = plan.isSpot
    ? Array.from({ length: count }, () => openRequest(state, { region, ...plan }, parameters, plan.maxPrice))
    : [];
  const ids = enterInstances(state, region, parameters, plan, launched, requests).map(({ id }) => id);
  remember(call, ids);
  return launchAnswer(call, ids, true);
}

/** What EC2 launches by itself for a persistent request that is open: a machine that no client has asked for just now. */
export async function fulfil(state: AwsState, request: FakeSpotRequest): Promise<void> {
  const order = new URLSearchParams(request.order);
  order.delete("ClientToken");
  if (!state.switches.relaunchKeepsTags) for (const name of [...order.keys()]) if (name.startsWith("TagSpecification.")) order.delete(name);
  request.fulfilAt = null;
  const launched = orRefuse(await adminCall(state.account, state.host, { region: request.region }, order));
  enterInstances(state, request.region, order, { ...request, isSpot: true }, launched, [request]);
}
