import { alibabaProvider } from "../../src/providers/alibaba/provider.ts";
import { awsProvider } from "../../src/providers/aws/provider.ts";
import { gcpProvider } from "../../src/providers/gcp/provider.ts";
import { hyperstackProvider } from "../../src/providers/hyperstack/provider.ts";
import { novitaProvider, ppioProvider } from "../../src/providers/ppio/provider.ts";
import { verdaProvider } from "../../src/providers/verda/provider.ts";
import { fakeAlibaba } from "../clouds/alibaba/alibaba.ts";
import { fakeAws } from "../clouds/aws/aws.ts";
import { motoAvailable } from "../clouds/aws/moto.ts";
import { type FakeGcp, fakeGcp } from "../clouds/gcp/fake.ts";
import { fakeHyperstack } from "../clouds/hyperstack/hyperstack.ts";
import { fakePpio } from "../clouds/ppio/fake.ts";
import { fakeVerda } from "../clouds/verda/verda.ts";
import type { VirtualClock } from "../simulation/virtual-clock.ts";
import type { CloudOnTheWire } from "./wire-world.ts";

type MakeCloud = (clock: VirtualClock) => Promise<CloudOnTheWire>;

interface Span {
  readonly from: number;
  readonly to: number | null;
}

/** Of the spans of a bill that are machines': how long all of them are by now, in milliseconds. */
const meter =
  <Line extends Span>(clock: VirtualClock, lines: () => readonly Line[], isMachine: (line: Line) => boolean) =>
  () =>
    lines()
      .filter(isMachine)
      .reduce((sum, { from, to }) => sum + (to ?? clock.now()) - from, 0);

function ppioCloud(vendor: "ppio" | "novita", reclaimedAs: "gone" | "terminated" | "exited"): MakeCloud {
  return async (clock) => {
    const fake = await fakePpio({ clock, vendor, reclaimedAs });
    const world = { env: fake.env, home: "/nowhere", clock };
    return {
      provider: await (vendor === "ppio" ? ppioProvider(world) : novitaProvider(world)),
      server: fake.server,
      living: fake.living,
      volumes: fake.volumes,
      // A container that is stopped bills its disk: it is not asleep.
      charged: meter(clock, fake.everyBill, () => true),
      async giveNotice(seconds) {
        for (const { providerId } of fake.living()) fake.reclaim(providerId, seconds);
        return true;
      },
      async takeBack() {
        for (const { providerId } of fake.living()) fake.withdraw(providerId);
      },
      close: fake.close,
    };
  };
}

interface Reclaiming {
  living(): readonly { readonly providerId: string }[];
  reclaim(providerId: string): Promise<void>;
}

/** Clouds that give no notice: in the life's place for one, nothing happens, or the machines are simply taken. */
const takeAll = (fake: Reclaiming, reclaims: boolean) => async () => {
  for (const { providerId } of reclaims ? fake.living() : []) await fake.reclaim(providerId);
  return reclaims;
};

/** `C` is no reclaim at all: the machine is denied once, and is there again. */
function hyperstackCloud(reclaimed: "A" | "B" | "C" | null): MakeCloud {
  return async (clock) => {
    // Requests come as fast as they can here, and time stands still meanwhile.
    const fake = await fakeHyperstack({ clock, switches: { requestsPerMinute: 100_000, reclaimVariant: reclaimed ?? "A" } });
    return {
      provider: await hyperstackProvider({ env: fake.env, home: "/nowhere", clock }),
      server: fake.server,
      living: fake.living,
      volumes: fake.volumes,
      charged: meter(
        clock,
        () => fake.site.ledger.charges,
        ({ kind }) => kind === "machine",
      ),
      giveNotice: takeAll(fake, reclaimed !== null),
      close: fake.close,
    };
  };
}

function verdaCloud(reclaims: boolean): MakeCloud {
  return async (clock) => {
    const fake = await fakeVerda({ clock });
    return {
      provider: await verdaProvider({ env: fake.env, home: "/nowhere", clock }),
      server: fake.server,
      living: fake.living,
      volumes: fake.volumes,
      charged: meter(clock, fake.bill, ({ kind }) => kind === "instance"),
      giveNotice: takeAll(fake, reclaims),
      close: fake.close,
    };
  };
}

/** No path at all: what is kept between two processes is kept in no file, and the virtual clock need not wait for a disk. */
const NO_DISK = "/nowhere\0";

