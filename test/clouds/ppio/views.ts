import { type Instance, reclaimSecond } from "./instances.ts";
import type { Market, Product } from "./market.ts";
import type { PpioSettings } from "./settings.ts";

type Json = Readonly<Record<string, unknown>>;

/** How far ahead of the truth every told time is, in milliseconds. */
interface Telling {
  readonly settings: PpioSettings;
  readonly market: Market;
  readonly now: number;
  readonly skewMs: number;
}

function seconds(at: number | null, { skewMs }: Telling): string {
  return at === null ? "0" : String(Math.floor((at + skewMs) / 1000));
}

function times(instance: Instance, telling: Telling): Json {
  return {
    createdAt: seconds(instance.createdAt, telling),
    lastStartedAt: seconds(instance.startedAt, telling),
    lastStoppedAt: seconds(instance.stoppedAt, telling),
  };
}

/** What the list and the details have in common. */
function common(instance: Instance, { settings, market }: Telling): Json {
  const { order } = instance;
  const { product, gpuNum } = order;
  return {
    id: instance.id,
    name: order.name,
    clusterId: order.clusterId,
    clusterName: market.clusters.find(({ id }) => id === order.clusterId)?.name ?? "",
    status: settings.statusWord ?? instance.status,
    imageUrl: order.imageUrl,
    imageAuthId: order.imageAuthId,
    command: order.command,
    entrypoint: order.entrypoint,
    cpuNum: String(product.cpuPerGpu * gpuNum),
    memory: String(product.memoryPerGpu * gpuNum),
    gpuNum: String(gpuNum),
    productId: product.id,
    productName: product.name,
    rootfsSize: order.rootfsSize,
    volumeMounts: order.storages.map(({ id, mountPoint }) => ({ type: "network", size: "10", id, mountPath: mountPoint })),
    statusError: instance.statusError ?? { state: "", message: "" },
    envs: order.envs,
    kind: "gpu",
    billingMode: order.billingMode,
    endTime: order.billingMode === "monthly" ? "1893456000" : "-1",
  };
}

/** The reclaim fields, which the details never have. */
function spotFields(instance: Instance, telling: Telling): Json {
  const { reclaim, order } = instance;
  if (order.billingMode !== "spot") return { spotStatus: "", spotReclaimTime: "0" };
  const at = reclaim === null ? "0" : seconds(reclaimSecond(reclaim.at) * 1000, telling);
  const word =
    reclaim === null || telling.now < reclaim.noticeAt
      ? "running"
      : reclaim.over === "terminated"
        ? "terminated"
        : telling.now < reclaimSecond(reclaim.at) * 1000
          ? "notified"
          : "reclaiming";
  return {
    spotStatus: telling.settings.spotStatusWord ?? word,
    // `terminated` alone must be enough for whoever reads it.
    spotReclaimTime: word === "running" || word === "terminated" ? "0" : at,
  };
}

export function listView(instance: Instance, telling: Telling): Json {
  return {
    ...common(instance, telling),
    portMappings: instance.order.ports,
    ...spotFields(instance, telling),
    ...(telling.settings.timesTold === "everywhere" ? times(instance, telling) : {}),
  };
}

export function detailsView(instance: Instance, telling: Telling): Json {
  const { order, machine, sshAt } = instance;
  const { settings, now } = telling;
  const isUp = instance.status === "running" && sshAt !== null && now >= sshAt;
  const host = `proxy.${order.clusterId}.gpu-instance.example`;
  const sshCommand = machine === null ? `ssh -p 51039 root@${host}` : `ssh -p ${machine.port} ${machine.user}@${machine.host}`;
  const address = machine === null ? host : machine.host;
  // The command is there before the component listens, the password is not.
  const password = isUp ? `pw-${instance.id}` : "";
  return {
    ...common(instance, telling),
    portMappings: order.ports.map(({ port, type }) => ({
      port,
      type,
      endpoint: !isUp
        ? ""
        : type === "http"
          ? `https://${instance.id}-${port}.${order.clusterId}.gpu-instance.example`
          : `${address}:${40_000 + port}`,
    })),
    network: { id: "", ip: "" },
    node: [{ maxRootfsSize: order.product.maxRootFS }],
    jobs: [],
    connectComponentSSH: settings.vendor === "ppio" ? { isRunning: isUp } : { sshCommand, password, isRunning: isUp },
    connectComponentWebTerminal: { address: "", username: "", password: "", isRunning: false },
    freeStorageSize: 60,
    keepDataDay: settings.keepDataDays,
    // The two vendors' pages differ here.
    ...(settings.vendor === "ppio" ? { sshCommand, password, useTime: "0", instancePrice: String(order.product.price) } : {}),
    ...(settings.timesTold === "nowhere" ? {} : times(instance, telling)),
  };
}

function regionText(id: string, market: Market, { regionsAs }: PpioSettings): string {
  const name = market.clusters.find((cluster) => cluster.id === id)?.name ?? id;
  return { ids: id, codes: name.split(" ")[0] ?? name, names: name, words: `somewhere near ${name.length}` }[regionsAs];
}

export function productView(
  product: Product,
  clusterId: string | null,
  gpuNum: number,
  { market, settings }: Pick<Telling, "market" | "settings">,
): Json {
  const clusters = market.clusters.filter(({ id }) => (clusterId === null ? market.in(id).includes(product) : id === clusterId));
  const free = Math.max(0, ...clusters.map(({ id }) => market.free(id, product.id)));
  return {
    id: product.id,
    name: product.name,
    cpuPerGpu: product.cpuPerGpu,
    memoryPerGpu: product.memoryPerGpu,
    diskPerGpu: product.diskPerGpu,
    availableDeploy: free >= Math.max(1, gpuNum),
    minRootFS: product.minRootFS,
    maxRootFS: product.maxRootFS,
    minLocalStorage: 0,
    maxLocalStorage: 0,
    regions: product.regions.map((id) => regionText(id, market, settings)),
    price: settings.pricesAs === "string" ? String(product.price) : product.price,
    monthlyPrice: product.monthlyPrice === 0 ? [] : [{ price: product.monthlyPrice, month: 1 }],
    billingMethods: ["onDemand", ...(product.monthlyPrice === 0 ? [] : ["monthly"]), ...(product.spotPrice === 0 ? [] : ["spot"])],
    spotPrice: String(product.spotPrice),
    inventoryState: free === 0 ? "none" : free < 8 ? "low" : "high",
  };
}
