import { type AwsState, type FakeInstance, type FakeVolume, type InstanceStateName, timeText } from "./state.ts";
import { type Content, child, type Element, put } from "./xml.ts";

const CODES: Readonly<Record<InstanceStateName, number>> = {
  pending: 0,
  running: 16,
  "shutting-down": 32,
  terminated: 48,
  stopping: 64,
  stopped: 80,
};

export function wireState(state: AwsState, name: InstanceStateName): { readonly code: number; readonly name: string } {
  return {
    code: state.switches.stateWord === null ? CODES[name] + state.switches.stateHighByte : 99,
    name: state.switches.stateWord ?? name,
  };
}

function mappings(state: AwsState, instance: FakeInstance): readonly Content[] {
  return [...state.volumes.values()].flatMap(({ id, attachment }: FakeVolume) =>
    attachment?.instanceId !== instance.id
      ? []
      : [
          {
            deviceName: attachment.device,
            ebs: {
              volumeId: id,
              status: attachment.state,
              attachTime: timeText(state, attachment.since),
              deleteOnTermination: attachment.deleteOnTermination,
            },
          },
        ],
  );
}

function copyOf({ name, text, children }: Element): Element {
  return { name, text, children: children.map(copyOf) };
}

const OVER: readonly InstanceStateName[] = ["terminated"];

/** moto's item with everything that the proxy knows better: states, times, reasons, spot, addresses, disks. */
export function wireInstance(state: AwsState, instance: FakeInstance, view: { readonly withoutRequestId?: true } = {}): Element {
  const item = copyOf(instance.item);
  const isOver = OVER.includes(instance.state);
  put(item, "instanceState", wireState(state, instance.state));
  put(item, "launchTime", timeText(state, instance.launchedAt));
  put(item, "reason", instance.transition);
  put(item, "stateReason", instance.reason === null ? undefined : { code: instance.reason.code, message: instance.reason.message });
  put(item, "virtualizationType", "hvm");
  put(item, "instanceLifecycle", instance.isSpot ? "spot" : undefined);
  put(item, "spotInstanceRequestId", view.withoutRequestId ? undefined : (instance.spotRequestId ?? undefined));
  put(item, "clientToken", instance.order.get("ClientToken") ?? "");
  put(item, "blockDeviceMapping", mappings(state, instance));
  const placement = child(item, "placement");
  if (placement !== undefined) put(placement, "availabilityZone", instance.zone);
  put(item, "ipAddress", instance.address ?? undefined);
  put(item, "dnsName", instance.address === null ? "" : `ec2-${instance.address.replaceAll(/[.:]/g, "-")}.compute-1.amazonaws.com`);
  for (const name of isOver ? ["privateIpAddress", "subnetId", "vpcId", "ipAddress"] : []) put(item, name, undefined);
  // The interface repeats the public address; one place that tells it is enough here.
  put(item, "networkInterfaceSet", []);
  return item;
}
