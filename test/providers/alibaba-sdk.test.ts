import { createRequire } from "node:module";
import { expect, test } from "vitest";
import { A10, actionOf, alibabaBench, context, ZONE } from "./alibaba-bench.ts";

/** A request class of the vendor's own client: its fields, and how each is called on the wire. */
interface RequestClass {
  names(): Readonly<Record<string, string>>;
}

/** The vendor's own client, official but large: only its names of parameters are looked at. */
function vendorRequest(action: string): RequestClass {
  const load = createRequire(import.meta.url);
  const file = `${action.replace("VSwitches", "Vswitches")}Request`;
  const found = load(`@alicloud/ecs20140526/dist/models/${file}.js`) as Readonly<Record<string, RequestClass | undefined>>;
  const request = found[`${action}Request`] ?? found[file];
  if (request === undefined) throw new Error(`the vendor's client knows no ${action}`);
  return request;
}

test("every parameter that is sent over a whole life is one of the vendor's own client", async () => {
  const { provider, running, requests, clock, offer, fake } = await alibabaBench({ switches: { breaksProtection: true } });
  const { volumes } = provider;
  const machine = await running("t-1", { ttlSeconds: 7_200, ports: [{ port: 8888, protocol: "http" }], maxPrice: (await offer()).price });
  const made = await volumes?.create({ name: "work", token: "t-v1", sizeGb: 40, region: "cn-hangzhou", zone: ZONE }, context);
  const id = made?.providerId ?? "";
  clock.advance(1_000);
  await volumes?.attach?.(id, machine.providerId, context);
  clock.advance(1_000);
  const snapshot = await volumes?.snapshots?.create(id, { name: "work", token: "t-s1" }, context);
  clock.advance(1_000);
  await provider.list(context);
  await fake.reclaim(machine.providerId, 1);
  await provider.get(machine.providerId, context);
  clock.advance(2_000);
  await provider.get(machine.providerId, context);
  const other = await running("t-2", { offer: await offer(undefined, { type: A10, billing: "on-demand" }) });
  await provider.destroy(other.providerId, context);
  await volumes?.snapshots?.remove(snapshot?.providerId ?? "", context);
  await volumes?.remove(id, context);
  const actions = new Set(requests().map(actionOf));
  expect(actions.size).toBeGreaterThan(18);
  for (const request of requests()) {
    const action = actionOf(request);
    const known = Object.values(vendorRequest(action).names());
    for (const name of new URLSearchParams(request.body).keys()) {
      // `Tag.1.Key` is the field Tag; `SystemDisk.Size` the field SystemDisk.
      const field = name.replace(/\..*$/, "");
      expect(
        known.some((one) => one === name || one === field || one.startsWith(`${field}.`)),
        `${action} ${name}`,
      ).toBe(true);
    }
  }
});
