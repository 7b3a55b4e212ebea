import { context, runningCloud } from "../local-cloud/running-cloud.ts";
import { providerConformance } from "./suite.ts";

const A_MINUTE_MS = 60_000;

providerConformance({
  name: "local",
  hibernate: "native",
  volumes: true,
  notices: true,
  moreThanOnePage: 205,
  async make() {
    const { provider, control, close } = await runningCloud();
    const { signal } = context;
    return {
      provider,
      close,
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
