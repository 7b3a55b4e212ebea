import fc from "fast-check";
import { expect, test } from "vitest";
import type { Offer } from "../../src/model/offer.ts";
import { workModelJson, workModelText } from "../../src/output/effective-view.ts";
import { effectivePrice, USUAL_WORK, type WorkModel, workOn } from "../../src/pricing/effective.ts";
import { type InterruptedWork, lostTerms, MOST_PAID_HOURS, noticeSavesWork } from "../../src/pricing/interrupted-work.ts";
import { medianOf, rateByHistory } from "../../src/pricing/interruption-rate.ts";
import { LIVES, type Life, playLives } from "../pricing/machine-lives.ts";

const workOf = ({ everySeconds, ...life }: Life): InterruptedWork => ({ ...life, checkpointIntervalSeconds: everySeconds });
const PLAIN: InterruptedWork = {
  interruptionsPerHour: 0.1,
  protectionSeconds: 0,
  noticeSeconds: 0,
  checkpointIntervalSeconds: 600,
  checkpointSeconds: 5,
  restartSeconds: 300,
};
const factor = (work: InterruptedWork) => {
  const { lostWork, checkpoints, restarts } = lostTerms(work).terms;
  return 1 + lostWork + checkpoints + restarts;
};

const HOURS = 10_000;
test.each(LIVES.map((life, index) => ({ ...life, seed: index + 1 })))(
  "$interruptionsPerHour an hour after $protectionSeconds s, $noticeSeconds s notice, $checkpointSeconds s every $everySeconds s, $restartSeconds s to start: as played",
  ({ seed, ...life }) => {
    const played = playLives(life, HOURS, seed);
    const { terms } = lostTerms(workOf(life));
    // Five standard errors: less than one in a million by chance, and the seeds are fixed.
    expect(Math.abs(factor(workOf(life)) - played.paid / played.useful)).toBeLessThan(5 * played.error + 1e-6);
    // Both kinds of time that chance decides are within the same bound, and checkpoints by the clock hardly vary.
    const noise = 5 * played.error + 1e-3;
    expect(Math.abs(terms.lostWork - played.lost / played.useful)).toBeLessThan(noise);
    expect(Math.abs(terms.restarts - played.restarts / played.useful)).toBeLessThan(noise);
    expect(Math.abs(terms.checkpoints - played.checkpoints / played.useful)).toBeLessThan(noise);
    if (noticeSavesWork(life.noticeSeconds, life)) expect([terms.lostWork, played.lost]).toEqual([0, 0]);
    else expect(terms.checkpoints).toBeCloseTo(life.checkpointSeconds / life.everySeconds, 12);
  },
);

test("without protection and notice it is Daly's expression; where interruptions are rare, Young's first order", () => {
  fc.assert(
    fc.property(fc.double({ min: 0.001, max: 3, noNaN: true }), fc.integer({ min: 60, max: 7200 }), (rate, interval) => {
      const work = { ...PLAIN, interruptionsPerHour: rate, checkpointIntervalSeconds: interval };
      const perSecond = rate / 3600;
      const daly = (Math.exp(perSecond * 300) * Math.expm1(perSecond * (interval + 5))) / (perSecond * interval);
      expect(factor(work) / daly).toBeCloseTo(1, 9);
    }),
  );
  const rare = { ...PLAIN, interruptionsPerHour: 0.0001 };
  expect(factor(rare)).toBeCloseTo(1 + 0.0001 * (600 / 3600) + 5 / 600, 6);
});

test.each([
  // A notice of 20 s is heard within 10 and leaves twice 5 for the seal.
  [19, 5, false],
  [20, 5, true],
  [129, 60, false],
  [130, 60, true],
])("a notice of %d s for a checkpoint of %d s saves the work: %s", (noticeSeconds, checkpointSeconds, saves) => {
  const { terms } = lostTerms({ ...PLAIN, noticeSeconds, checkpointSeconds });
  expect(terms.lostWork === 0).toBe(saves);
  expect(noticeSavesWork(noticeSeconds, { checkpointSeconds })).toBe(saves);
});

test("protection spares the first hour: a job that is called back right after it loses little, one that is called before much", () => {
  const often = { ...PLAIN, interruptionsPerHour: 6 };
  expect(factor({ ...often, protectionSeconds: 3600 })).toBeLessThan(1.25);
  expect(factor(often)).toBeGreaterThan(2);
});

const seconds = (most: number) => fc.double({ min: 0, max: most, noNaN: true });
const anyWork: fc.Arbitrary<InterruptedWork> = fc.record({
  interruptionsPerHour: fc.oneof(seconds(5), seconds(3600), fc.constantFrom(0, 5e-324, 1e-12, 1e-9)),
  protectionSeconds: fc.oneof(fc.constant(0), seconds(1e5)),
  noticeSeconds: fc.oneof(fc.constantFrom(0, 30, 120, 3600), seconds(1e5)),
  checkpointIntervalSeconds: fc.oneof(fc.double({ min: 60, max: 21_600, noNaN: true }), fc.double({ min: 0.001, max: 4e7, noNaN: true })),
  checkpointSeconds: fc.oneof(seconds(600), seconds(4e7)),
  restartSeconds: fc.oneof(seconds(3600), seconds(4e7)),
});

