import { moneyText } from "../../model/money.ts";
import { isFault, ProviderError } from "../errors.ts";
import type { CallContext, LaunchSpec, ProviderInstance } from "../provider.ts";
import { scriptWithEnv } from "../startup-script.ts";
import type { Api } from "./api.ts";
import { isCutShort, operationFault, PROVIDER } from "./codes.ts";
import { diskToAttach } from "./disks.ts";
import { openPorts, preparing } from "./firewall.ts";
import { portTag, tokenIn } from "./instances.ts";
import type { LongNotice } from "./long-notice.ts";
import { partsOf } from "./machine-types.ts";
import type { Machines } from "./machines.ts";
import { deviceName, labelsOf, lastOf, ROLE_LABEL, ROOT_ROLE, requestId, resourceName } from "./names.ts";
import { awaited, errorsOf } from "./operations.ts";
import type { Operation } from "./wire.ts";

/** For images with CUDA and a container or two; Google's have 50 at least. It goes with the machine. */
const ROOT_GB = 100;
/** Of maxRunDuration, as gcloud documents it: 30 seconds to 120 days. */
const SHORTEST_RUN_S = 30;
const LONGEST_RUN_S = 120 * 24 * 3600;
const NOTICE_S = 120;
/** How long a launch waits for an early stock-out: most of them are told in the first seconds. */
const EARLY_MS = 20_000;

/** A value in a machine's metadata: 256 KB. */
const LONGEST_SCRIPT_BYTES = 256 * 1024;

function requireAllowed({ offer, maxPrice, registryAuth, image }: LaunchSpec): void {
  const cap = maxPrice ?? offer.price;
  if (cap.currency !== offer.price.currency || cap.micros < offer.price.micros)
    throw new ProviderError(
      PROVIDER,
      { kind: "price-too-low" },
      `${offer.type} costs ${moneyText(offer.price)} an hour, the cap is ${moneyText(cap)}`,
    );
  if (offer.billing === "monthly") throw new ProviderError(PROVIDER, { kind: "unsupported" }, "commitments are not made by spot");
  if (registryAuth !== null)
    throw new ProviderError(PROVIDER, { kind: "unsupported" }, "Compute Engine boots disk images; it has no registry credentials");
  if (image === null && /^a4x-/.test(offer.type))
    throw new ProviderError(PROVIDER, { kind: "invalid-request" }, `${offer.type} is an Arm machine: name an image for it with --image`);
}

/** `projects/…` and whole URLs as they are, `family/x` and a plain name in the own project. */
function imageOf(image: string, project: string): string {
  if (/^(https:\/\/|projects\/)/.test(image)) return image;
  return `projects/${project}/global/images/${image.replace(/^(global\/)?images\//, "")}`;
}

/** Newer families take no persistent disks of the old kinds (not verified live). */
function rootDiskType(machineType: string, usual: string): string {
  return /^(a3-ultragpu|a4|a4x|g4)-/.test(machineType) ? "hyperdisk-balanced" : usual;
}

/** Families of which every machine brings local SSDs (compute/docs/disks/add-local-ssd). */
const LOCAL_SSD = /^(a2-ultragpu|a3|a4|a4x|a5x)-/;

function scheduling({ offer, ttlSeconds }: LaunchSpec) {
  const limit = ttlSeconds === null ? null : Math.min(LONGEST_RUN_S, Math.max(SHORTEST_RUN_S, Math.ceil(ttlSeconds)));
  const isSpot = offer.billing === "spot";
  return {
    provisioningModel: isSpot ? "SPOT" : "STANDARD",
    // A GPU cannot be moved while it works.
    onHostMaintenance: "TERMINATE",
    // Alone it would be the older kind that always ends after a day.
    ...(isSpot ? { preemptible: true } : {}),
    automaticRestart: !isSpot,
    ...(isSpot || limit !== null ? { instanceTerminationAction: "STOP" } : {}),
    ...(limit === null ? {} : { maxRunDuration: { seconds: String(limit) } }),
    // With a time limit that stops: required where there are local SSDs, and allowed nowhere else (the help of gcloud 528).
    ...(limit === null || !LOCAL_SSD.test(offer.type) ? {} : { onInstanceStopAction: { discardLocalSsd: true } }),
  };
}

