import { systemClock } from "../../../src/platform/clock.ts";
import { novitaProvider, ppioProvider } from "../../../src/providers/ppio/provider.ts";
import { hurried } from "../../conformance/bench.ts";
import { providerConformance } from "../../conformance/suite.ts";
import { fakePpio, isOperation } from "./fake.ts";
import type { PpioSettings } from "./settings.ts";

const A_MINUTE_MS = 60_000;

/** The conformance suite on one of the two vendors that speak this API. */
export function ppioConformance(vendor: PpioSettings["vendor"]): void {
  providerConformance({
    name: vendor,
    hibernate: "park",
    volumes: true,
    notices: true,
    looksTwice: true,
    moreThanOnePage: 205,
    async make() {
      const fake = await fakePpio({ clock: systemClock, vendor });
      const make = vendor === "ppio" ? ppioProvider : novitaProvider;
      const provider = await make({ env: fake.env, home: "/nonexistent", clock: hurried });
      return {
        provider,
        close: () => fake.close(),
        controls: {
          async setStock(type, count) {
            fake.setStock(type, count);
          },
          async giveNotice(providerId, seconds) {
            fake.reclaim(providerId, seconds);
          },
          async loseAnswer(operation) {
            fake.server.disturb({ what: { do: "lose-answer" }, match: ({ path }) => isOperation(path, operation) });
          },
          async stallList() {
            fake.server.disturb({ what: { do: "stall", ms: A_MINUTE_MS }, match: ({ path }) => isOperation(path, "list") });
          },
          async holdProvisioning() {
            fake.set({ pullingMs: A_MINUTE_MS });
          },
        },
        wire: {
          server: fake.server,
          isChange: ({ method }) => method === "POST",
          credential: fake.credential,
          skewClock: (ms) => fake.skewClock(ms),
          useUnknownState: () => fake.set({ statusWord: "hovering" }),
        },
      };
    },
  });
}