test("whatever the inputs: no term is negative or endless, their sum is capped, and the cap is said", () => {
  fc.assert(
    fc.property(anyWork, (work) => {
      const { terms, finishes } = lostTerms(work);
      for (const term of Object.values(terms)) {
        expect(term).toBeGreaterThanOrEqual(0);
        expect(term).toBeLessThan(MOST_PAID_HOURS);
      }
      const sum = terms.lostWork + terms.checkpoints + terms.restarts;
      if (finishes) expect(sum).toBeLessThanOrEqual(MOST_PAID_HOURS - 1 + 1e-6);
      else expect(sum).toBeCloseTo(MOST_PAID_HOURS - 1, 6);
    }),
    { numRuns: 2000 },
  );
});

test("nobody is interrupted: 1 + the share of the checkpoints, whatever else", () => {
  fc.assert(
    fc.property(anyWork, (work) => {
      const share = work.checkpointSeconds / work.checkpointIntervalSeconds;
      fc.pre(share < MOST_PAID_HOURS - 1);
      expect(lostTerms({ ...work, interruptionsPerHour: 0 })).toEqual({
        terms: { lostWork: 0, checkpoints: share, restarts: 0 },
        finishes: true,
      });
    }),
  );
});

// With protection all machines are in step when it ends, and at very high rates it is luck which step of a cycle that is.
const unprotected = anyWork.map((work) => ({ ...work, protectionSeconds: 0, noticeSeconds: 0 }));
const more = fc.double({ min: 1, max: 10, noNaN: true });
const within = (less: number, much: number) => expect(less).toBeLessThanOrEqual(much * (1 + 1e-9));

test("more interruptions, a longer start and a longer checkpoint never make it cheaper", () => {
  fc.assert(
    fc.property(unprotected, more, (work, times) => {
      within(factor(work), factor({ ...work, interruptionsPerHour: work.interruptionsPerHour * times }));
      within(factor(work), factor({ ...work, restartSeconds: work.restartSeconds * times }));
      within(factor(work), factor({ ...work, checkpointSeconds: work.checkpointSeconds * times }));
    }),
    { numRuns: 2000 },
  );
});

test("nor do they where there is protection, or a notice to seal in, at rates that machines have", () => {
  const usual = fc.record({
    interruptionsPerHour: fc.double({ min: 0, max: 0.5, noNaN: true }),
    protectionSeconds: fc.constantFrom(0, 3600),
    noticeSeconds: fc.constantFrom(0, 120, 300, 3600),
    checkpointIntervalSeconds: fc.double({ min: 300, max: 1800, noNaN: true }),
    checkpointSeconds: fc.double({ min: 0, max: 20, noNaN: true }),
    restartSeconds: fc.double({ min: 0, max: 1500, noNaN: true }),
  });
  fc.assert(
    fc.property(usual, fc.double({ min: 1.1, max: 2, noNaN: true }), (work, times) => {
      within(factor(work), factor({ ...work, interruptionsPerHour: work.interruptionsPerHour * times }));
      within(factor(work), factor({ ...work, restartSeconds: work.restartSeconds * times }));
      within(factor(work), factor({ ...work, checkpointSeconds: work.checkpointSeconds * times }));
    }),
    { numRuns: 2000 },
  );
});

const offer = (set: Partial<Offer> = {}): Offer => ({
  provider: "ppio",
  region: "r",
  zone: "r-a",
  type: "4090.1",
  gpu: { model: "RTX 4090", count: 1, vramGb: 24 },
  vcpus: 8,
  memoryGb: 64,
  billing: "spot",
  price: { micros: 1_000_000n, currency: "USD" },
  onDemandPrice: null,
  stock: 4,
  noticeSeconds: 0,
  protectionSeconds: 0,
  interruptionsPerHour: null,
  source: "live",
  observedAt: 0,
  ...set,
});

test("a rate is taken from whoever asks, else the provider, else our own machines of the kind, else the assumption", () => {
  const past = { provider: "ppio", region: "r", type: "4090.1", reclaims: 3, runs: [5, 15] };
  const work: WorkModel = { ...USUAL_WORK, history: [{ ...past, type: "other", reclaims: 90 }, past] };
  const rate = (one: Offer, model: WorkModel) => {
    const { interruptionsPerHour, basis } = effectivePrice(one, model);
    return [interruptionsPerHour, basis];
  };
  expect(rate(offer({ interruptionsPerHour: 0.2 }), work)).toEqual([0.2, "provider"]);
  // (1 + 3) / (20 h + 20 h)
  expect(rate(offer(), work)).toEqual([0.1, "history"]);
  expect(rate(offer({ region: "elsewhere" }), work)).toEqual([0.05, "assumed"]);
  expect(rate(offer({ interruptionsPerHour: Number.NaN }), USUAL_WORK)).toEqual([0.05, "assumed"]);
  expect(rate(offer({ interruptionsPerHour: -1 }), USUAL_WORK)).toEqual([0.05, "assumed"]);
  expect(rate(offer({ interruptionsPerHour: 0.2 }), { ...work, given: { interruptionsPerHour: 1 } })).toEqual([1, "given"]);
  expect(rate(offer({ billing: "on-demand" }), { ...work, given: { interruptionsPerHour: 1 } })).toEqual([0, "uninterrupted"]);
});