function metadataOf({ bootScript, env, sshKey, peerKeys = [] }: LaunchSpec, login: string) {
  const script = scriptWithEnv(bootScript, env);
  const bytes = Buffer.byteLength(script);
  if (bytes > LONGEST_SCRIPT_BYTES)
    throw new ProviderError(
      PROVIDER,
      { kind: "invalid-request" },
      `the boot script has ${bytes} bytes, and Compute Engine takes ${LONGEST_SCRIPT_BYTES}: make the command or the environment shorter`,
    );
  const items = [
    // Run at every boot by Google's guest agent, as root.
    { key: "startup-script", value: script },
    // On Google's own images; others do not know it.
    { key: "install-nvidia-driver", value: "True" },
    // Where a project uses OS Login, keys in metadata would be ignored.
    { key: "enable-oslogin", value: "FALSE" },
  ];
  if (sshKey === null) return { items };
  // All of them here: the guest agent of Compute Engine writes them when it comes to it, maybe after our script has run.
  const keys = [sshKey.trim(), ...peerKeys].map((key) => `${login}:${key}`);
  return { items: [...items, { key: "ssh-keys", value: keys.join("\n") }] };
}

/** The body of `instances.insert`. */
export function insertBody(api: Pick<Api, "settings">, spec: LaunchSpec, project: string) {
  const { settings } = api;
  const { machineType, accelerator, count } = partsOf(spec.offer.type);
  const zone = `projects/${project}/zones/${spec.offer.zone}`;
  const ports = [...new Set(spec.ports.map(({ port }) => port))];
  const labels = labelsOf(spec.name, spec.token, spec.labels);
  const root = {
    boot: true,
    autoDelete: true,
    mode: "READ_WRITE",
    type: "PERSISTENT",
    initializeParams: {
      sourceImage: imageOf(spec.image ?? settings.image, project),
      diskSizeGb: String(ROOT_GB),
      diskType: `${zone}/diskTypes/${rootDiskType(machineType, settings.diskType)}`,
      labels: { ...labelsOf(spec.name, spec.token), [ROLE_LABEL]: ROOT_ROLE },
    },
  };
  const data = spec.volumes.map(({ providerVolumeId }) => {
    const disk = lastOf(providerVolumeId);
    // Never deleted with the machine.
    return {
      boot: false,
      autoDelete: false,
      mode: "READ_WRITE",
      type: "PERSISTENT",
      source: `${zone}/disks/${disk}`,
      deviceName: deviceName(disk),
    };
  });
  return {
    name: resourceName(spec.name, spec.token),
    description: `${spec.name} (spot)`,
    machineType: `${zone}/machineTypes/${machineType}`,
    labels,
    tags: { items: ["spot-fleet", ...ports.map(portTag)] },
    scheduling: scheduling(spec),
    disks: [root, ...data],
    networkInterfaces: [
      {
        network: `projects/${project}/global/networks/${settings.network}`,
        accessConfigs: [{ name: "external-nat", type: "ONE_TO_ONE_NAT" }],
      },
    ],
    metadata: metadataOf(spec, settings.login),
    ...(accelerator === ""
      ? {}
      : { guestAccelerators: [{ acceleratorType: `${zone}/acceleratorTypes/${accelerator}`, acceleratorCount: count }] }),
    canIpForward: false,
    deletionProtection: false,
  };
}

/** The machine as it is when its insert was accepted; everything else is told by the next look at it. */
function accepted(spec: LaunchSpec): ProviderInstance {
  const { offer } = spec;
  return {
    providerId: `${offer.zone}/${resourceName(spec.name, spec.token)}`,
    name: spec.name,
    token: spec.token,
    state: "provisioning",
    rawState: "PROVISIONING",
    region: offer.region,
    zone: offer.zone,
    type: offer.type,
    gpu: offer.gpu,
    billing: offer.billing,
    price: offer.price,
    pricedAt: offer.observedAt,
    createdAt: null,
    protectedUntil: null,
    notice: null,
    reach: null,
    volumeIds: spec.volumes.map(({ providerVolumeId }) => providerVolumeId),
    reason: null,
    endedBy: null,
    canHibernate: false,
    dataKeptUntil: null,
    endpoints: [],
    rootVolumeId: null,
  };
}

