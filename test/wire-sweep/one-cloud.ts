import { hyperstackProvider } from "../../src/providers/hyperstack/provider.ts";
import { novitaProvider } from "../../src/providers/ppio/provider.ts";
import type { Provider } from "../../src/providers/provider.ts";
import { verdaProvider } from "../../src/providers/verda/provider.ts";
import { fakeHyperstack } from "../clouds/hyperstack/hyperstack.ts";
import { fakePpio } from "../clouds/ppio/fake.ts";
import { fakeVerda } from "../clouds/verda/verda.ts";
import type { VirtualClock } from "../simulation/virtual-clock.ts";
import { type CloudOnTheWire, type WireWorld, wireWorld } from "./wire-world.ts";

type Faked = Pick<CloudOnTheWire, "server" | "living" | "volumes" | "close"> & { readonly env: object };
/** What is different about a provider, given the real one. */
type Alter = (provider: Provider) => Partial<Provider>;

/** A world on a fake cloud, with the fake itself in hand. */
async function worldOn<Fake extends Faked>(
  makeFake: (clock: VirtualClock) => Promise<Fake>,
  makeProvider: (world: { readonly env: Record<string, string>; readonly home: string; readonly clock: VirtualClock }) => Promise<Provider>,
  alter: Alter = () => ({}),
): Promise<{ readonly world: WireWorld; readonly cloud: Fake }> {
  let made: Fake | undefined;
  const world = await wireWorld(async (clock) => {
    const fake = await makeFake(clock);
    made = fake;
    const provider = await makeProvider({ env: { ...fake.env }, home: "/nowhere", clock });
    return {
      provider: { ...provider, ...alter(provider) },
      server: fake.server,
      living: () => fake.living(),
      volumes: () => fake.volumes(),
      giveNotice: async () => false,
      close: () => fake.close(),
    };
  });
  if (made === undefined) throw new Error("no cloud");
  return { world, cloud: made };
}

type Switches = Parameters<typeof fakeHyperstack>[0]["switches"];

export const onHyperstack = (switches: Switches = {}, alter?: Alter) =>
  worldOn((clock) => fakeHyperstack({ clock, switches: { requestsPerMinute: 100_000, ...switches } }), hyperstackProvider, alter);
export const onNovita = (alter?: Alter) => worldOn((clock) => fakePpio({ clock, vendor: "novita" }), novitaProvider, alter);
export const onVerda = (alter?: Alter) => worldOn((clock) => fakeVerda({ clock }), verdaProvider, alter);

/** What somebody does at Novita's own console. */
export async function stopAtNovita(cloud: { readonly url: string; readonly credential: string }, instanceId: string | null): Promise<void> {
  const stop = await fetch(`${cloud.url}/gpu-instance/openapi/v1/gpu/instance/stop`, {
    method: "POST",
    headers: { authorization: `Bearer ${cloud.credential}`, "content-type": "application/json" },
    body: JSON.stringify({ instanceId }),
  });
  if (stop.status !== 200) throw new Error(`it was not stopped: ${stop.status}`);
}
