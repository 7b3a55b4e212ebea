import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { ProviderError } from "../../src/providers/errors.ts";
import { startupScript } from "../../src/providers/startup-script.ts";
import { context, SSH_KEY, verdaBench } from "./verda-bench.ts";

const HOUR_MS = 3_600_000;
const isCreate = ({ method, path }: { readonly method: string; readonly path: string }) => method === "POST" && path === "/v1/instances";
const isScript = ({ method, path }: { readonly method: string; readonly path: string }) => method === "POST" && path === "/v1/scripts";

describe("what a launch at Verda sends", () => {
  test("as spot: by both words, with our tags, our key, a startup script and a root disk that ends with a reclaim", async () => {
    const { provider, spec, bodies, fake } = await verdaBench();
    const { providerId } = await provider.launch(
      await spec("t-abc", { labels: { team: "vision", Upper: "no", "spot-token": "no" } }),
      context,
    );
    const [script] = fake.scripts();
    const [key] = fake.sshKeys();
    expect(bodies("POST", "/instances")).toEqual([
      {
        instance_type: "1A100.22V",
        image: "ubuntu-24.04-cuda-12.8-open-docker",
        hostname: "train-t-abc",
        description: "train (spot)",
        location_code: "FIN-01",
        ssh_key_ids: [key?.id],
        is_spot: true,
        contract: "SPOT",
        pricing: "FIXED_PRICE",
        startup_script_id: script?.id,
        os_volume: { name: "train-root-t-abc", size: 50, on_spot_discontinue: "delete_permanently" },
        existing_volumes: [],
        tags: [
          { key: "spot-token", value: "t-abc" },
          { key: "spot-name", value: "train" },
          { key: "team", value: "vision" },
        ],
      },
    ]);
    expect(script?.name).toBe("spot-train-t-abc");
    expect(key?.text).toBe(SSH_KEY);
    expect(fake.living()).toMatchObject([{ providerId, token: "t-abc" }]);
  });

  test("on demand: pay as you go, and nothing about reclaims", async () => {
    const { provider, spec, offer, bodies } = await verdaBench();
    await provider.launch(await spec("t-1", { offer: await offer("1A100.22V", { billing: "on-demand" }), image: "ubuntu-22.04" }), context);
    expect(bodies("POST", "/instances")).toMatchObject([
      { is_spot: false, contract: "PAY_AS_YOU_GO", image: "ubuntu-22.04", os_volume: { name: "train-root-t-1", size: 50 } },
    ]);
    expect(JSON.stringify(bodies("POST", "/instances"))).not.toContain("on_spot_discontinue");
  });

  test("a long name is cut and its token is not", async () => {
    const { provider, spec, bodies } = await verdaBench();
    const name = `a${"b".repeat(38)}c`;
    await provider.launch(await spec("t-0123456789abcdefghjk", { name: `${name}${name}` }), context);
    const [{ hostname } = { hostname: "" }] = bodies("POST", "/instances");
    expect(String(hostname)).toHaveLength(60);
    expect(hostname).toMatch(/-t-0123456789abcdefghjk$/);
    expect((await provider.list(context)).map(({ name: shown }) => shown)).toEqual([`${name}${name}`]);
  });

  test("the token is found in the hostname too, where the tags are not shown", async () => {
    const { provider, spec, fake } = await verdaBench();
    await provider.launch(await spec("t-1"), context);
    const [wire] = (await fetchInstances(fake.env)) as readonly Record<string, unknown>[];
    fake.server.disturb({
      what: { do: "answer", answer: { status: 200, body: [{ ...wire, tags: null }] } },
      match: ({ path }) => path === "/v1/instances",
    });
    expect(await provider.list(context)).toMatchObject([{ token: "t-1", name: "train" }]);
  });

  test("more labels than there is room for tags are left out", async () => {
    const { provider, spec, bodies } = await verdaBench();
    const labels = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`label-${index}`, "x"]));
    await provider.launch(await spec("t-1", { labels }), context);
    expect(bodies("POST", "/instances")[0]?.["tags"]).toHaveLength(10);
  });

  test("our key is made once, and found after that whatever comment it has", async () => {
    const { provider, spec, fake } = await verdaBench();
    await provider.launch(await spec("t-1"), context);
    await provider.launch(await spec("t-2", { sshKey: `${SSH_KEY}-elsewhere` }), context);
    expect(fake.sshKeys()).toHaveLength(1);
  });

  test("a key whose making was not answered is found, and the launch goes on", async () => {
    const { provider, spec, fake } = await verdaBench();
    fake.server.disturb({ what: { do: "reset-after" }, match: ({ method, path }) => method === "POST" && path === "/v1/ssh-keys" });
    await provider.launch(await spec("t-1"), context);
    expect(fake.sshKeys()).toHaveLength(1);
    expect(fake.living()).toHaveLength(1);
  });

  test("what it cannot do is refused before anything is sent", async () => {
    const { provider, spec, offer, sent } = await verdaBench();
    const cheap = { micros: 1n, currency: "USD" };
    const cases = [
      [{ maxPrice: cheap }, "price-too-low"],
      [{ maxPrice: { micros: 10n ** 9n, currency: "EUR" } }, "price-too-low"],
      [{ registryAuth: "mine" }, "unsupported"],
      [{ offer: await offer("1A100.22V", { billing: "monthly" as const }) }, "unsupported"],
    ] as const;
    for (const [change, kind] of cases)
      await expect(provider.launch(await spec("t-1", change), context)).rejects.toMatchObject({ fault: { kind } });
    expect(sent("POST", "/scripts")).toEqual([]);
    expect(sent("POST", "/instances")).toEqual([]);
  });
});

