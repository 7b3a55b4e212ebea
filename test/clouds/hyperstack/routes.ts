import type { FakeAnswer, FakeRequest } from "../fake-server.ts";
import {
  attachmentJson,
  diskJson,
  environmentJson,
  flavorsJson,
  imagesJson,
  keypairJson,
  pricebookJson,
  snapshotJson,
  stocksJson,
  vmJson,
} from "./answers.ts";
import { REGIONS } from "./catalogue.ts";
import { attachDisks, createDisk, deleteDisk, detachDisks } from "./disks.ts";
import { ACTIONS, createVms, deleteVm } from "./machines.ts";
import { alreadyExists, badRequest, checkedBody, checkedName, notFound, Refusal } from "./refusal.ts";
import type { Site, Vm } from "./site.ts";

type Handler = (site: Site, request: FakeRequest, part: string) => unknown;

interface Route {
  readonly method: string;
  readonly path: RegExp;
  readonly status?: number;
  readonly handle: Handler;
}

const ok = (message: string, fields: object = {}) => ({ status: true, message, ...fields });

/** `page` counts from 1, `pageSize` is 10 unless told; what is larger than the cloud likes is cut silently. */
function paged<Row>(site: Site, request: FakeRequest, rows: readonly Row[], show: (row: Row) => unknown, says: "page" | "nothing"): object {
  const page = Number(request.query.get("page") ?? 1);
  const asked = Number(request.query.get("pageSize") ?? 10);
  if (!Number.isInteger(page) || page < 1 || !Number.isInteger(asked) || asked < 1)
    throw badRequest("page and pageSize must be positive integers.");
  const size = Math.min(asked, site.switches.largestPage);
  const shown = rows.slice((page - 1) * size, page * size);
  const { counts } = site.switches;
  const tells = says === "page" && counts !== "page-alone";
  return {
    count: counts === "all" ? rows.length : shown.length,
    page: tells ? page : null,
    page_size: tells ? size : null,
    rows: shown.map(show),
  };
}

function searched<Row extends { readonly name: string }>(request: FakeRequest, rows: readonly Row[]): readonly Row[] {
  const text = request.query.get("search");
  return text === null ? rows : rows.filter(({ name }) => name.includes(text));
}

function list<Row extends { readonly name: string }>(
  key: string,
  says: "page" | "nothing",
  rows: (site: Site) => readonly Row[],
  show: (site: Site, row: Row) => unknown,
): Handler {
  return (site, request) => {
    const { rows: shown, ...rest } = paged(site, request, searched(request, rows(site)), (row) => show(site, row), says) as {
      readonly rows: unknown;
    };
    return ok(`Getting ${key} successfully`, { [key]: shown, ...rest });
  };
}

const livingVms = (site: Site) => [...site.vms.values()].filter((vm) => !vm.gone);

function vmOf(site: Site, part: string): Vm {
  const vm = site.vms.get(Number(part));
  if (vm === undefined || vm.gone) throw notFound(`Virtual machine ${part} does not exist.`);
  if (vm.falseNotFound > 0) {
    vm.falseNotFound -= 1;
    throw notFound(`Virtual machine ${part} does not exist.`);
  }
  return vm;
}

function notSnapshotting(site: Site, vm: Vm, status: 400 | 409): Vm {
  if (site.snapshots.some(({ vmId, status: state }) => vmId === vm.id && state === "CREATING"))
    throw new Refusal(
      status,
      status === 409 ? "already_exist" : "bad_request",
      `VM ${vm.id} is currently being used to create a snapshot and no operation can be performed.`,
    );
  return vm;
}

function diskOf(site: Site, part: string) {
  const disk = site.disks.get(Number(part));
  if (disk === undefined) throw notFound(`Volume ${part} does not exist.`);
  return disk;
}

function createEnvironment(site: Site, request: FakeRequest): unknown {
  const body = checkedBody(request.json(), { name: "string", region: "string" }, ["name", "region"]);
  const name = checkedName(body["name"]);
  const region = REGIONS.find((one) => one === body["region"]);
  if (region === undefined) throw notFound(`Region ${body["region"]} does not exist.`);
  if (site.environments.some((one) => one.name === name)) throw alreadyExists(`Environment with name ${name} already exists.`);
  const environment = { id: site.nextId(), name, region, createdAt: site.time() };
  site.environments.push(environment);
  return ok("Environment created", { environment: environmentJson(site, environment) });
}

