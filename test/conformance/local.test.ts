import { clientsOf, context, runningCloud } from "../local-cloud/running-cloud.ts";
import { localWire } from "./local-wire.ts";
import { providerConformance } from "./suite.ts";

const A_MINUTE_MS = 60_000;

providerConformance({
  name: "local",
  hibernate: "native",
  volumes: true,
  notices: true,
  moreThanOnePage: 205,
  wireExempt: {
    "reads one 5xx": "nothing stands between a process and its own cloud that could break down for a moment",
    "429 with a date": "the cloud says seconds",
    "refused credentials": "a socket that only its user may open knows no credentials",
    "echoed credential": "there is no credential",
    "credential in a name": "there is no credential",
    "clock ahead": "the cloud is a process under the same clock",
    "clock behind": "the cloud is a process under the same clock",
  },
  async make() {
    const { home, control, close } = await runningCloud();
    const { signal } = context;
    const through = await localWire(home);
    return {
      provider: clientsOf(through.home).provider,
      // All of them are one page.
      wire: { ...through.wire, many: 30 },
      async close() {
        await through.close();
        await close();
      },
      controls: {
        async setStock(type, count) {
          const { stock } = await control.market(signal);
          await control.setMarket({ stock: { ...stock, [type]: count } }, signal);
        },
        async giveNotice(providerId, noticeSeconds) {
          await control.reclaim(providerId, { noticeSeconds, kind: "reclaim" }, signal);
        },
        async loseAnswer(on) {
          await control.addChaos({ on, effect: "lose-answer" }, signal);
        },
        async stallList() {
          await control.addChaos({ on: "list", effect: "delay", ms: A_MINUTE_MS }, signal);
        },
        async holdProvisioning() {
          await control.setMarket({ provisioningMs: A_MINUTE_MS }, signal);
        },
      },
    };
  },
});
