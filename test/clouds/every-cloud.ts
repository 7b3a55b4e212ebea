import type { Clock } from "../../src/platform/clock.ts";
import { fakeAlibaba } from "./alibaba/alibaba.ts";
import { fakeAws } from "./aws/aws.ts";
import { motoAvailable } from "./aws/moto.ts";
import type { FakeServer } from "./fake-server.ts";
import { fakeGcp } from "./gcp/fake.ts";
import { fakeHyperstack } from "./hyperstack/hyperstack.ts";
import type { MachineRoom } from "./machine-room.ts";
import { fakePpio } from "./ppio/fake.ts";
import { fakeVerda } from "./verda/verda.ts";

/** What every imitation of a cloud has. */
export interface ImitatedCloud {
  readonly server: FakeServer;
  /** The variables that point `spot` at it. */
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

export interface CloudOptions {
  readonly clock: Clock;
  readonly machines?: MachineRoom;
}

/** Every cloud but the embedded one, by its id as a provider. */
export const IMITATED_CLOUDS: Readonly<Record<string, (options: CloudOptions) => Promise<ImitatedCloud>>> = {
  ...(motoAvailable() ? { aws: fakeAws } : {}),
  gcp: fakeGcp,
  alibaba: fakeAlibaba,
  ppio: (options) => fakePpio({ ...options, vendor: "ppio" }),
  novita: (options) => fakePpio({ ...options, vendor: "novita" }),
  hyperstack: fakeHyperstack,
  verda: fakeVerda,
};
