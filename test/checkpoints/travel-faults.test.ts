import { expect, test } from "vitest";
import { motoAvailable } from "../clouds/aws/moto.ts";
import { faultProxy } from "../clouds/s3/fault-proxy.ts";
import { motoS3, s3rverS3 } from "../clouds/s3/servers.ts";
import { temporaryFolder } from "../world.ts";
import { sealSample } from "./sealing.ts";
import { FAULTY_FILES, FAULTY_ID, strikeEach, type Tally } from "./travel-faults.ts";

// All of them, on both servers and in every order: test/sweep/copy.spec.ts.
test.for([
  { name: "moto", make: motoS3, has: motoAvailable(), fault: "lost-answer" },
  { name: "s3rver", make: s3rverS3, has: true, fault: "corrupt-request" },
] as const)("nothing at $name is listed that does not verify, when requests suffer $fault", async ({ make, has, fault }, context) => {
  if (!has) context.skip();
  const folder = sealSample(temporaryFolder(), { id: FAULTY_ID, files: FAULTY_FILES });
  const tally: Tally = { points: 0, again: 0, through: 0, damage: [] };
  await strikeEach(make, faultProxy, folder, temporaryFolder(), tally, { stride: 4, faults: [fault], readBack: true });
  expect(tally.damage).toEqual([]);
  expect(tally.points).toBeGreaterThan(5);
});
