// Every cloud at once, with many machines of ours, in a process of its own; started by everywhere.mjs. Arguments: how many
// machines, over all clouds, and the home whose records know them.
import { join } from "node:path";
import { systemClock } from "../src/platform/clock.ts";
import { alibabaProvider } from "../src/providers/alibaba/provider.ts";
import { awsProvider } from "../src/providers/aws/provider.ts";
import { gcpProvider } from "../src/providers/gcp/provider.ts";
import { hyperstackProvider } from "../src/providers/hyperstack/provider.ts";
import { novitaProvider, ppioProvider } from "../src/providers/ppio/provider.ts";
import type { Provider, ProviderInstance } from "../src/providers/provider.ts";
import { verdaProvider } from "../src/providers/verda/provider.ts";
import { openState } from "../src/state/open.ts";
import { fakeAlibaba } from "../test/clouds/alibaba/alibaba.ts";
import { fakeAws } from "../test/clouds/aws/aws.ts";
import type { ImitatedCloud } from "../test/clouds/every-cloud.ts";
import { fakeGcp } from "../test/clouds/gcp/fake.ts";
import { fakeHyperstack } from "../test/clouds/hyperstack/hyperstack.ts";
import { fakePpio } from "../test/clouds/ppio/fake.ts";
import { fakeVerda } from "../test/clouds/verda/verda.ts";
import { sampleInstance, sampleSpec } from "../test/state/sample-records.ts";

const total = Number(process.argv[2] ?? "0");
const home = process.argv[3] ?? "";
const clock = systemClock;
const say = (message: unknown) => process.send?.(message);
const signal = new AbortController().signal;
const SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUm spot";
/** Launches under way at a time, per cloud. */
const AT_ONCE = 4;
const MANY = 1_000_000;

interface Stocked extends ImitatedCloud {
  setStock(type: string, count: number): void;
}

type Make = readonly [
  cloud: Stocked,
  provider: (world: { env: Readonly<Record<string, string>>; home: string; clock: typeof clock }) => Promise<Provider>,
];

const MAKERS: Readonly<Record<string, () => Promise<Make>>> = {
  aws: async () => [await fakeAws({ clock, switches: { spotVcpuQuota: MANY, pageSize: 1_000 } }), awsProvider],
  gcp: async () => {
    const cloud = await fakeGcp({ clock });
    // A card that is added to a machine has the stock, not the machine with it.
    const setStock = (type: string, count: number) => cloud.setStock(type.replace(/^.*\+\d+x/, ""), count);
    return [{ ...cloud, setStock }, gcpProvider];
  },
  alibaba: async () => [await fakeAlibaba({ clock, switches: { vcpuQuota: MANY } }), alibabaProvider],
  ppio: async () => [await fakePpio({ clock, vendor: "ppio" }), ppioProvider],
  novita: async () => [await fakePpio({ clock, vendor: "novita" }), novitaProvider],
  hyperstack: async () => [await fakeHyperstack({ clock, switches: { requestsPerMinute: Number.POSITIVE_INFINITY } }), hyperstackProvider],
  verda: async () => [await fakeVerda({ clock }), verdaProvider],
};

/** So many machines at one cloud, through its adapter, until all run. */
async function populate(name: string, cloud: Stocked, provider: Provider, count: number): Promise<readonly ProviderInstance[]> {
  const offers = await provider.offers({}, { signal });
  const offer = offers
    .filter(({ billing, stock }) => billing === "spot" && stock !== 0)
    .sort((a, b) => Number(a.price.micros - b.price.micros))[0];
  if (offer === undefined) throw new Error(`${name} offers nothing`);
  cloud.setStock(offer.type, MANY);
  let next = 0;
  const worker = async () => {
    for (let number = next++; number < count; number = next++) {
      const token = `t-${name}${number.toString(36).padStart(5, "0")}`.slice(0, 30);
      await provider.launch(
        {
          name: `${name}-${number}`,
          token,
          offer,
          maxPrice: offer.price,
          image: null,
          volumes: [],
          env: {},
          bootScript: "#!/bin/sh\n",
          sshKey: SSH_KEY,
          ports: [],
          registryAuth: null,
          rootVolumeId: null,
          ttlSeconds: null,
          labels: {},
        },
        { signal },
      );
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  for (;;) {
    const listed = (await provider.list({ signal })).filter(({ token }) => token !== null);
    if (listed.length === count && listed.every(({ state }) => state === "running")) return listed;
    await clock.sleep(200);
  }
}

const made = await Promise.all(Object.entries(MAKERS).map(async ([name, make]) => [name, ...(await make())] as const));
const state = await openState(join(home, "state.db"));
const env = Object.assign({}, ...made.map(([, cloud]) => cloud.env));
for (const [index, [name, cloud, open]] of made.entries()) {
  const count = Math.floor(((index + 1) * total) / made.length) - Math.floor((index * total) / made.length);
  const began = performance.now();
  const machines = await populate(name, cloud, await open({ env, home, clock }), count);
  say({ populated: name, machines: machines.length, seconds: (performance.now() - began) / 1000 });
  for (const machine of machines)
    await state.commit({
      addInstance: sampleInstance(machine.name, {
        id: `i-${machine.token}`,
        spec: sampleSpec(machine.name, { providers: [name], volume: null }),
        provider: name,
        providerId: machine.providerId,
        rawState: machine.rawState,
        createdAt: clock.now(),
        changedAt: clock.now(),
        readyAt: clock.now(),
        volumes: [],
      }),
    });
}
await state.close();
const counted = new Map(made.map(([name, { server }]) => [name, server.requests.length]));
process.on("message", () => {
  say({
    requests: Object.fromEntries(
      made.map(([name, { server }]) => {
        const before = counted.get(name) ?? 0;
        counted.set(name, server.requests.length);
        return [name, server.requests.length - before];
      }),
    ),
  });
});
say({ env });
