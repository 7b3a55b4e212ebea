import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { awsProvider } from "../../src/providers/aws/provider.ts";
import { fakeAws } from "../clouds/aws/aws.ts";
import { motoAvailable } from "../clouds/aws/moto.ts";
import type { FakeRequest } from "../clouds/fake-server.ts";
import { hurried } from "./bench.ts";
import { providerConformance } from "./suite.ts";

const A_MINUTE_MS = 60_000;

const actionOf = ({ body }: FakeRequest) => /(?:^|&)Action=(\w+)/.exec(body)?.[1] ?? "";
const ACTIONS = { launch: "RunInstances", destroy: "TerminateInstances", "volume-create": "CreateVolume" };
/** Groups and keys are preparation, of which nothing is left to find or to pay; everything else has one path and one method. */
const CHANGES = [
  ...Object.values(ACTIONS),
  ...["AttachVolume", "DeleteVolume", "CancelSpotInstanceRequests", "CreateSnapshot", "DeleteSnapshot"],
];

if (!motoAvailable()) test.skip("aws as a provider", () => undefined);
else
  providerConformance({
    name: "aws",
    hibernate: "park",
    volumes: true,
    leftovers: ["key-pair", "security-group"],
    snapshots: true,
    notices: true,
    tellsStock: false,
    moreThanOnePage: 45,
    looksTwice: true,
    async make() {
      const home = mkdtempSync(join(tmpdir(), "spot-aws-"));
      const cloud = await fakeAws({ clock: systemClock, switches: { pageSize: 20, regions: ["us-east-1"] } });
      const provider = await awsProvider({ env: cloud.env, home, clock: hurried });
      return {
        provider,
        wire: {
          server: cloud.server,
          many: 45,
          isChange: (request) => CHANGES.includes(actionOf(request)),
          credential: cloud.env["AWS_SECRET_ACCESS_KEY"] ?? "",
          skewClock(ms) {
            cloud.switches.skewMs = ms;
          },
          useUnknownState() {
            cloud.switches.stateWord = "levitating";
          },
        },
        controls: {
          async setStock(type, count) {
            cloud.setStock(type, count);
          },
          // What is told is since when it is marked, so a notice of a minute would be one that was given a minute ago.
          giveNotice: (providerId, seconds) => cloud.reclaim(providerId, { noticeSeconds: seconds < 60 ? seconds : 120, tell: "status" }),
          async loseAnswer(operation) {
            cloud.server.disturb({ what: { do: "lose-answer" }, match: (request) => actionOf(request) === ACTIONS[operation] });
          },
          async stallList() {
            cloud.server.disturb({
              what: { do: "stall", ms: A_MINUTE_MS },
              match: (request) => actionOf(request) === "DescribeInstances",
              times: 10,
            });
          },
          async holdProvisioning() {
            cloud.switches.holdPending = true;
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