/**
 * Sends the insert, once. The notice of 120 s is a preview on the beta path: a project that may not have it answers 400, which
 * did nothing, and then the machine is asked for without it.
 */
async function insert(
  api: Api,
  spec: LaunchSpec,
  body: ReturnType<typeof insertBody>,
  notice: LongNotice,
  context: CallContext,
): Promise<Operation> {
  const request = {
    method: "POST",
    path: `zones/${spec.offer.zone}/instances`,
    query: { requestId: requestId("launch", spec.token) },
  } as const;
  if (!notice.isPromised() || spec.offer.billing !== "spot") return api.change({ ...request, body }, context);
  const noticed = { ...body, scheduling: { ...body.scheduling, preemptionNoticeDuration: { seconds: String(NOTICE_S) } } };
  try {
    return await api.change({ ...request, version: "beta", body: noticed }, context);
  } catch (error) {
    if (!isFault(error, "invalid-request", "unsupported", "not-found")) throw error;
    const operation = await api.change({ ...request, body }, context);
    await notice.noteRefusal();
    return operation;
  }
}

/**
 * Waits a moment for a stock-out that comes early, so that the next offer is tried at once. What comes later is told by `get`.
 * @throws ProviderError what the failure means, when nothing is left of the launch.
 */
async function watched(api: Api, machines: Machines, spec: LaunchSpec, begun: Operation, context: CallContext): Promise<ProviderInstance> {
  const instance = accepted(spec);
  const { zone } = spec.offer;
  const name = lastOf(instance.providerId);
  // From STAGING on it has its hardware.
  const hasHardware = async () => {
    const look = await machines.look(zone, name, context);
    return look.kind === "here" && look.vm.status !== "PROVISIONING";
  };
  const operation = await awaited(api, `zones/${zone}`, begun, EARLY_MS, context, hasHardware);
  const errors = errorsOf(operation);
  if (errors.length === 0) return instance;
  const fault = operationFault(errors, `${spec.offer.type} in ${zone}`);
  const left = await machines.look(zone, name, context).catch((error: unknown) => {
    // A stock-out leaves nothing; of any other failure nobody has seen that.
    if (fault.fault.kind === "no-capacity") return undefined;
    throw new ProviderError(
      PROVIDER,
      { kind: "ambiguous" },
      `${fault.message}; whether something is left of it is not known`,
      fault.rawCode,
      error,
    );
  });
  // Preempted while it was being made: what is left of it costs, and is told and cleared like any other.
  if (left?.kind === "here") return instance;
  if (!isCutShort(fault.rawCode)) throw fault;
  throw new ProviderError(PROVIDER, { kind: "no-capacity", scope: "offer" }, fault.message, fault.rawCode, fault);
}

/** Prepares what a machine needs, and orders it once. */
export async function launchInstance(
  api: Api,
  machines: Machines,
  notice: LongNotice,
  spec: LaunchSpec,
  context: CallContext,
): Promise<ProviderInstance> {
  requireAllowed(spec);
  const project = await api.project(context);
  const body = insertBody(api, spec, project);
  await preparing(async () => {
    for (const { providerVolumeId } of spec.volumes) await diskToAttach(api, providerVolumeId, spec.offer.zone, context);
    await openPorts(
      api,
      spec.ports.map(({ port }) => port),
      spec.token,
      context,
    );
  });
  try {
    const instance = await watched(api, machines, spec, await insert(api, spec, body, notice, context), context);
    machines.remember(instance);
    return instance;
  } catch (error) {
    if (!isFault(error, "conflict")) throw error;
    // The name carries our token: a machine that has it already is this one.
    const name = resourceName(spec.name, spec.token);
    const look = await preparing(() => machines.look(spec.offer.zone, name, context));
    if (look.kind !== "here" || tokenIn(look.vm.labels) !== spec.token) throw error;
    machines.remember(accepted(spec));
    return accepted(spec);
  }
}