async function fetchInstances(env: Readonly<Record<string, string>>): Promise<unknown> {
  const token = await fetch(`${env["VERDA_API_URL"]}/oauth2/token`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      grant_type: "client_credentials",
      client_id: env["VERDA_CLIENT_ID"],
      client_secret: env["VERDA_CLIENT_SECRET"],
    }),
  });
  const { access_token: access } = (await token.json()) as { readonly access_token: string };
  return (await fetch(`${env["VERDA_API_URL"]}/instances`, { headers: { authorization: `Bearer ${access}` } })).json();
}

describe("what Verda answers to a launch", () => {
  test.each(["plain", "quoted", "object"] as const)("an id, %s", async (idForm) => {
    const { provider, spec, fake } = await verdaBench({ switches: { idForm } });
    const { providerId } = await provider.launch(await spec("t-1"), context);
    expect(fake.living().map((one) => one.providerId)).toEqual([providerId]);
  });

  test.each(["0c41f1e5-4a7e-4b06", "", "<html>accepted</html>", '{"status":"accepted"}', '["a","b"]'])(
    "something that is no id of its own (%j): it may have been launched",
    async (body) => {
      const { provider, spec, fake } = await verdaBench();
      fake.server.disturb({ what: { do: "answer", answer: { status: 202, body } }, match: isCreate });
      await expect(provider.launch(await spec("t-1"), context)).rejects.toMatchObject({ fault: { kind: "protocol" } });
      // Should it come up all the same, it will need its script.
      expect(fake.scripts()).toHaveLength(1);
    },
  );

  test("an id of another form is believed when there is such an instance", async () => {
    const { provider, spec, fake } = await verdaBench();
    const { providerId } = await provider.launch(await spec("t-1"), context);
    const odd = "instance_7";
    fake.server.disturb({ what: { do: "answer", answer: { status: 202, body: odd } }, match: isCreate });
    fake.server.disturb({
      what: { do: "answer", answer: { status: 200, body: { id: odd } } },
      match: ({ path }) => path === `/v1/instances/${odd}`,
    });
    expect(await provider.launch(await spec("t-2"), context)).toMatchObject({ providerId: odd });
    expect(providerId).not.toBe(odd);
  });

  test("503 no capacity: the next offer, at once and without asking again", async () => {
    const { provider, spec, fake, sent } = await verdaBench();
    const ready = await spec("t-1");
    fake.setStock("1A100.22V", 0);
    await expect(provider.launch(ready, context)).rejects.toMatchObject({
      fault: { kind: "no-capacity", scope: "offer" },
      rawCode: "service_unavailable",
      message: "No capacity available",
    });
    expect(sent("POST", "/instances")).toHaveLength(1);
    expect(fake.scripts()).toEqual([]);
    expect(fake.volumes()).toEqual([]);
  });

  test("503 no capacity as plain text means the same", async () => {
    const { provider, spec, fake } = await verdaBench({ switches: { errorsAsText: true } });
    const ready = await spec("t-1");
    fake.setStock("1A100.22V", 0);
    await expect(provider.launch(ready, context)).rejects.toMatchObject({ fault: { kind: "no-capacity" } });
  });

  test.each([
    [503, { code: "service_unavailable", message: "Maintenance" }, "ambiguous"],
    [503, "<html><h1>503</h1></html>", "ambiguous"],
    [500, { code: "server_error", message: "the volume is attached" }, "ambiguous"],
    [502, "<html>bad gateway</html>", "ambiguous"],
    [402, { code: "insufficient_funds", message: "Top up" }, "quota"],
    [400, { code: "invalid_request", message: "Instance limit exceeded" }, "quota"],
    [400, { code: "invalid_request", message: "Operating system is not valid for this instance type" }, "invalid-request"],
    [400, { code: "invalid_request", message: "Volume is already attached to an instance" }, "conflict"],
    [403, { code: "forbidden_action", message: "no" }, "auth"],
  ] as const)("%i %j is %s", async (status, body, kind) => {
    const { provider, spec, fake, sent } = await verdaBench();
    fake.server.disturb({ what: { do: "answer", answer: { status, body } }, match: isCreate });
    await expect(provider.launch(await spec("t-1"), context)).rejects.toMatchObject({ fault: { kind } });
    expect(sent("POST", "/instances")).toHaveLength(1);
    expect(fake.scripts()).toHaveLength(kind === "ambiguous" ? 1 : 0);
  });

  test.each(["at-once", "after-pending"] as const)(
    "accepted, and then no capacity (%s): failed, with the reason",
    async (noCapacityLater) => {
      const { provider, spec, fake, clock } = await verdaBench({ switches: { noCapacityLater }, delays: { pending: 5_000 } });
      const { providerId } = await provider.launch(await spec("t-1"), context);
      clock.advance(2_000);
      if (noCapacityLater === "after-pending")
        expect(await provider.get(providerId, context)).toMatchObject({ state: "provisioning", rawState: "pending" });
      clock.advance(60_000);
      expect(await provider.get(providerId, context)).toMatchObject({
        state: "failed",
        rawState: "no_capacity",
        reason: expect.stringContaining("no capacity"),
      });
      // Nothing was ever billed, and nothing is left when the fleet has ended it.
      expect(await provider.destroy(providerId, context)).toBe("accepted");
      expect(fake.living()).toEqual([]);
      expect(fake.scripts()).toEqual([]);
      expect(fake.volumes()).toEqual([]);
      expect(fake.bill().filter(({ kind }) => kind === "instance")).toEqual([]);
    },
  );
});

