import { expect, test } from "vitest";
import type { LeftoverOperations } from "../../src/providers/provider.ts";
import { context, verdaBench } from "./verda-bench.ts";

const AN_HOUR_MS = 3_600_000;

function leftoversOf({ leftovers }: { readonly leftovers?: LeftoverOperations }): LeftoverOperations {
  if (leftovers === undefined) throw new Error("Verda leaves something");
  return leftovers;
}

test("a volume that somebody threw away lies in the trash with its price, and is deleted for good", async () => {
  const { provider, fake, sent } = await verdaBench();
  const place = { region: "FIN-01", zone: "FIN-01" };
  const ours = await provider.volumes?.create({ name: "work", token: "t-v1", sizeGb: 50, ...place }, context);
  const headers = { "content-type": "application/json", authorization: sent("POST", "/volumes")[0]?.headers["authorization"] ?? "" };
  const body = JSON.stringify({ id: ours?.providerId, action: "delete", is_permanent: false });
  const thrown = await fetch(`${fake.env["VERDA_API_URL"]}/volumes`, { method: "PUT", headers, body });
  expect(thrown.ok).toBe(true);
  expect(await provider.volumes?.list(context)).toEqual([]);
  const [left, ...others] = await leftoversOf(provider).list(context, { harmless: false });
  expect(others).toEqual([]);
  expect(left).toMatchObject({ kind: "trashed-volume", class: "bills", providerId: ours?.providerId, name: "work", token: "t-v1" });
  expect(left?.price?.micros).toBeGreaterThan(0n);
  if (left !== undefined) await leftoversOf(provider).remove(left, context);
  expect(await leftoversOf(provider).list(context, { harmless: true })).toEqual([]);
  expect(fake.volumes()).toEqual([]);
});

test("the script of a machine that was taken away is left over, and holds what the workload was given", async () => {
  const { provider, fake, running, clock } = await verdaBench();
  const { providerId } = await running("t-1", { env: { TOKEN: "canary-of-a-workload" } });
  expect(await leftoversOf(provider).list(context, { harmless: true })).toMatchObject([{ kind: "startup-script", attachedTo: providerId }]);
  await fake.reclaim(providerId);
  clock.advance(AN_HOUR_MS);
  const [left, ...others] = await leftoversOf(provider).list(context, { harmless: true });
  expect(others).toEqual([]);
  expect(left).toMatchObject({ kind: "startup-script", class: "harmless", name: "train", token: "t-1", attachedTo: null });
  expect(await leftoversOf(provider).list(context, { harmless: false })).toEqual([]);
  if (left !== undefined) await leftoversOf(provider).remove(left, context);
  expect(fake.scripts()).toEqual([]);
});
