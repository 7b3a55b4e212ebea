import { moneyText } from "../../model/money.ts";
import { isFault, ProviderError } from "../errors.ts";
import type { CallContext, LaunchSpec } from "../provider.ts";
import { startupScript } from "../startup-script.ts";
import { taggedName } from "../tagged-name.ts";
import type { Api } from "./api.ts";
import { PROVIDER } from "./codes.ts";
import { MACHINES, type Machines } from "./machines.ts";
import { type Places, preparing } from "./places.ts";
import { freeVolume } from "./volumes.ts";
import { madeVms, type WireVm } from "./wire.ts";

const LONGEST_NAME = 50;
const LONGEST_LABEL = 50;
const SSH_PORT = 22;
const EVERYWHERE = "0.0.0.0/0";

/** Which characters a label may have is not documented; these are safe anywhere. */
function labelsOf(spec: LaunchSpec): readonly string[] {
  const safe = (text: string) => text.replaceAll(/[^A-Za-z0-9._-]+/g, "-").slice(0, LONGEST_LABEL);
  return [spec.token, ...Object.entries(spec.labels).map(([key, value]) => safe(`${key}.${value}`))];
}

function rulesOf(spec: LaunchSpec): readonly object[] {
  const ports = new Set([SSH_PORT, ...spec.ports.map(({ port }) => port)]);
  return [...ports].map((port) => ({
    direction: "ingress",
    ethertype: "IPv4",
    protocol: "tcp",
    remote_ip_prefix: EVERYWHERE,
    port_range_min: port,
    port_range_max: port,
  }));
}

/**
 * Rents one machine. A volume that another machine holds is found out before, since volumes are attached later, and a
 * machine that cannot have its own costs money for nothing.
 */
export async function launchVm(api: Api, machines: Machines, places: Places, spec: LaunchSpec, context: CallContext): Promise<WireVm> {
  const { offer } = spec;
  const cap = spec.maxPrice ?? offer.price;
  if (cap.currency !== offer.price.currency || cap.micros < offer.price.micros)
    throw new ProviderError(
      PROVIDER,
      { kind: "price-too-low" },
      `${offer.type} costs ${moneyText(offer.price)} an hour, the cap is ${moneyText(cap)}`,
    );
  for (const { providerVolumeId } of spec.volumes) await preparing(() => freeVolume(api, providerVolumeId, context));
  const environment_name = await places.environment(offer.region, context);
  const key_name = await places.keypair(offer.region, spec.sshKey, context);
  const image_name = spec.image ?? (await places.image(offer.region, context));
  const name = taggedName(spec.name, spec.token, LONGEST_NAME);
  const body = {
    name,
    environment_name,
    key_name,
    image_name,
    flavor_name: offer.type,
    count: 1,
    user_data: startupScript(spec.bootScript, spec.env),
    assign_floating_ip: true,
    // Unless told otherwise this cloud moves SSH to a port that its API does not tell.
    enable_port_randomization: false,
    security_rules: rulesOf(spec),
    labels: labelsOf(spec),
  };
  try {
    const unknown400 = { kind: "no-capacity", scope: "offer" } as const;
    const { instances } = await api.made(madeVms, { method: "POST", path: MACHINES, body, unknown400 }, context);
    const [vm] = instances;
    if (vm === undefined) throw new ProviderError(PROVIDER, { kind: "protocol" }, "a launch was answered without a machine");
    machines.remember(vm);
    return vm;
  } catch (error) {
    if (isFault(error, "not-found", "invalid-request")) places.forget();
    if (!isFault(error, "conflict")) throw error;
    // The name carries our token: a machine that has it already is this one.
    const ours = await preparing(() => machines.named(name, context));
    if (ours === undefined) throw error;
    return ours;
  }
}
