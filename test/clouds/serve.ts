import { systemClock } from "../../src/platform/clock.ts";
import { fakeGcp } from "./gcp/fake.ts";
import { fakeHyperstack } from "./hyperstack/hyperstack.ts";
import { machineRoom, machineRoomAvailable } from "./machine-room.ts";
import { fakePpio } from "./ppio/fake.ts";
import { fakeVerda } from "./verda/verda.ts";

interface Served {
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** Serves an imitation of a cloud until it is interrupted, for trying `spot` by hand; see CONTRIBUTING. */
async function serve(name: string): Promise<void> {
  const machines = machineRoomAvailable() ? await machineRoom() : undefined;
  const options = { clock: systemClock, ...(machines === undefined ? {} : { machines }) };
  const makers: Readonly<Record<string, () => Promise<Served>>> = {
    ppio: () => fakePpio({ ...options, vendor: "ppio" }),
    novita: () => fakePpio({ ...options, vendor: "novita" }),
    gcp: () => fakeGcp(options),
    hyperstack: () => fakeHyperstack(options),
    verda: () => fakeVerda(options),
  };
  const make = makers[name];
  if (make === undefined) throw new Error(`one of ${Object.keys(makers).join(", ")}`);
  const served = await make();
  if (machines === undefined) process.stderr.write("no sshd here: machines exist on paper only\n");
  for (const [variable, value] of Object.entries(served.env)) process.stdout.write(`export ${variable}='${value}'\n`);
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => resolve());
  });
  await served.close();
  await machines?.close();
}

await serve(process.argv[2] ?? "");
