import { hyperstackProvider } from "../../src/providers/hyperstack/provider.ts";
import { novitaProvider, ppioProvider } from "../../src/providers/ppio/provider.ts";
import { verdaProvider } from "../../src/providers/verda/provider.ts";
import { fakeHyperstack } from "../clouds/hyperstack/hyperstack.ts";
import { fakePpio } from "../clouds/ppio/fake.ts";
import { fakeVerda } from "../clouds/verda/verda.ts";
import type { VirtualClock } from "../simulation/virtual-clock.ts";
import type { CloudOnTheWire } from "./wire-world.ts";

type MakeCloud = (clock: VirtualClock) => Promise<CloudOnTheWire>;

function ppioCloud(vendor: "ppio" | "novita", reclaimedAs: "gone" | "terminated" | "exited"): MakeCloud {
  return async (clock) => {
    const fake = await fakePpio({ clock, vendor, reclaimedAs });
    const world = { env: fake.env, home: "/nowhere", clock };
    return {
      provider: await (vendor === "ppio" ? ppioProvider(world) : novitaProvider(world)),
      server: fake.server,
      living: fake.living,
      volumes: fake.volumes,
      async giveNotice(seconds) {
        for (const { providerId } of fake.living()) fake.reclaim(providerId, seconds);
        return true;
      },
      close: fake.close,
    };
  };
}

async function hyperstackCloud(clock: VirtualClock): Promise<CloudOnTheWire> {
  // Requests come as fast as they can here, and time stands still meanwhile.
  const fake = await fakeHyperstack({ clock, switches: { requestsPerMinute: 100_000 } });
  return {
    provider: await hyperstackProvider({ env: fake.env, home: "/nowhere", clock }),
    server: fake.server,
    living: fake.living,
    volumes: fake.volumes,
    giveNotice: async () => false,
    close: fake.close,
  };
}

async function verdaCloud(clock: VirtualClock): Promise<CloudOnTheWire> {
  const fake = await fakeVerda({ clock });
  return {
    provider: await verdaProvider({ env: fake.env, home: "/nowhere", clock }),
    server: fake.server,
    living: fake.living,
    volumes: fake.volumes,
    giveNotice: async () => false,
    close: fake.close,
  };
}

/** The clouds that are swept; where the documents disagree on what a reclaim leaves, more than one way. */
export const SWEPT_CLOUDS: Readonly<Record<string, MakeCloud>> = {
  ppio: ppioCloud("ppio", "gone"),
  novita: ppioCloud("novita", "exited"),
  hyperstack: hyperstackCloud,
  verda: verdaCloud,
};