function createKeypair(site: Site, request: FakeRequest): unknown {
  const fields = { environment_name: "string", name: "string", public_key: "string" } as const;
  const body = checkedBody(request.json(), fields, ["environment_name", "name", "public_key"]);
  const name = checkedName(body["name"]);
  const environment = site.environments.find((one) => one.name === body["environment_name"]);
  if (environment === undefined) throw notFound(`Environment ${body["environment_name"]} does not exist.`);
  if (!/^(ssh|ecdsa)-[a-z0-9-]+ [A-Za-z0-9+/=]{16,}/.test(String(body["public_key"])))
    throw badRequest("public_key: Not a valid public key.");
  if (site.keypairs.some((one) => one.name === name && one.environment === environment))
    throw alreadyExists(`Keypair with name ${name} already exists.`);
  const keypair = { id: site.nextId(), name, environment, publicKey: String(body["public_key"]), createdAt: site.time() };
  site.keypairs.push(keypair);
  return ok("Keypair imported", { keypair: keypairJson(site, keypair) });
}

function createSnapshot(site: Site, request: FakeRequest, part: string): unknown {
  const body = checkedBody(request.json(), { name: "string", description: "string", labels: "string[]" }, ["name", "description"]);
  const vm = notSnapshotting(site, vmOf(site, part), 400);
  if (!["ACTIVE", "SHUTOFF"].includes(vm.status)) throw badRequest(`VM ${vm.id} must be in ACTIVE or SHUTOFF state.`);
  const before = vm.status;
  const snapshot = { id: site.nextId(), name: checkedName(body["name"]), vmId: vm.id, createdAt: site.time(), status: "CREATING" };
  site.snapshots.push(snapshot);
  vm.status = "SHUTOFF";
  site.later(vm, site.delays.snapshotMs, () => {
    snapshot.status = site.switches.snapshotDone;
    vm.status = before;
  });
  return ok("Snapshot is being created", { snapshot: snapshotJson(site, snapshot) });
}

function act(site: Site, request: FakeRequest, part: string): unknown {
  const [id = "", action = ""] = part.split("/");
  site.actions.push({ action, vmId: id, method: request.method, at: site.time() });
  const run = ACTIONS[action];
  if (run === undefined) throw notFound("The requested URL was not found on the server.");
  return ok(run(site, notSnapshotting(site, vmOf(site, id), 400), request.query));
}

const ACTION = "(start|stop|hard-reboot|hibernate|hibernate-restore)";
const vms = "/v1/core/virtual-machines";

const ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: /^\/v1\/core\/regions$/,
    handle: () => ok("Getting regions", { regions: REGIONS.map((name, id) => ({ id, name })) }),
  },
  { method: "GET", path: /^\/v1\/core\/flavors$/, handle: (site, request) => flavorsJson(site, request.query.get("region")) },
  { method: "GET", path: /^\/v1\/core\/stocks$/, handle: (site) => stocksJson(site) },
  { method: "GET", path: /^\/v1\/core\/images$/, handle: (_site, request) => imagesJson(request.query) },
  { method: "GET", path: /^\/v1\/pricebook$/, handle: () => pricebookJson() },
  { method: "GET", path: /^\/v1\/core\/environments$/, handle: list("environments", "page", (site) => site.environments, environmentJson) },
  { method: "POST", path: /^\/v1\/core\/environments$/, handle: createEnvironment },
  { method: "GET", path: /^\/v1\/core\/keypairs$/, handle: list("keypairs", "nothing", (site) => site.keypairs, keypairJson) },
  { method: "POST", path: /^\/v1\/core\/keypairs$/, handle: createKeypair },
  {
    method: "DELETE",
    // In the singular, as it is documented.
    path: /^\/v1\/core\/keypair\/(\d+)$/,
    handle(site, _request, id) {
      const at = site.keypairs.findIndex((one) => one.id === Number(id));
      if (at < 0) throw notFound(`Keypair ${id} does not exist.`);
      site.keypairs.splice(at, 1);
      return ok("Keypair deleted");
    },
  },
  { method: "GET", path: new RegExp(`^${vms}$`), handle: list("instances", "page", livingVms, vmJson) },
  {
    method: "POST",
    path: new RegExp(`^${vms}$`),
    handle: (site, request) =>
      ok("VM is scheduled for creation.", { instances: createVms(site, request.json()).map((vm) => vmJson(site, vm)) }),
  },
  {
    method: "GET",
    path: new RegExp(`^${vms}/name-availability/([^/]+)$`),
    handle: (site, _request, name) => ok("Checked", { available: livingVms(site).every((vm) => vm.name !== name) }),
  },
  {
    method: "GET",
    path: new RegExp(`^${vms}/(\\d+)$`),
    handle: (site, _, id) => ok("Getting a VM", { instance: vmJson(site, vmOf(site, id)) }),
  },
  {
    method: "DELETE",
    path: new RegExp(`^${vms}/(\\d+)$`),
    handle(site, _request, id) {
      const vm = notSnapshotting(site, vmOf(site, id), 409);
      deleteVm(site, vm);
      return ok(`VM ${vm.name} is scheduled for deletion.`);
    },
  },
  { method: "GET", path: new RegExp(`^${vms}/(\\d+/${ACTION})$`), handle: act },
  { method: "HEAD", path: new RegExp(`^${vms}/(\\d+/${ACTION})$`), handle: act },
  {
    method: "POST",
    path: new RegExp(`^${vms}/(\\d+)/attach-volumes$`),
    handle(site, request, id) {
      const made = attachDisks(site, notSnapshotting(site, vmOf(site, id), 400), request.json());
      return ok("Volumes are being attached", { volume_attachments: made.map((one) => attachmentJson(site, one)) });
    },
  },
  {
    method: "POST",
    path: new RegExp(`^${vms}/(\\d+)/detach-volumes$`),
    handle(site, request, id) {
      const ended = detachDisks(site, notSnapshotting(site, vmOf(site, id), 400), request.json());
      return ok("Volumes are being detached", { volume_attachments: ended.map((one) => attachmentJson(site, one)) });
    },
  },
  { method: "POST", path: new RegExp(`^${vms}/(\\d+)/snapshots$`), status: 201, handle: createSnapshot },
  { method: "GET", path: /^\/v1\/core\/snapshots$/, handle: list("snapshots", "page", (site) => site.snapshots, snapshotJson) },
  { method: "GET", path: /^\/v1\/core\/volumes$/, handle: list("volumes", "nothing", (site) => [...site.disks.values()], diskJson) },
  {
    method: "POST",
    path: /^\/v1\/core\/volumes$/,
    handle: (site, request) => ok("Volume is being created", { volume: diskJson(site, createDisk(site, request.json())) }),
  },
  {
    method: "GET",
    path: /^\/v1\/core\/volumes\/(\d+)$/,
    handle: (site, _, id) => ok("Getting a volume", { volume: diskJson(site, diskOf(site, id)) }),
  },
  {
    method: "DELETE",
    path: /^\/v1\/core\/volumes\/(\d+)$/,
    handle(site, _request, id) {
      deleteDisk(site, diskOf(site, id));
      return ok("Volume is scheduled for deletion.");
    },
  },
];

/** @throws Refusal for what the cloud does not have or does not do. */
export function answer(site: Site, request: FakeRequest): FakeAnswer {
  const here = ROUTES.filter(({ path }) => path.test(request.path));
  const route = here.find(({ method }) => method === request.method);
  if (route === undefined) {
    if (here.length === 0) throw notFound("The requested URL was not found on the server.");
    const allow = here[0]?.path.source.includes(ACTION) ? "GET, HEAD" : [...new Set(here.map(({ method }) => method))].join(", ");
    throw new Refusal(405, "not_allowed", "The method is not allowed for the requested URL.", { allow });
  }
  const part = decodeURIComponent(route.path.exec(request.path)?.[1] ?? "");
  return { status: route.status ?? 200, body: route.handle(site, request, part) };
}
