import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/platform/clock.ts";
import { alibabaProvider } from "../../src/providers/alibaba/provider.ts";
import { fakeAlibaba } from "../clouds/alibaba/alibaba.ts";
import { REGIONS } from "../clouds/alibaba/catalogue.ts";
import type { FakeRequest } from "../clouds/fake-server.ts";
import { hurried } from "./bench.ts";
import { providerConformance } from "./suite.ts";

const ACTIONS = { launch: "RunInstances", destroy: "DeleteInstances", "volume-create": "CreateDisk" } as const;
/** A key or a security group is preparation, of which nothing is left to find or to pay. */
const CHANGES = /^(RunInstances|DeleteInstances|CreateDisk|DeleteDisk|AttachDisk|CreateSnapshot|DeleteSnapshot)$/;
const A_MINUTE_MS = 60_000;

const actionOf = ({ headers }: FakeRequest) => headers["x-acs-action"] ?? "";

providerConformance({
  name: "alibaba",
  hibernate: "park",
  volumes: true,
  leftovers: ["key-pair", "security-group"],
  notices: true,
  snapshots: true,
  moreThanOnePage: 105,
  async make() {
    // It should not happen within the first hour, and nobody waits an hour here.
    const delays = { createMs: 2, bootMs: 2 };
    const fake = await fakeAlibaba({ clock: systemClock, delays, switches: { breaksProtection: true } });
    const home = mkdtempSync(join(tmpdir(), "spot-alibaba-"));
    const provider = await alibabaProvider({
      env: { ...fake.env, SPOT_ALIBABA_REGIONS: "cn-hangzhou,eu-central-1" },
      home,
      clock: hurried,
    });
    return {
      provider,
      async close() {
        await fake.close();
        rmSync(home, { recursive: true, force: true });
      },
      controls: {
        async setStock(type, count) {
          fake.setStock(type, count);
          if (count === 0) for (const zone of REGIONS.flatMap(({ zones }) => zones)) fake.closeStock(type, zone);
        },
        async giveNotice(providerId, seconds) {
          await fake.reclaim(providerId, seconds);
        },
        async loseAnswer(operation) {
          fake.server.disturb({ what: { do: "lose-answer" }, match: (request) => actionOf(request) === ACTIONS[operation] });
        },
        async stallList() {
          fake.server.disturb({
            what: { do: "stall", ms: A_MINUTE_MS },
            match: (request) => actionOf(request) === "DescribeInstances",
          });
        },
        async holdProvisioning() {
          fake.switches.holdProvisioning = true;
        },
        async releaseProvisioning() {
          fake.switches.holdProvisioning = false;
          for (const instance of fake.site.instances.values()) if (instance.status === "Pending") instance.status = "Running";
        },
      },
      wire: {
        server: fake.server,
        isChange: (request) => CHANGES.test(actionOf(request)),
        credential: fake.env["ALIBABA_CLOUD_ACCESS_KEY_SECRET"] ?? "",
        skewClock(ms) {
          fake.switches.clockAheadMs = ms;
        },
        useUnknownState() {
          fake.switches.shownStatus = "Levitating";
        },
      },
    };
  },
});
