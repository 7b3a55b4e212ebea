import { tmpdir } from "node:os";
import { systemClock } from "../../src/platform/clock.ts";
import { verdaProvider } from "../../src/providers/verda/provider.ts";
import { fakeVerda } from "../clouds/verda/verda.ts";
import { hurried } from "./bench.ts";
import { providerConformance } from "./suite.ts";

const PATHS = { launch: ["POST", "/v1/instances"], destroy: ["PUT", "/v1/instances"], "volume-create": ["POST", "/v1/volumes"] } as const;
/** A token changes nothing; a script or a key is preparation, of which nothing is left to find or to pay. */
const NO_CHANGE = /\/(oauth2\/token|scripts|ssh-keys)(\/|$)/;
const A_MINUTE_MS = 60_000;

providerConformance({
  name: "verda",
  hibernate: "park",
  volumes: true,
  leftovers: ["startup-script"],
  notices: false,
  // One page holds them all.
  moreThanOnePage: 205,
  looksTwice: true,
  async make() {
    const fake = await fakeVerda({ clock: systemClock });
    const provider = await verdaProvider({ env: fake.env, home: tmpdir(), clock: hurried });
    return {
      provider,
      close: () => fake.close(),
      controls: {
        async setStock(type, count) {
          fake.setStock(type, count);
        },
        async giveNotice(providerId) {
          await fake.reclaim(providerId);
        },
        async loseAnswer(operation) {
          const [method, path] = PATHS[operation];
          fake.server.disturb({ what: { do: "lose-answer" }, match: (request) => request.method === method && request.path === path });
        },
        async stallList() {
          fake.server.disturb({
            what: { do: "stall", ms: A_MINUTE_MS },
            match: ({ method, path }) => method === "GET" && path === "/v1/instances",
          });
        },
        async holdProvisioning() {
          // Where it cannot be deleted.
          fake.switches.holdAt = "provisioning";
        },
        async releaseProvisioning() {
          fake.release();
        },
      },
      wire: {
        server: fake.server,
        isChange: ({ method, path }) => method !== "GET" && !NO_CHANGE.test(path),
        credential: fake.env["VERDA_CLIENT_SECRET"] ?? "",
        skewClock(ms) {
          fake.switches.skewMs = ms;
        },
        useUnknownState() {
          fake.switches.statusWord = "levitating";
        },
      },
    };
  },
});
