import { expect, test } from "vitest";
import { askMarket } from "../../src/fleet/market.ts";
import type { Offer } from "../../src/model/offer.ts";
import { ProviderError } from "../../src/providers/errors.ts";
import { LOCAL_ASLEEP } from "../../src/providers/local/sleep.ts";
import type { Provider } from "../../src/providers/provider.ts";

const unused = () => Promise.reject(new Error("not asked for"));

function provider(id: string, offers: Provider["offers"]): Provider {
  const capabilities = {
    noticeSeconds: 0,
    protectionSeconds: 0,
    hibernate: "park",
    idempotentLaunch: true,
    listSettlesMs: 0,
    volumes: false,
    zonalVolumes: false,
    endsAtTtl: false,
    restartsReclaimed: false,
    listEvery: null,
    machine: { kind: "process", notices: "local", endsItself: true, volumes: "mounted" },
    retainsAddress: false,
    keepsRoot: false,
    billsMarketPrice: false,
    freeIfReclaimedWithinMs: 0,
    stoppedBillsGpu: true,
    pollMs: 150,
    whyNoStop: "it never answers",
    asleep: LOCAL_ASLEEP,
  } as const;
  return { id, capabilities, offers, launch: unused, list: unused, get: unused, destroy: unused };
}

const offer = { provider: "good", type: "t" } as Offer;

test("one provider that fails is named and left out; the others' offers are there", async () => {
  const broken = new ProviderError("bad", { kind: "auth" }, "who are you?");
  const answer = await askMarket(
    [provider("good", () => Promise.resolve([offer])), provider("bad", () => Promise.reject(broken))],
    {},
    new AbortController().signal,
  );
  expect(answer).toEqual({ offers: [offer], failures: [{ provider: "bad", why: "who are you?", error: broken }] });
});

test("all are asked at once", async () => {
  const asked: string[] = [];
  const letGo: (() => void)[] = [];
  const slow = (id: string) =>
    provider(id, () => {
      asked.push(id);
      return new Promise((resolve) => {
        letGo.push(() => resolve([]));
      });
    });
  const answer = askMarket([slow("a"), slow("b"), slow("c")], {}, new AbortController().signal);
  expect(asked).toEqual(["a", "b", "c"]);
  for (const go of letGo) go();
  expect(await answer).toEqual({ offers: [], failures: [] });
});

test("being told to stop is no provider's failure, and reaches the call in flight", async () => {
  const controller = new AbortController();
  const hanging = provider(
    "slow",
    (_query, { signal }) => new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  );
  const answer = askMarket([hanging], {}, controller.signal);
  controller.abort("SIGINT");
  await expect(answer).rejects.toBe("SIGINT");
});

test.each([
  [
    "that hears that its time is over",
    (signal: AbortSignal, reject: (why: unknown) => void) => signal.addEventListener("abort", () => reject(signal.reason)),
  ],
  ["that hears nothing", () => {}],
] as const)("a provider %s is named and left out, and the others' offers are there", async (_what, listen) => {
  const hanging = provider("slow", (_query, { signal }) => new Promise((_resolve, reject) => listen(signal, reject)));
  const answer = await askMarket([provider("good", () => Promise.resolve([offer])), hanging], {}, new AbortController().signal, 50);
  expect(answer).toMatchObject({ offers: [offer], failures: [{ provider: "slow", why: "no answer within 0.05 s" }] });
});
