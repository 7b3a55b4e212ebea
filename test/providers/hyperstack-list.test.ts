import { afterEach, describe, expect, test } from "vitest";
import { type HyperstackBench, hyperstackBench } from "../clouds/hyperstack/bench.ts";
import type { FakeHyperstackOptions } from "../clouds/hyperstack/hyperstack.ts";
import { deleteVm } from "../clouds/hyperstack/machines.ts";

let bench: HyperstackBench | undefined;
afterEach(async () => {
  await bench?.cloud.close();
  bench = undefined;
});
async function open(options: Partial<FakeHyperstackOptions> = {}): Promise<HyperstackBench> {
  bench = await hyperstackBench(options);
  return bench;
}

async function launched(count: number, options: Partial<FakeHyperstackOptions> = {}): Promise<HyperstackBench> {
  const opened = await open(options);
  const { cloud, provider, context, offer, spec } = opened;
  const chosen = await offer("n3-RTX-A6000x1-spot");
  cloud.setStock(chosen.type, count);
  for (let number = 0; number < count; number++) await provider.launch(spec(chosen, `t-${number}`), context);
  return opened;
}

const LIST = "/v1/core/virtual-machines";
const isList = ({ method, path }: { readonly method: string; readonly path: string }) => method === "GET" && path === LIST;

describe("a list", () => {
  test("is whole when the cloud gives smaller pages than were asked for", async () => {
    const { cloud, provider, context } = await launched(23, { switches: { largestPage: 5 } });
    const from = cloud.server.requests.length;
    expect((await provider.list(context)).map(({ token }) => token)).toEqual(Array.from({ length: 23 }, (_, number) => `t-${number}`));
    expect(cloud.server.requests.slice(from).filter(isList)).toHaveLength(5);
  });

  test("is whole when the cloud does not say how many there are", async () => {
    const { cloud, provider, context, clock } = await launched(7);
    const rows = (await (
      await fetch(`${cloud.url}/core/virtual-machines?pageSize=100`, { headers: { api_key: cloud.env["HYPERSTACK_API_KEY"] ?? "" } })
    ).json()) as {
      readonly instances: readonly unknown[];
    };
    for (const page of [rows.instances.slice(0, 4), rows.instances.slice(4), []])
      cloud.server.disturb({
        match: isList,
        what: { do: "answer", answer: { status: 200, body: { instances: page, count: null, page: null, page_size: null } } },
      });
    clock.pass(1);
    expect(await provider.list(context)).toHaveLength(7);
  });

  test.each([
    { count: 25, largestPage: 10, told: true },
    { count: 25, largestPage: 10, told: false },
    { count: 20, largestPage: 10, told: false },
    { count: 7, largestPage: 100, told: false },
  ])("is whole when the number that the cloud tells is that of a page: %j", async ({ count, largestPage, told }) => {
    const { provider, context } = await launched(count, { switches: { largestPage, counts: told ? "page" : "page-alone" } });
    expect(await provider.list(context)).toHaveLength(count);
  });

  test("is one request where a page says that it is not full", async () => {
    const { cloud, provider, context } = await launched(12);
    const from = cloud.server.requests.length;
    expect(await provider.list(context)).toHaveLength(12);
    expect(cloud.server.requests.slice(from).filter(isList)).toHaveLength(1);
  });

  test("ends when the cloud shows the same page again and again", async () => {
    const { cloud, provider, context } = await launched(3);
    const [vm] = cloud.site.vms.values();
    const from = cloud.server.requests.length;
    const body = { instances: [{ id: vm?.id, name: "trainer-t-0", status: "ACTIVE" }], count: null };
    cloud.server.disturb({ match: isList, times: 50, what: { do: "answer", answer: { status: 200, body } } });
    expect(await provider.list(context)).toHaveLength(1);
    expect(cloud.server.requests.slice(from).filter(isList)).toHaveLength(2);
  });

  test("loses nobody when a machine goes away between two pages", async () => {
    const { cloud, provider, context } = await launched(12, { switches: { largestPage: 5 } });
    const [first] = cloud.site.vms.values();
    let asked = 0;
    // The list is by age: when the oldest goes, the sixth is the last of the first page.
    cloud.server.disturb({
      what: { do: "reset-before" },
      match(request) {
        if (isList(request) && ++asked === 2 && first !== undefined) deleteVm(cloud.site, first, "B");
        return false;
      },
    });
    const tokens = (await provider.list(context)).map(({ token }) => token);
    expect(tokens.toSorted()).toEqual(Array.from({ length: 11 }, (_, number) => `t-${number + 1}`).toSorted());
  });

  test("one strange row costs no other", async () => {
    const { cloud, provider, context } = await launched(1);
    const strange = {
      id: "77",
      status: 5,
      flavor: [],
      environment: "x",
      volume_attachments: {},
      created_at: 12,
      labels: null,
      floating_ip: {},
    };
    const [vm] = cloud.site.vms.values();
    cloud.server.disturb({
      match: isList,
      what: {
        do: "answer",
        answer: { status: 200, body: { instances: [strange, { id: vm?.id, name: "trainer-t-0", status: "ACTIVE" }], count: "2" } },
      },
    });
    expect(await provider.list(context)).toMatchObject([
      { providerId: "77", state: "unknown", token: null, price: null },
      { token: "t-0", state: "running", reach: null },
    ]);
    cloud.server.disturb({
      match: isList,
      what: { do: "answer", answer: { status: 200, body: { instances: [{ name: "nobody" }], count: 1 } } },
    });
    await expect(provider.list(context)).rejects.toMatchObject({ fault: { kind: "protocol" } });
  });

  test("prices are no reason to miss a machine", async () => {
    const { cloud, another, context } = await launched(1);
    cloud.breakDown(({ path }) => path === "/v1/pricebook", 100);
    const theirs = await another();
    expect(await theirs.list(context)).toMatchObject([{ token: "t-0", price: null }]);
    await expect(theirs.offers({}, context)).rejects.toMatchObject({ fault: { kind: "unavailable" } });
    cloud.server.calm();
    expect(await theirs.list(context)).toMatchObject([{ price: { micros: 400_000n, currency: "USD" } }]);
  });
});

describe("credentials", () => {
  test("none: nothing is asked, and it is said what to do", async () => {
    const { cloud, another, context } = await open();
    const theirs = await another({ HYPERSTACK_API_KEY: "" });
    await expect(theirs.list(context)).rejects.toMatchObject({
      fault: { kind: "auth" },
      message: /HYPERSTACK_API_KEY.*spot provider login hyperstack/,
    });
    expect(cloud.server.requests).toEqual([]);
  });

  test("wrong ones are auth", async () => {
    const { another, context } = await open();
    const theirs = await another({ HYPERSTACK_API_KEY: "canary-not-the-key" });
    await expect(theirs.list(context)).rejects.toMatchObject({ fault: { kind: "auth" } });
  });

  test("are in a header and nowhere else", async () => {
    const { cloud } = await launched(1);
    const key = cloud.env["HYPERSTACK_API_KEY"] ?? "";
    for (const { path, query, body, headers } of cloud.server.requests) {
      expect(`${path} ${query} ${body}`).not.toContain(key);
      expect(headers["api_key"]).toBe(key);
    }
  });
});
