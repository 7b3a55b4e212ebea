import type { Clock } from "../../src/platform/clock.ts";
import { localWire } from "../conformance/local-wire.ts";
import { clientsOf, context, runningCloud } from "../local-cloud/running-cloud.ts";
import type { CloudOnTheWire, Tempo } from "./wire-world.ts";

/** The embedded cloud runs on the real clock: a life of seconds. */
export const LOCAL_TEMPO: Tempo = { sealMs: 20, mountMs: 0, noticeSeconds: 3, betweenMs: 2_400 };

/** The embedded cloud itself, behind a wire that can be disturbed. */
export async function localCloudOnTheWire(clock: Clock): Promise<CloudOnTheWire> {
  const { home, provider: direct, control, close } = await runningCloud({ clock });
  const through = await localWire(home);
  let machines: readonly { readonly providerId: string; readonly name: string; readonly state: string }[] = [];
  let volumes: readonly { readonly providerId: string; readonly name: string }[] = [];
  const refresh = async () => {
    machines = (await direct.list(context)).filter(({ state }) => state !== "gone" && state !== "failed");
    volumes = (await direct.volumes?.list(context)) ?? [];
  };
  // Whoever comes in is let in as long as the cloud itself has the machine.
  const watching = setInterval(() => void refresh().catch(() => undefined), 20);
  return {
    provider: clientsOf(through.home, clock).provider,
    server: through.wire.server,
    living: () => machines,
    volumes: () => volumes,
    refresh,
    async giveNotice(noticeSeconds) {
      await refresh();
      for (const { providerId, state } of machines)
        if (state === "running") await control.reclaim(providerId, { noticeSeconds, kind: "reclaim" }, context.signal);
      return true;
    },
    async takeBack() {
      await refresh();
      for (const { providerId } of machines) await control.withdraw(providerId, context.signal).catch(() => undefined);
    },
    async close() {
      clearInterval(watching);
      await through.close();
      await close();
    },
  };
}