/** One region: every other one would only be asked the same. Within its first hour nothing is taken back. */
function alibabaCloud(reclaims: boolean): MakeCloud {
  return async (clock) => {
    const fake = await fakeAlibaba({ clock, switches: { breaksProtection: true } });
    const env = { ...fake.env, SPOT_ALIBABA_REGIONS: "cn-hangzhou" };
    return {
      provider: await alibabaProvider({ env, home: NO_DISK, clock }),
      server: fake.server,
      isChange: ({ headers }) => !/^Describe/.test(headers["x-acs-action"] ?? ""),
      living: fake.living,
      volumes: fake.volumes,
      charged: meter(
        clock,
        () => fake.site.ledger.charges,
        ({ kind }) => kind === "instance",
      ),
      async giveNotice(seconds) {
        for (const { providerId } of reclaims ? fake.living() : []) await fake.reclaim(providerId, seconds);
        return reclaims;
      },
      async takeBack() {
        for (const { providerId } of fake.living()) {
          const instance = fake.instance(providerId);
          if (instance.lock !== "Recycling") continue;
          fake.site.schedule.cancel(instance);
          instance.lock = null;
          instance.terminationTime = null;
        }
      },
      close: fake.close,
    };
  };
}

/** One region, as above. Its reclaims are announced on the spot request. */
function awsCloud(reclaims: boolean): MakeCloud {
  return async (clock) => {
    const fake = await fakeAws({ clock, switches: { regions: ["us-east-1"] } });
    const { AWS_ENDPOINT_URL_PRICING: _, SPOT_AWS_ADVISOR_URL: __, ...env } = fake.env;
    return {
      provider: await awsProvider({ env: { ...env, SPOT_AWS_REGIONS: "us-east-1" }, home: NO_DISK, clock }),
      server: fake.server,
      isChange: ({ body }) => !/Action=(?:Describe|Get)/.test(body),
      living: fake.living,
      volumes: fake.volumes,
      charged: meter(clock, fake.bill, ({ kind }) => kind === "compute"),
      async giveNotice() {
        for (const { providerId, state } of reclaims ? fake.living() : [])
          if (state === "running") await fake.reclaim(providerId, { tell: "status" });
        return reclaims;
      },
      async takeBack() {
        for (const { providerId } of fake.living()) await fake.withdraw(providerId);
      },
      close: fake.close,
    };
  };
}

/** A reclaim leaves a stopped machine whose disk goes on costing. Its notices, where it gives any, are heard inside alone. */
function gcpCloud(reclaims: boolean, tellsInside = false): MakeCloud {
  return async (clock) => {
    const fake = await fakeGcp({ clock });
    // What happens on the disk is nothing that the virtual clock waits for: a library is read before, and nothing is kept.
    await import("../../src/providers/gcp/google-library.ts");
    return {
      provider: await gcpProvider({ env: fake.env, home: NO_DISK, clock }),
      server: fake.server,
      living: fake.living,
      volumes: fake.volumes,
      charged: meter(
        clock,
        () => fake.site.ledger.charges,
        ({ kind }) => kind === "machine",
      ),
      ...(tellsInside ? toldInside(fake) : { giveNotice: takeAll(fake, reclaims) }),
      close: fake.close,
    };
  };
}

function toldInside(fake: FakeGcp): Pick<CloudOnTheWire, "giveNotice" | "tellsInside" | "takeBack"> {
  return {
    tellsInside: true,
    async giveNotice(seconds) {
      for (const { providerId } of fake.living()) await fake.reclaim(providerId, seconds);
      return true;
    },
    async takeBack() {
      for (const { providerId, status } of fake.living()) {
        const vm = fake.vm(providerId);
        if (status !== "RUNNING" || !vm.isBeingPreempted) continue;
        fake.site.cancel(vm);
        vm.isBeingPreempted = false;
        vm.preempted = false;
      }
    },
  };
}

/** The clouds that are swept; where the documents disagree on what a reclaim leaves, more than one way. */
export const SWEPT_CLOUDS: Readonly<Record<string, MakeCloud>> = {
  ppio: ppioCloud("ppio", "gone"),
  novita: ppioCloud("novita", "exited"),
  hyperstack: hyperstackCloud(null),
  "hyperstack, reclaimed": hyperstackCloud("A"),
  "hyperstack, denied once": hyperstackCloud("C"),
  verda: verdaCloud(false),
  "verda, reclaimed": verdaCloud(true),
  alibaba: alibabaCloud(false),
  "alibaba, reclaimed": alibabaCloud(true),
  gcp: gcpCloud(false),
  "gcp, reclaimed": gcpCloud(true),
  ...(motoAvailable() ? { aws: awsCloud(false), "aws, reclaimed": awsCloud(true) } : {}),
};

/** One of each, with notices, or reclaims where there are none: for what is swept beside whole lives. */
export const EACH_CLOUD: Readonly<Record<string, MakeCloud>> = {
  ppio: ppioCloud("ppio", "gone"),
  novita: ppioCloud("novita", "exited"),
  hyperstack: hyperstackCloud("A"),
  verda: verdaCloud(true),
  alibaba: alibabaCloud(true),
  gcp: gcpCloud(true, true),
  ...(motoAvailable() ? { aws: awsCloud(true) } : {}),
};