test("what came to nothing is over when it was ended, also where the cloud cannot delete it", async () => {
  const { provider, spec, fake, clock } = await verdaBench({ switches: { noCapacityLater: "at-once", deletesNoCapacity: false } });
  const { providerId } = await provider.launch(await spec("t-1"), context);
  clock.advance(60_000);
  expect(await provider.get(providerId, context)).toMatchObject({ state: "failed" });
  expect(await provider.destroy(providerId, context)).toBe("gone");
  expect(await provider.get(providerId, context)).toMatchObject({ state: "gone", rawState: "no_capacity" });
  expect(await provider.list(context)).toMatchObject([{ state: "gone" }]);
  expect(fake.scripts()).toEqual([]);
});

describe("startup scripts at Verda", () => {
  test("unpack the boot script and become it, with the environment that was asked for", () => {
    const root = mkdtempSync(join(tmpdir(), "spot-verda-"));
    onTestFinished(() => rmSync(root, { recursive: true, force: true }));
    const run = (script: string) =>
      spawnSync("/bin/sh", ["-c", script], { encoding: "utf8", env: { PATH: process.env["PATH"], SPOT_ROOT: root } });
    const long = `# ${"agent ".repeat(8_000)}\n`;
    const script = startupScript(
      `#!/bin/sh\n${long}set -eu\ncat <<'END'\n$GREETING "quoted"\nEND\necho "$GREETING"\nexec sh -c 'exit 7'\n`,
      {
        GREETING: "it's $HOME",
      },
    );
    expect(script.length).toBeLessThan(2_000);
    expect(run(script)).toMatchObject({ status: 7, stdout: '$GREETING "quoted"\nit\'s $HOME\n', stderr: "" });
    const cut = script
      .split("\n")
      .map((line) => (line.startsWith("H4sI") ? line.slice(0, -12) : line))
      .join("\n");
    expect(cut).not.toBe(script);
    const { stdout, status } = run(cut);
    expect([stdout, status === 0]).toEqual(["", false]);
  });

  test("whose making was not answered are found by their name, and no machine is in doubt", async () => {
    const { provider, spec, fake } = await verdaBench();
    fake.server.disturb({ what: { do: "reset-after" }, match: isScript });
    await provider.launch(await spec("t-1"), context);
    expect(fake.scripts()).toHaveLength(1);
    fake.server.disturb({ what: { do: "reset-before" }, match: isScript });
    const failure: unknown = await provider.launch(await spec("t-2"), context).catch((error: unknown) => error);
    expect((failure as ProviderError).fault).toEqual({ kind: "unavailable" });
    expect(fake.living()).toHaveLength(1);
  });

  test("are deleted with their machine, also when the first request for it never arrives", async () => {
    const { provider, running, fake } = await verdaBench();
    const { providerId } = await running("t-1");
    fake.server.disturb({ what: { do: "reset-before" }, match: ({ method }) => method === "DELETE" });
    expect(await provider.destroy(providerId, context)).toBe("accepted");
    expect(fake.scripts()).toEqual([]);
  });

  test("of ours that no machine uses are deleted by a later launch, an hour after they were made", async () => {
    const { provider, spec, running, fake, clock } = await verdaBench({ switches: { tokenSeconds: 86_400 } });
    const kept = await running("t-kept");
    fake.server.disturb({ what: { do: "reset-before" }, match: isCreate });
    await expect(provider.launch(await spec("t-lost"), context)).rejects.toMatchObject({ fault: { kind: "ambiguous" } });
    await provider.launch(await spec("t-early"), context);
    expect(fake.scripts().map(({ name }) => name)).toEqual(["spot-train-t-kept", "spot-train-t-lost", "spot-train-t-early"]);
    clock.advance(2 * HOUR_MS);
    const reclaimed = await provider.get(kept.providerId, context);
    expect(reclaimed?.state).toBe("running");
    await provider.launch(await spec("t-late"), context);
    expect(fake.scripts().map(({ name }) => name)).toEqual(["spot-train-t-kept", "spot-train-t-early", "spot-train-t-late"]);
  });

  test("that a launch finds again after hours are its own, and no leftovers", async () => {
    const { provider, spec, fake, clock } = await verdaBench({ switches: { tokenSeconds: 86_400 } });
    fake.server.disturb({ what: { do: "reset-before" }, match: isCreate });
    await expect(provider.launch(await spec("t-late"), context)).rejects.toMatchObject({ fault: { kind: "ambiguous" } });
    clock.advance(2 * HOUR_MS);
    await provider.launch(await spec("t-late"), context);
    expect(fake.scripts().map(({ name }) => name)).toEqual(["spot-train-t-late"]);
  });

  test("are deleted a few at a time, so that a launch does not wait for all of them", async () => {
    const { provider, spec, fake, clock, sent } = await verdaBench({ switches: { tokenSeconds: 86_400 } });
    for (let number = 0; number < 25; number++) {
      fake.server.disturb({ what: { do: "reset-before" }, match: isCreate });
      await expect(provider.launch(await spec(`t-${number}`), context)).rejects.toMatchObject({ fault: { kind: "ambiguous" } });
    }
    clock.advance(2 * HOUR_MS);
    const deletions = () =>
      fake.server.requests.filter(({ method, path }) => method === "DELETE" && path.startsWith("/v1/scripts/")).length;
    expect([deletions(), sent("POST", "/instances").length]).toEqual([0, 25]);
    await provider.launch(await spec("t-late"), context);
    expect(deletions()).toBe(10);
    await provider.launch(await spec("t-later"), context);
    expect(deletions()).toBe(20);
  });
});
