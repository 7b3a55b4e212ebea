import { userInfo } from "node:os";
import type { Money } from "../../../src/model/money.ts";
import type { Clock } from "../../../src/platform/clock.ts";
import { type FakeAnswer, type FakeRequest, type FakeServer, fakeServer } from "../fake-server.ts";
import type { MachineRoom } from "../machine-room.ts";
import { actOnInstances } from "./actions.ts";
import { notFound, Refusal, refused } from "./answers.ts";
import { issueToken, requireLimits, requireToken } from "./auth.ts";
import { addTag, createInstance, getInstance, listInstances } from "./instances.ts";
import { createText, deleteText, deleteTexts, getText, listTexts } from "./keys-and-scripts.ts";
import { totalBill } from "./ledger.ts";
import { reclaim } from "./lifecycle.ts";
import { getAvailability, getBalance, listAvailability, listImages, listLocations, listTypes, listVolumeTypes } from "./market.ts";
import { settler } from "./room.ts";
import { type BillLine, type Call, type NamedText, seedStock, setAllStock, type VerdaState } from "./state.ts";
import { DEFAULT_DELAYS, DEFAULT_SWITCHES, type VerdaDelays, type VerdaSwitches } from "./switches.ts";
import { changeVolumes, createVolume, getVolume, listTrash, listVolumes, removeVolume } from "./volumes.ts";

export interface FakeVerdaOptions {
  readonly clock: Clock;
  /** Where machines that come to run are booted for real; without it there are none. */
  readonly machines?: MachineRoom;
  readonly switches?: Partial<VerdaSwitches>;
  readonly delays?: Partial<VerdaDelays>;
}

/** A machine that costs money. */
export interface LivingInstance {
  readonly providerId: string;
  readonly name: string;
  readonly token: string | null;
  readonly status: string;
}

/** A volume that costs money, or may. */
export interface LivingVolume {
  readonly providerId: string;
  readonly name: string;
  readonly token: string | null;
  readonly sizeGb: number;
  readonly attachedTo: string | null;
  readonly isRoot: boolean;
  readonly inTrash: boolean;
}

export interface FakeVerda {
  readonly url: string;
  readonly server: FakeServer;
  /** What points `spot` at it. */
  readonly env: Readonly<Record<string, string>>;
  /** May be changed at any time. */
  readonly switches: VerdaSwitches;
  /** Lets everything happen that is due by the clock. */
  settle(): Promise<void>;
  living(): readonly LivingInstance[];
  /** Every volume that is not deleted for good, those in the trash among them; but no root volume of a living machine. */
  volumes(): readonly LivingVolume[];
  scripts(): readonly NamedText[];
  sshKeys(): readonly NamedText[];
  bill(): readonly BillLine[];
  /** What all of it has cost by now. */
  total(): Money;
  /** This cloud gives no notice: it is gone at once. */
  reclaim(providerId: string, noticeSeconds?: number): Promise<void>;
  /** In every location, as spot and on demand. */
  setStock(type: string, count: number): void;
  /** Lets go what is held by `holdAt`, from now on. */
  release(): void;
  /** Every token that was issued is refused from now on. */
  revokeTokens(): void;
  close(): Promise<void>;
}

type Handler = (call: Call) => FakeAnswer;

const PREFIX = "/v1";
const ROUTES: readonly (readonly [method: string, path: RegExp, handler: Handler])[] = [
  ["GET", /^\/instances$/, listInstances],
  ["POST", /^\/instances$/, createInstance],
  ["PUT", /^\/instances$/, actOnInstances],
  ["GET", /^\/instances\/([^/]+)$/, getInstance],
  ["POST", /^\/instances\/([^/]+)\/tags$/, (call) => addTag(call.state.instances.get(call.rest[0] ?? ""), call)],
  ["POST", /^\/volumes\/([^/]+)\/tags$/, (call) => addTag(call.state.volumes.get(call.rest[0] ?? ""), call)],
  ["GET", /^\/volumes$/, listVolumes],
  ["POST", /^\/volumes$/, createVolume],
  ["PUT", /^\/volumes$/, changeVolumes],
  ["GET", /^\/volumes\/trash$/, listTrash],
  ["GET", /^\/volumes\/([^/]+)$/, getVolume],
  ["DELETE", /^\/volumes\/([^/]+)$/, removeVolume],
  ["GET", /^\/instance-availability$/, listAvailability],
  ["GET", /^\/instance-availability\/([^/]+)$/, getAvailability],
  ["GET", /^\/locations$/, listLocations],
  ["GET", /^\/images$/, listImages],
  ["GET", /^\/volume-types$/, listVolumeTypes],
  ["GET", /^\/balance$/, getBalance],
  ["GET", /^\/(ssh-keys|scripts)$/, listTexts],
  ["POST", /^\/(ssh-keys|scripts)$/, createText],
  ["DELETE", /^\/(ssh-keys|scripts)$/, deleteTexts],
  ["GET", /^\/(ssh-keys|scripts)\/([^/]+)$/, getText],
  ["DELETE", /^\/(ssh-keys|scripts)\/([^/]+)$/, deleteText],
];

