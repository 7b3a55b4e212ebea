import { existsSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../src/platform/clock.ts";
import { localWire } from "../conformance/local-wire.ts";
import { clientsOf, context, runningCloud } from "../local-cloud/running-cloud.ts";
import type { CloudOnTheWire, Tempo } from "./wire-world.ts";

/** The embedded cloud runs on the real clock: a life of seconds. */
export const LOCAL_TEMPO: Tempo = { sealMs: 20, mountMs: 0, noticeSeconds: 3, betweenMs: 2_400 };

/** A disk that many wait for makes seconds of its every commit; where there is one in memory its home is there. */
const SWIFT = "/dev/shm";

async function swiftCloud(clock: Clock) {
  if (!existsSync(SWIFT)) return runningCloud({ clock });
  return runningCloud({ clock, home: mkdtempSync(join(SWIFT, "spot-cloud-")) });
}

/** The embedded cloud itself, behind a wire that can be disturbed. */
export async function localCloudOnTheWire(clock: Clock): Promise<CloudOnTheWire> {
  const { home, provider: direct, control, close } = await swiftCloud(clock);
  const through = await localWire(home);
  let machines: readonly { readonly providerId: string; readonly name: string; readonly state: string }[] = [];
  let volumes: readonly { readonly providerId: string; readonly name: string }[] = [];
  const refresh = async () => {
    machines = (await direct.list(context)).filter(({ state }) => state !== "gone" && state !== "failed");
    volumes = (await direct.volumes?.list(context)) ?? [];
  };
  // Whoever comes in is let in as long as the cloud itself has the machine.
  let isLooking = false;
  const watching = setInterval(() => {
    // One look at a time: on a busy computer they would only get in each other's way.
    if (isLooking) return;
    isLooking = true;
    void refresh()
      .catch(() => undefined)
      .finally(() => {
        isLooking = false;
      });
  }, 50);
  return {
    provider: clientsOf(through.home, clock).provider,
    server: through.wire.server,
    living: () => machines,
    volumes: () => volumes,
    async charged() {
      const items = (await direct.billing?.billed(0, context)) ?? [];
      return items.filter(({ kind }) => kind === "gpu").reduce((sum, { from, to }) => sum + to - from, 0);
    },
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
