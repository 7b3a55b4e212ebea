import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/platform/clock.ts";
import { hyperstackProvider } from "../../src/providers/hyperstack/provider.ts";
import type { FakeRequest } from "../clouds/fake-server.ts";
import { fakeHyperstack } from "../clouds/hyperstack/hyperstack.ts";
import { hurried } from "./bench.ts";
import { providerConformance } from "./suite.ts";

const MACHINES = "/v1/core/virtual-machines";
const A_MINUTE_MS = 60_000;

/** The lifecycle actions of this cloud are GET. */
function isChange({ method, path }: FakeRequest): boolean {
  return method !== "GET" || /\/(?:start|stop|hard-reboot|hibernate|hibernate-restore)$/.test(path);
}

const CHANGES = {
  launch: ({ method, path }: FakeRequest) => method === "POST" && path === MACHINES,
  destroy: ({ method, path }: FakeRequest) => method === "DELETE" && path.startsWith(`${MACHINES}/`),
  "volume-create": ({ method, path }: FakeRequest) => method === "POST" && path === "/v1/core/volumes",
};

providerConformance({
  name: "hyperstack",
  hibernate: "native",
  volumes: true,
  leftovers: ["key-pair"],
  notices: false,
  looksTwice: true,
  moreThanOnePage: 45,
  async make() {
    const home = mkdtempSync(join(tmpdir(), "spot-hyperstack-"));
    const cloud = await fakeHyperstack({
      clock: systemClock,
      switches: { largestPage: 20 },
      // The suite takes a machine that runs for one that can be reached.
      delays: { addressMs: 0 },
    });
    const provider = await hyperstackProvider({ env: cloud.env, home, clock: hurried });
    return {
      provider,
      wire: {
        server: cloud.server,
        many: 45,
        isChange,
        credential: cloud.env["HYPERSTACK_API_KEY"] ?? "",
        skewClock(ms) {
          cloud.switches.clockAheadMs = ms;
        },
        useUnknownState() {
          cloud.switches.shownStatus = "QUIESCING";
        },
      },
      controls: {
        async setStock(type, count) {
          cloud.setStock(type, count);
        },
        giveNotice: (providerId) => cloud.reclaim(providerId),
        async loseAnswer(operation) {
          cloud.server.disturb({ what: { do: "lose-answer" }, match: CHANGES[operation] });
        },
        async stallList() {
          cloud.server.disturb({
            what: { do: "stall", ms: A_MINUTE_MS },
            match: ({ method, path }) => method === "GET" && path === MACHINES,
            times: 10,
          });
        },
        async holdProvisioning() {
          cloud.switches.holdProvisioning = true;
        },
      },
      async close() {
        await cloud.close();
        rmSync(home, { recursive: true, force: true });
      },
    };
  },
});