function answer(state: VerdaState, request: FakeRequest): FakeAnswer {
  if (!request.path.startsWith(PREFIX)) throw notFound("Not found");
  const path = request.path.slice(PREFIX.length);
  requireLimits(state, request);
  if (request.method === "POST" && path === "/oauth2/token") return issueToken({ state, request, rest: [] });
  if (request.method === "GET" && path === "/instance-types") return listTypes({ state, request, rest: [] });
  requireToken(state, request);
  for (const [method, pattern, handler] of ROUTES) {
    const match = method === request.method ? pattern.exec(path) : null;
    if (match !== null) return handler({ state, request, rest: match.slice(1).map(decodeURIComponent) });
  }
  throw notFound("Not found");
}

function newState(options: FakeVerdaOptions): VerdaState {
  let made = 0;
  const state: VerdaState = {
    clock: options.clock,
    switches: { ...DEFAULT_SWITCHES, ...options.switches },
    delays: { ...DEFAULT_DELAYS, ...options.delays },
    clientId: "canary-verda-client-5b0c",
    clientSecret: "canary-verda-secret-9d41e7",
    instances: new Map(),
    volumes: new Map(),
    sshKeys: new Map(),
    scripts: new Map(),
    tokens: new Map(),
    stock: new Map(),
    bill: [],
    recent: new Map(),
    nextId: () => `0c41f1e5-4a7e-4b06-9c3d-${(++made).toString(16).padStart(12, "0")}`,
  };
  seedStock(state);
  return state;
}

const NO_COST = ["discontinued", "no_capacity"];
const tokenTag = (tags: readonly { readonly key: string; readonly value: string }[]) =>
  tags.find(({ key }) => key === "spot-token")?.value ?? null;

/** Verda as its documents describe it, on loopback. Time passes by `clock` alone, looked at with every request. */
export async function fakeVerda(options: FakeVerdaOptions): Promise<FakeVerda> {
  const state = newState(options);
  const { clock, machines } = options;
  const settle = settler(state, machines);
  const server = await fakeServer({
    dateOffsetMs: () => clock.now() - Date.now() + state.switches.skewMs,
    async handle(request) {
      await settle();
      try {
        return answer(state, request);
      } catch (error) {
        if (error instanceof Refusal) return refused(state, error);
        throw error;
      }
    },
  });
  return {
    url: `${server.url}${PREFIX}`,
    server,
    env: {
      VERDA_API_URL: `${server.url}${PREFIX}`,
      VERDA_CLIENT_ID: state.clientId,
      VERDA_CLIENT_SECRET: state.clientSecret,
      // In the machine room everybody is whoever runs the tests.
      ...(machines === undefined ? {} : { VERDA_SSH_USER: userInfo().username }),
    },
    switches: state.switches,
    settle,
    living: () =>
      [...state.instances.values()]
        .filter(({ status }) => !NO_COST.includes(status))
        .map(({ id, hostname, tags, status }) => ({
          providerId: id,
          name: hostname,
          token: tokenTag(tags),
          status,
        })),
    volumes: () =>
      [...state.volumes.values()]
        .filter(({ permanentlyDeleted, isOs, instanceId }) => !permanentlyDeleted && !(isOs && instanceId !== null))
        .map(({ id, name, tags, size, instanceId, isOs, deletedAt }) => ({
          providerId: id,
          name,
          token: tokenTag(tags),
          sizeGb: size,
          attachedTo: instanceId,
          isRoot: isOs,
          inTrash: deletedAt !== null,
        })),
    scripts: () => [...state.scripts.values()],
    sshKeys: () => [...state.sshKeys.values()],
    bill: () => state.bill,
    total: () => totalBill(state, state.clock.now()),
    async reclaim(providerId) {
      await settle();
      const instance = state.instances.get(providerId);
      if (instance?.isSpot !== true || NO_COST.includes(instance.status)) throw new Error(`${providerId} cannot be reclaimed`);
      reclaim(state, instance);
      await settle();
    },
    setStock: (type, count) => setAllStock(state, type, count),
    release() {
      state.switches.holdAt = null;
      for (const instance of state.instances.values()) {
        instance.held = null;
        instance.since = Math.max(instance.since, state.clock.now());
      }
    },
    revokeTokens: () => state.tokens.clear(),
    close: () => server.close(),
  };
}
