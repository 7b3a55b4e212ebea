import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../../src/platform/clock.ts";
import type { FakeRequest, FakeServer } from "../fake-server.ts";
import { fakeServer } from "../fake-server.ts";
import type { MachineRoom } from "../machine-room.ts";
import { api } from "./api.ts";
import { populated } from "./crowd.ts";
import type { Discovery } from "./discovery.ts";
import { type Credentials, writeCredentials } from "./key-file.ts";
import { release } from "./lifecycle.ts";
import { oauth } from "./oauth.ts";
import { guestTerminate, hostError, preempt } from "./preemption.ts";
import { settler } from "./room.ts";
import { type Disk, PROJECT, type Site, type Snapshot, site as siteOf, usersByDisk, type Vm, vmKey } from "./site.ts";
import { setStock } from "./stock.ts";
import { DEFAULT_DELAYS, DEFAULT_SWITCHES, type Delays, type Switches } from "./switches.ts";

export interface FakeGcpOptions {
  readonly clock: Clock;
  /** Where its machines really run; without it they exist on paper. */
  readonly machines?: MachineRoom;
  readonly delays?: Partial<Delays>;
  readonly switches?: Partial<Switches>;
  /** Where the files with credentials are written; a folder of its own, removed by `close`, unless told. */
  readonly folder?: string;
  /** Google's document: every exchange is checked with it, see `complaints`. */
  readonly document?: Discovery;
}

/** Something that costs money. */
export interface Rented {
  /** `zone/name`, or `global/name` of a snapshot. */
  readonly providerId: string;
  readonly name: string;
  /** The label `spot-fleet-token`. */
  readonly token: string | null;
  readonly status: string;
}

export interface FakeGcp {
  /** `http://127.0.0.1:PORT`; `/compute/v1/…`, `/compute/beta/…`, `/v1/services/…` and `/token` are below it. */
  readonly url: string;
  readonly server: FakeServer;
  /** What points `spot` at it, the credentials included. */
  readonly env: Readonly<Record<string, string>>;
  /** The same for a user's credentials instead of a service account's. */
  readonly userEnv: Readonly<Record<string, string>>;
  readonly project: string;
  readonly site: Site;
  /** To be turned while it runs. */
  readonly switches: Switches;
  /** The token that the first exchange gives, and every one until it has expired. */
  readonly credential: string;
  /** What must be found in no output, error or log. */
  secrets(): readonly string[];
  /** A token for requests by hand. */
  accessToken(): string;
  /** Every token that was given is refused from now on. */
  revokeTokens(): void;
  /** What the discovery document says against the exchanges so far. */
  readonly complaints: readonly string[];
  /** Does everything that is due by now, in the books and in the machine room. */
  settle(): Promise<void>;
  /** Machines, stopped ones included: their disks cost. */
  living(): readonly Rented[];
  /** Disks, without the boot disks of machines that are there. */
  volumes(): readonly (Rented & { readonly sizeGb: number; readonly attachedTo: string | null })[];
  snapshots(): readonly Rented[];
  /** Takes a Spot VM back, after the notice that it asked for or this one. */
  reclaim(providerId: string, noticeSeconds?: number): Promise<void>;
  /** The guest shuts itself down. */
  shutDown(providerId: string): Promise<void>;
  hostError(providerId: string): Promise<void>;
  /** Of a machine type, or of a kind of GPU beside N1; in every zone unless one is named. */
  setStock(what: string, count: number, zone?: string): void;
  /** A metric of a region, or of every region, or a global one. */
  setQuota(metric: string, limit: number, region?: string): void;
  /** Lets go what `holdAt` holds. */
  release(): void;
  /** What a machine, a disk or a snapshot cost until now, in dollars. */
  cost(providerId: string): number;
  vm(providerId: string): Vm;
  disk(providerId: string): Disk;
  /** So many Spot VMs that run, all over the zones, without a request for each; their ids. */
  populate(count: number, nameOf: (number: number) => { readonly name: string; readonly token: string | null }): Promise<readonly string[]>;
  close(): Promise<void>;
}

const tokenLabel = ({ labels }: { readonly labels: Readonly<Record<string, string>> }) => labels["spot-fleet-token"] ?? null;

function rented(kind: Vm | Disk | Snapshot, place: string): Rented {
  return { providerId: `${place}/${kind.name}`, name: kind.name, token: tokenLabel(kind), status: kind.status };
}

