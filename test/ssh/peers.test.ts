import { describe, expect, it } from "vitest";
import { runAgentVerb } from "../../src/guest/run-verb.ts";
import { ensureSshKey } from "../../src/platform/ssh-key.ts";
import { machineRoomAvailable } from "../clouds/machine-room.ts";
import { access, agentMachine, never } from "./reached-machine.ts";

describe.skipIf(!machineRoomAvailable())("two computers that share a state", () => {
  it("both come into a machine that one of them has made; a third one does not", async () => {
    const [ours, theirs, stranger] = [access(), access(), access()];
    const bare = (line: string) => line.split(" ").slice(0, 2).join(" ");
    const [ourKey, theirKey] = [await ensureSshKey(ours, never()), await ensureSshKey(theirs, never())];
    const { reach } = await agentMachine(ours, { peers: { ourKey, keys: [bare(theirKey)] } });
    const status = (ssh: typeof ours) => runAgentVerb(reach, ["status"], { ssh, signal: never() });
    expect((await status(theirs)).stdout).toContain('"phase":"running"');
    await ensureSshKey(stranger, never());
    await expect(status(stranger)).rejects.toThrow();
  });
});
