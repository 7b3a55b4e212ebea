import { inspect } from "node:util";
import { expect } from "vitest";
import { fakeServer } from "../clouds/fake-server.ts";
import type { Row } from "./wire.ts";
import { alive, answer, changes, everything, faultOf, fresh, reads, shows, struck } from "./wire-bench.ts";

export const secretRows = {
  "echoed credential": {
    title: "a server that says our credential back is not believed aloud",
    async run(wired) {
      const { credential } = wired.wire;
      const all = await changes(wired);
      const said = `the key ${credential} (Bearer ${credential}) is not good`;
      for (const status of [400, 401, 404, 409, 422, 429, 500, 200])
        for (const body of [{ error: { code: credential, message: said }, code: credential, message: said, reason: said }, said])
          await struck(wired, answer(status, body), everything, async () => {
            for (const [name, send] of reads(wired, "no-such-instance"))
              if (name !== "get" && (status < 500 || name === "list")) await faultOf(wired, send(), `${name} under ${status}`);
            for (const { name, send } of all) if (name === "launch") await faultOf(wired, send(), `${name} under ${status}`);
          });
    },
  },
  "credential in a name": {
    title: "a machine that is named after our credential does not show it",
    async run(wired) {
      const { provider, context, spec, wire } = wired;
      const token = fresh();
      const launched = await provider.launch(spec(token, { name: `x-${wire.credential}` }), context);
      const seen = [await provider.list(context), await provider.get(launched.providerId, context)];
      expect(shows(inspect(seen, { depth: 8 }), wire.credential)).toBe(false);
      expect(seen[0]).toMatchObject([{ token }]);
    },
  },
  redirects: {
    title: "a redirect is not followed: neither the question nor the credential reaches the other host",
    async run(wired) {
      const other = await fakeServer({ handle: () => ({ status: 200, body: {} }) });
      try {
        const all = await changes(wired);
        const [machine] = await alive(wired);
        for (const status of [301, 302, 307, 308]) {
          const what = answer(status, "", { location: `${other.url}/elsewhere` });
          await struck(wired, what, everything, async () => {
            for (const [name, send] of [
              ...reads(wired, machine?.providerId ?? ""),
              ...all.map((change) => [change.name, change.send] as const),
            ]) {
              const error = await faultOf(wired, send(), `${name} under ${status}`);
              expect(error.fault.kind, `${name} under ${status}`).not.toBe("unavailable");
              expect(error.message).toMatch(/redirect|HTTP 30\d/);
            }
          });
        }
        expect(other.requests).toEqual([]);
      } finally {
        await other.close();
      }
    },
  },
} satisfies Readonly<Record<string, Row>>;