function volumesOf(site: Site): ReturnType<FakeGcp["volumes"]> {
  const users = usersByDisk(site);
  return [...site.disks.values()].flatMap((disk) => {
    const [user] = users.get(vmKey(disk.zone, disk.name)) ?? [];
    const isBoot = user?.attachments.some(({ diskName, boot }) => boot && diskName === disk.name) === true;
    if (isBoot || disk.status === "DELETING") return [];
    return [{ ...rented(disk, disk.zone), sizeGb: disk.sizeGb, attachedTo: user === undefined ? null : vmKey(user.zone, user.name) }];
  });
}

/** Compute Engine, the billing catalogue and the token endpoint on loopback. Time passes by the clock that it is given alone. */
export async function fakeGcp(options: FakeGcpOptions): Promise<FakeGcp> {
  const { clock, machines, document } = options;
  const switches: Switches = { ...DEFAULT_SWITCHES, ...options.switches };
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), "spot-gcp-"));
  const closed = new AbortController();
  let server: FakeServer | undefined;
  let credentials: Credentials | undefined;
  const given = <Value>(value: Value | undefined): Value => {
    if (value === undefined) throw new Error("the fake has not begun");
    return value;
  };
  const site = siteOf(clock, { ...DEFAULT_DELAYS, ...options.delays }, switches, machines ?? null, () => given(server).url);
  const settle = settler(site, clock);
  const tokens = oauth(
    () => given(credentials),
    () => clock.now() + switches.skewMs,
    () => switches.tokenSeconds,
  );
  const complaints: string[] = [];
  const answer = api({ site, clock, tokens, settle, closed: closed.signal });
  server = await fakeServer({
    dateOffsetMs: () => clock.now() - Date.now() + switches.skewMs,
    async handle(request: FakeRequest) {
      const said = await answer(request);
      if (document !== undefined) complaints.push(...document.problems(request, said));
      return said;
    },
  });
  const { url } = server;
  credentials = writeCredentials(folder, `${url}/token`);
  const { serviceAccount, authorizedUser } = credentials;
  const credential = tokens.mint();
  const env = {
    SPOT_GCP_API_URL: url,
    GOOGLE_CLOUD_PROJECT: PROJECT,
    // In the machine room everybody is whoever runs the tests.
    ...(machines === undefined ? {} : { SPOT_GCP_SSH_USER: userInfo().username }),
  };
  const found = <Value>(value: Value | undefined, id: string): Value => {
    if (value === undefined) throw new Error(`the fake has no ${id}`);
    return value;
  };
  const vm = (id: string) => found(site.vms.get(id), id);
  const doTo = (what: (site: Site, vm: Vm) => void) => async (id: string) => {
    await settle();
    what(site, vm(id));
    await settle();
  };
  return {
    url,
    server,
    env: { ...env, GOOGLE_APPLICATION_CREDENTIALS: serviceAccount },
    userEnv: { ...env, GOOGLE_APPLICATION_CREDENTIALS: authorizedUser },
    project: PROJECT,
    site,
    switches,
    credential,
    secrets: () => [...given(credentials).secrets, ...tokens.given()],
    accessToken: () => tokens.mint(),
    revokeTokens: () => tokens.revoke(),
    complaints,
    settle,
    living() {
      site.catchUp();
      return [...site.vms.values()].filter(({ gone }) => !gone).map((one) => rented(one, one.zone));
    },
    volumes() {
      site.catchUp();
      return volumesOf(site);
    },
    snapshots() {
      site.catchUp();
      return [...site.snapshots.values()].filter(({ status }) => status !== "DELETING").map((one) => rented(one, "global"));
    },
    reclaim: (id, noticeSeconds) => doTo((_, one) => preempt(site, one, noticeSeconds))(id),
    shutDown: doTo(guestTerminate),
    hostError: doTo(hostError),
    setStock: (what, count, zone) => setStock(site, what, count, zone),
    setQuota: (metric, limit, region) => void site.quotas.set(region === undefined ? metric : `${region}/${metric}`, limit),
    release() {
      switches.holdAt = null;
      for (const one of site.vms.values()) release(site, one);
    },
    cost: (id) => site.ledger.cost(id, clock.now()),
    vm,
    disk: (id) => found(site.disks.get(id), id),
    async populate(count, nameOf) {
      const ids = Array.from({ length: count }, (_, number) => populated(site, number, nameOf(number)));
      await settle();
      return ids;
    },
    async close() {
      closed.abort();
      for (const one of site.vms.values()) one.gone = true;
      await settle().catch(() => undefined);
      await given(server).close();
      if (options.folder === undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
}