test("our own history begins as the assumption, with the weight of one interruption in twenty hours", () => {
  expect(rateByHistory({ reclaims: 0, runs: [10, 9.9] }, 0.05)).toBeNull();
  expect(rateByHistory({ reclaims: 0, runs: [20] }, 0.05)).toBeCloseTo(0.025, 12);
  expect(rateByHistory({ reclaims: 1, runs: [] }, 0.05)).toBeCloseTo(0.1, 12);
  expect(rateByHistory({ reclaims: 400, runs: [400, 600] }, 0.05)).toBeCloseTo(401 / 1020, 12);
  expect(rateByHistory({ reclaims: 4, runs: [10] }, 0)).toBeNull();
  // Nobody is taken back in the first hour: of 0.5, 2 and 19 hours 1 and 18 count.
  expect(rateByHistory({ reclaims: 1, runs: [0.5, 2, 19] }, 0.05, 3600)).toBeCloseTo(2 / 39, 12);
});

test("the terms add up to the share, the share to the price; what never finishes says so and has a price all the same", () => {
  const once = effectivePrice(offer({ protectionSeconds: 3600, noticeSeconds: 3600 }), USUAL_WORK);
  const { lostWork, checkpoints, restarts } = once.terms;
  expect(lostWork + checkpoints + restarts).toBe(once.lostShare);
  expect(once).toMatchObject({ finishes: true, price: { micros: BigInt(Math.round((1 + once.lostShare) * 1e6)) } });
  const hopeless = effectivePrice(offer(), { ...USUAL_WORK, restartSeconds: 86_400, given: { interruptionsPerHour: 2 } });
  expect(hopeless).toMatchObject({ finishes: false, price: { micros: 1_000_000_000n } });
});

test("our own measured start is taken for its provider, unless one is given", () => {
  const work: WorkModel = { ...USUAL_WORK, restarts: [{ provider: "ppio", seconds: 42 }] };
  const start = (provider: string, model: WorkModel) => {
    const { work: on, from } = workOn(offer({ provider }), model);
    return [on.restartSeconds, from.restart];
  };
  expect(start("ppio", work)).toEqual([42, "history"]);
  expect(start("aws", work)).toEqual([300, "assumed"]);
  expect(start("ppio", { ...work, restartSeconds: 7, basis: { restart: "given" } })).toEqual([7, "given"]);
  expect([medianOf([3, 1, 2], 3), medianOf([4, 1, 2, 3], 3), medianOf([1, 2], 3), medianOf([], 0)]).toEqual([2, 2.5, null, null]);
});

test("what is given holds for every offer; Daly's interval follows the rate of each", () => {
  const given = { noticeSeconds: 7, protectionSeconds: 9, interruptionsPerHour: 0.1 };
  expect(workOn(offer({ noticeSeconds: 120 }), { ...USUAL_WORK, given })).toMatchObject({
    work: given,
    from: { interruptions: "given", notice: "given", protection: "given", checkpoint: "assumed" },
  });
  const daly = (interruptionsPerHour: number, checkpointSeconds = 5) =>
    workOn(offer({ interruptionsPerHour }), { ...USUAL_WORK, isDaly: true, checkpointSeconds }).work.checkpointIntervalSeconds;
  expect([daly(0.05), daly(10), daly(0), daly(0, 0)]).toEqual([845, 60, 21_600, 60]);
});

test("a document says of our own machines how many hours and reclaims there were, and a sentence what is reckoned with", () => {
  const past = { provider: "ppio", region: "r", type: "4090.1", reclaims: 3 };
  const work: WorkModel = { ...USUAL_WORK, history: [{ ...past, runs: [5, 15] }], restarts: [{ provider: "ppio", seconds: 42 }] };
  expect(workModelJson(work)).toEqual({ ...work, history: [{ ...past, hours: 20 }] });
  expect(workModelJson(USUAL_WORK)).toEqual(USUAL_WORK);
  expect(workModelText(work)).toBe("Spot counts lost work: a checkpoint of 5s every 10m, 5m to come back (ppio 42s, as measured).");
  expect(workModelText({ ...work, isDaly: true, checkpointSeconds: 0, basis: { restart: "given" } })).toBe(
    "Spot counts lost work: a checkpoint of 0s as often as pays, 5m to come back.",
  );
});
