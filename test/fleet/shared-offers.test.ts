import { expect, test } from "vitest";
import { sharedOffers } from "../../src/fleet/shared-offers.ts";
import type { Offer } from "../../src/model/offer.ts";
import { ProviderError } from "../../src/providers/errors.ts";
import { virtualClock } from "../simulation/virtual-clock.ts";

/** A market that answers after a second, with how often it was asked as its answer. */
function market() {
  const clock = virtualClock();
  const offers = sharedOffers();
  let asked = 0;
  const failures: unknown[] = [];
  const ask = async (): Promise<readonly Offer[]> => {
    asked += 1;
    const answer = [asked as unknown as Offer];
    await clock.sleep(1_000);
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
    return answer;
  };
  const get = (key = "paper {}") => offers.get(key, clock, ask);
  return { clock, get, failures, asked: () => asked };
}

test("one question is asked once by all who ask it within five seconds, and another one by itself", async () => {
  const { clock, get, asked } = market();
  expect(await clock.run(Promise.all([get(), get(), get("paper other")]))).toEqual([[1], [1], [2]]);
  expect([await clock.run(get()), asked()]).toEqual([[1], 2]);
  await clock.pass(5_000);
  expect(await clock.run(get())).toEqual([3]);
});

test("what a provider refuses is refused to all who wait, and asked anew by the next one", async () => {
  const { clock, get, failures } = market();
  failures.push(new ProviderError("paper", { kind: "unavailable" }, "503 on paper"));
  const [one, two] = await clock.run(Promise.allSettled([get(), get()]));
  expect([one?.status, two?.status]).toEqual(["rejected", "rejected"]);
  expect(await clock.run(get())).toEqual([2]);
});

test("a question that was given up by who asked it is asked by the next one who waits", async () => {
  const { clock, get, failures } = market();
  failures.push(new Error("Ctrl-C"));
  const [one, ...others] = await clock.run(Promise.allSettled([get(), get(), get()]));
  expect(one?.status).toBe("rejected");
  expect(others.map((other) => other.status === "fulfilled" && other.value)).toEqual([[2], [2]]);
});
