import type { Capabilities, Provider } from "../provider.ts";
import { gcpApi } from "./api.ts";
import { PROVIDER } from "./codes.ts";
import { destroyInstance } from "./destroy.ts";
import { launchInstance } from "./launch.ts";
import { leftoversOf } from "./leftovers.ts";
import { longNotice } from "./long-notice.ts";
import { machinesOf } from "./machines.ts";
import { marketOf } from "./market.ts";
import { allOffers } from "./offers.ts";
import type { GcpWorld } from "./settings.ts";
import { GCP_ASLEEP } from "./sleep.ts";
import { volumeOperations } from "./volumes.ts";

/** The preview that a project can ask for. */
const LONG_NOTICE_S = 120;

const CAPABILITIES: Omit<Capabilities, "noticeSeconds"> = {
  protectionSeconds: 0,
  // Suspend is not offered with GPUs.
  hibernate: "park",
  // A request id repeats the first operation; for how long, and after a stock-out, Google does not say.
  idempotentLaunch: false,
  pollMs: 3_000,
  // A machine is listed as soon as its insert is answered (gcloud lists it at once); this is for a request still on its way.
  listSettlesMs: 15_000,
  volumes: true,
  zonalVolumes: true,
  endsAtTtl: true,
  restartsReclaimed: false,
  listEvery: {
    ms: 15_000,
    why: "the API shows no notice at all, only that a machine has stopped, so listing faster saves no work; Google counts requests by project and minute (403 rateLimitExceeded, refilled at the next full minute), and four lists a minute, of one page up to 500 machines and of each page twice beyond, are far below that",
  },
  machine: { kind: "vm", notices: "gcp", endsItself: true, volumes: "device" },
  retainsAddress: false,
  keepsRoot: false,
  // Google sets the price, changes it now and then, and bills use by its list of that time.
  billsMarketPrice: true,
  freeIfReclaimedWithinMs: 60_000,
  stoppedBillsGpu: false,
  whyNoStop: "a stopped machine at Google goes on paying for its disks, and has to find capacity again to start",
  asleep: GCP_ASLEEP,
};

/** Google Compute Engine, Spot VMs. Facts and their sources: docs/providers/gcp.md. */
export async function gcpProvider(world: GcpWorld): Promise<Provider> {
  const api = gcpApi(world);
  const market = marketOf(api, world);
  const machines = machinesOf(api, market);
  const notice = await longNotice(world, api.settings);
  // By default the notice and the end come together; where a project may not have the longer one, that is so again.
  const noticeSeconds = () => (notice.isPromised() ? LONG_NOTICE_S : 0);
  return {
    id: PROVIDER,
    capabilities: {
      ...CAPABILITIES,
      get noticeSeconds() {
        return noticeSeconds();
      },
    },
    offers: (query, context) => allOffers(api, market, query, noticeSeconds(), context),
    launch: (spec, context) => launchInstance(api, machines, notice, spec, context),
    list: (context) => machines.list(context),
    get: (providerId, context) => machines.get(providerId, context),
    destroy: (providerId, context) => destroyInstance(api, machines, providerId, context),
    volumes: volumeOperations(api, market),
    credentials: {
      account: async (context) => ({ id: await api.project(context), name: null }),
      // A person's credentials, a service account's key, a machine's own: each gives a new token as long as it is there.
      expiry: async () => ({ expiresAt: null, renews: true, why: "Google credentials, whose tokens are renewed by themselves" }),
    },
    leftovers: leftoversOf(api),
  };
}
