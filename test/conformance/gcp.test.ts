import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/platform/clock.ts";
import { partsOf } from "../../src/providers/gcp/machine-types.ts";
import { gcpProvider } from "../../src/providers/gcp/provider.ts";
import type { FakeRequest } from "../clouds/fake-server.ts";
import { fakeGcp } from "../clouds/gcp/fake.ts";
import { hurried } from "./bench.ts";
import { providerConformance } from "./suite.ts";

const A_MINUTE_MS = 60_000;

/** A token changes nothing, although it is asked for with POST. */
function isChange({ method, path }: FakeRequest): boolean {
  return method !== "GET" && path !== "/token";
}

const CHANGES = {
  launch: ({ method, path }: FakeRequest) => method === "POST" && path.endsWith("/instances"),
  destroy: ({ method, path }: FakeRequest) => method === "DELETE" && /\/instances\/[^/]+$/.test(path),
  "volume-create": ({ method, path }: FakeRequest) => method === "POST" && path.endsWith("/disks"),
};

providerConformance({
  name: "gcp",
  hibernate: "park",
  volumes: true,
  leftovers: ["firewall-rule"],
  snapshots: true,
  notices: false,
  // The API has no field for it: whether there is one, the launch says.
  tellsStock: false,
  looksTwice: true,
  moreThanOnePage: 45,
  async make() {
    const home = mkdtempSync(join(tmpdir(), "spot-gcp-"));
    const cloud = await fakeGcp({ clock: systemClock, switches: { largestPage: 20 } });
    const provider = await gcpProvider({ env: cloud.env, home, clock: hurried });
    return {
      provider,
      wire: {
        server: cloud.server,
        many: 45,
        isChange,
        credential: cloud.credential,
        skewClock(ms) {
          cloud.switches.skewMs = ms;
        },
        useUnknownState() {
          cloud.switches.shownStatus = "LEVITATING";
        },
      },
      controls: {
        async setStock(type, count) {
          const { machineType, accelerator } = partsOf(type);
          cloud.setStock(accelerator === "" ? machineType : accelerator, count);
        },
        giveNotice: (providerId, seconds) => cloud.reclaim(providerId, seconds),
        async loseAnswer(operation) {
          cloud.server.disturb({ what: { do: "lose-answer" }, match: CHANGES[operation] });
        },
        async stallList() {
          cloud.server.disturb({
            what: { do: "stall", ms: A_MINUTE_MS },
            match: ({ method, path }) => method === "GET" && path.endsWith("/aggregated/instances"),
            times: 10,
          });
        },
        async holdProvisioning() {
          // With its hardware, so that nobody waits for a stock-out.
          cloud.switches.holdAt = "staging";
        },
        async releaseProvisioning() {
          cloud.release();
        },
      },
      async close() {
        await cloud.close();
        rmSync(home, { recursive: true, force: true });
      },
    };
  },
});
