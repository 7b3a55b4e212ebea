import { systemClock } from "../../src/platform/clock.ts";
import { IMITATED_CLOUDS } from "./every-cloud.ts";
import { machineRoom, machineRoomAvailable } from "./machine-room.ts";

/** Serves an imitation of a cloud until it is interrupted, for trying `spot` by hand; see CONTRIBUTING. */
async function serve(name: string): Promise<void> {
  const machines = machineRoomAvailable() ? await machineRoom() : undefined;
  const options = { clock: systemClock, ...(machines === undefined ? {} : { machines }) };
  const make = IMITATED_CLOUDS[name];
  if (make === undefined) throw new Error(`one of ${Object.keys(IMITATED_CLOUDS).join(", ")}`);
  const served = await make(options);
  if (machines === undefined) process.stderr.write("no sshd here: machines exist on paper only\n");
  for (const [variable, value] of Object.entries(served.env)) process.stdout.write(`export ${variable}='${value}'\n`);
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => resolve());
  });
  await served.close();
  await machines?.close();
}

await serve(process.argv[2] ?? "");
