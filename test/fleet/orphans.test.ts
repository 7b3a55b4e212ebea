import fc from "fast-check";
import { expect, test } from "vitest";
import { freeName } from "../../src/fleet/orphans/adopt-record.ts";
import { type Books, explain, placeKey, type Resource, shouldBeOver, type Verdict } from "../../src/fleet/orphans/orphans.ts";
import { refusalNow } from "../../src/fleet/orphans/reap-check.ts";
import { orphanJson, rowFromJson } from "../../src/fleet/orphans/reap-plan.ts";
import { requireName } from "../../src/model/ids.ts";
import { sampleInstance } from "../state/sample-records.ts";

const resource = (set: Partial<Resource> = {}): Resource => ({
  provider: "paper",
  kind: "machine",
  class: "bills",
  providerId: "m-1",
  name: "train",
  region: "north",
  zone: "north-a",
  state: "running",
  rawState: "RUNNING",
  token: "t-1",
  createdAt: 1_000,
  price: null,
  sizeGb: null,
  attachedTo: null,
  shared: false,
  ...set,
});

interface Story {
  readonly intent?: {
    readonly kind: string;
    readonly status: "pending" | "done" | "failed";
    readonly machine?: string;
    readonly name?: string;
  };
  /** The record that the intent names. */
  readonly owner?: { readonly machine: string | null; readonly state?: "running" | "gone" | "hibernated"; readonly forgotten?: boolean };
  readonly volume?: { readonly id: string; readonly state: "available" | "gone" };
}

function booksOf({ intent, owner, volume }: Story): Books {
  const state = owner?.state ?? "running";
  const record = sampleInstance("train", {
    id: "i-1",
    provider: "paper",
    providerId: owner?.machine ?? null,
    state,
    forgottenAt: owner?.forgotten === true ? 5 : null,
  });
  const owners = owner === undefined ? [] : [record];
  const detail = {
    ...(intent?.machine === undefined ? {} : { providerId: intent.machine }),
    ...(intent?.name === undefined ? {} : { name: intent.name }),
  };
  const instanceId = intent?.kind === "launch" ? "i-1" : null;
  const living = owners.filter((one) => one.state !== "gone");
  return {
    intents: new Map(intent === undefined ? [] : [["t-1", { kind: intent.kind as "launch", status: intent.status, instanceId, detail }]]),
    owners: new Map(owners.map((one) => [one.id, one])),
    machines: new Map(living.flatMap((one) => (one.providerId === null ? [] : [[placeKey("paper", one.providerId), one] as const]))),
    volumes: new Map(volume === undefined ? [] : [[placeKey("paper", volume.id), { name: "data", state: volume.state }]]),
    inUse: new Set(living.map(({ provider }) => provider)),
  };
}

const said = (verdict: Verdict) => (verdict.kind === "orphan" ? verdict.why : verdict.kind);
const launched = (status: "pending" | "done" | "failed", machine = "m-1") => ({ kind: "launch", status, machine }) as const;

const TABLE: readonly (readonly [string, Partial<Resource>, Story, string])[] = [
  ["carries no tag of ours", { token: null }, {}, "foreign"],
  ["a token that we do not know", {}, {}, "no-record"],
  ["its record has it", {}, { intent: launched("done"), owner: { machine: "m-1" } }, "explained"],
  ["taken over under a token that was given up", {}, { intent: launched("failed"), owner: { machine: "m-1" } }, "explained"],
  ["just being made", {}, { intent: launched("pending"), owner: { machine: null } }, "in-flight"],
  ["given up, and arrived late", {}, { intent: launched("failed"), owner: { machine: "m-2" } }, "closed"],
  ["its record has another machine", {}, { intent: launched("done"), owner: { machine: "m-2" } }, "replaced"],
  ["its record sleeps on its volume", {}, { intent: launched("done"), owner: { machine: null, state: "hibernated" } }, "replaced"],
  ["its record is gone", {}, { intent: launched("done"), owner: { machine: "m-1", state: "gone" } }, "record-gone"],
  ["its record is forgotten", {}, { intent: launched("done"), owner: { machine: "m-1", state: "gone", forgotten: true } }, "forgotten"],
  [
    "given up, and forgotten since",
    {},
    { intent: launched("failed"), owner: { machine: "m-2", state: "gone", forgotten: true } },
    "closed",
  ],
  ["the token of a volume on a machine", {}, { intent: { kind: "volume-create", status: "done" } }, "no-record"],
  ["a volume of ours", { kind: "volume", providerId: "d-1" }, { volume: { id: "d-1", state: "available" } }, "explained"],
  ["a volume whose record is gone", { kind: "volume", providerId: "d-1" }, { volume: { id: "d-1", state: "gone" } }, "record-gone"],
  ["a volume nobody knows", { kind: "volume", providerId: "d-1" }, {}, "no-record"],
  [
    "a volume just being made",
    { kind: "volume", providerId: "d-1" },
    { intent: { kind: "volume-create", status: "pending" } },
    "in-flight",
  ],
  ["a volume that arrived late", { kind: "volume", providerId: "d-1" }, { intent: { kind: "volume-create", status: "failed" } }, "closed"],
  [
    "a root disk of a living machine",
    { kind: "volume", providerId: "d-1" },
    { intent: launched("done"), owner: { machine: "m-1" } },
    "explained",
  ],
  [
    "a root disk that outlived its machine",
    { kind: "volume", providerId: "d-1" },
    { intent: launched("done"), owner: { machine: "m-2" } },
    "replaced",
  ],
  ["a snapshot that was made", { kind: "snapshot" }, { intent: { kind: "volume-snapshot", status: "done" } }, "explained"],
  ["a snapshot just being made", { kind: "snapshot" }, { intent: { kind: "volume-snapshot", status: "pending" } }, "in-flight"],
  ["a snapshot that was given up", { kind: "snapshot" }, { intent: { kind: "volume-snapshot", status: "failed" } }, "closed"],
  ["a snapshot nobody knows", { kind: "snapshot" }, {}, "no-record"],
  ["a spot request of a living machine", { kind: "spot-request", attachedTo: "m-1" }, { owner: { machine: "m-1" } }, "explained"],
  [
    "a spot request that is a record's machine",
    { kind: "spot-request", providerId: "sir-1" },
    { owner: { machine: "sir-1" } },
    "explained",
  ],
  [
    "a spot request that waits for its record's next machine",
    { kind: "spot-request" },
    { intent: launched("done"), owner: { machine: "m-1" } },
    "explained",
  ],
  [
    "a spot request whose record is gone",
    { kind: "spot-request" },
    { intent: launched("done"), owner: { machine: "m-1", state: "gone" } },
    "record-gone",
  ],
  ["a spot request nobody knows", { kind: "spot-request" }, {}, "no-record"],
  [
    "a shared key where something of ours lives",
    { kind: "key-pair", token: null, shared: true },
    { owner: { machine: "m-1" } },
    "explained",
  ],
  ["a shared key where nothing of ours lives", { kind: "key-pair", token: null, shared: true }, {}, "no-record"],
];

test.each(TABLE)("%s", (_, set, story, expected) => {
  expect(said(explain(resource(set), booksOf(story)))).toBe(expected);
});

test("only what we know to be over is ended without a question", () => {
  const ends = TABLE.filter(([, set, story]) => shouldBeOver(explain(resource(set), booksOf(story)))).map(([, , , why]) => why);
  expect(new Set(ends)).toEqual(new Set(["closed", "replaced", "record-gone"]));
});

const anyStory = fc.record(
  {
    intent: fc.option(
      fc.record({
        kind: fc.constantFrom("launch", "volume-create", "volume-snapshot", "destroy"),
        status: fc.constantFrom("pending" as const, "done" as const, "failed" as const),
        machine: fc.constantFrom("m-1", "m-2"),
      }),
      { nil: undefined },
    ),
    owner: fc.option(
      fc.record({
        machine: fc.constantFrom("m-1", "m-2", null),
        state: fc.constantFrom("running" as const, "gone" as const, "hibernated" as const),
        forgotten: fc.boolean(),
      }),
      { nil: undefined },
    ),
    volume: fc.option(fc.record({ id: fc.constantFrom("m-1", "d-1"), state: fc.constantFrom("available" as const, "gone" as const) }), {
      nil: undefined,
    }),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<Story>;
const anyResource = fc.record({
  kind: fc.constantFrom("machine" as const, "volume" as const, "snapshot" as const, "spot-request" as const, "root-disk" as const),
  providerId: fc.constantFrom("m-1", "d-1", "m-3"),
  token: fc.constantFrom("t-1", "t-2", null),
  attachedTo: fc.constantFrom("m-1", null),
});

test("what no tag of ours is on, and what a living record has, is never an orphan; a forgotten one is never ended unasked", () => {
  fc.assert(
    fc.property(anyResource, anyStory, (set, story) => {
      const books = booksOf(story);
      const verdict = explain(resource(set), books);
      if (set.token === null) expect(verdict.kind).toBe("foreign");
      else if (books.machines.has(placeKey("paper", set.providerId))) expect(verdict.kind).toBe("explained");
      // A promise that is open, or that nobody of us made, is nobody's to end.
      const intent = set.token === "t-1" ? story.intent : undefined;
      if (intent?.status === "pending" || (intent === undefined && story.volume?.id !== set.providerId))
        expect(shouldBeOver(verdict)).toBe(false);
      if (verdict.kind === "orphan" && verdict.why === "forgotten") expect(shouldBeOver(verdict)).toBe(false);
    }),
    // An open promise about a volume whose record says that it is over: found by chance once, kept since.
    {
      examples: [
        [
          { kind: "volume", providerId: "d-1", token: "t-1", attachedTo: "m-1" },
          { intent: { kind: "launch", status: "pending", machine: "m-1" }, volume: { id: "d-1", state: "gone" } },
        ],
      ],
      numRuns: 1_000,
    },
  );
});

const orphan = (set: Partial<Resource> = {}) => ({ ...resource(set), why: "no-record" as const, instance: null });
const NO_RECORD: Verdict = { kind: "orphan", why: "no-record", instance: null };
const against = { madeAt: 1_000_000, mayHold: new Set(["m-9"]) };

test.each<readonly [string, Partial<Resource>, Partial<Resource>, Verdict, string | null]>([
  ["as it was", {}, {}, NO_RECORD, null],
  ["another token", {}, { token: "t-2" }, NO_RECORD, "it carries another token by now"],
  ["taken over", {}, {}, { kind: "explained" }, "a record of ours explains it by now"],
  ["a promise is open", {}, {}, { kind: "orphan", why: "in-flight", instance: null }, "a promise of ours for it is open"],
  ["younger than the plan", { createdAt: null }, { createdAt: 2_000_000 }, NO_RECORD, "it is younger than the plan"],
  ["its name used again", { createdAt: 1 }, { createdAt: 900_000 }, NO_RECORD, "something younger has its name by now"],
  ["clocks that differ by seconds", { createdAt: 10_000 }, { createdAt: 14_000 }, NO_RECORD, null],
  ["woken up", { state: "hibernated" }, { state: "running" }, NO_RECORD, "it was hibernated, and somebody has it running now"],
  ["come up", { state: "provisioning" }, { state: "running" }, NO_RECORD, null],
  [
    "on a machine that goes on",
    { kind: "volume" },
    { kind: "volume", attachedTo: "m-2" },
    NO_RECORD,
    "it is attached to m-2, which goes on",
  ],
  ["on a machine of the same plan", { kind: "volume" }, { kind: "volume", attachedTo: "m-9" }, NO_RECORD, null],
])("a row that is %s", (_, before, now, verdict, expected) => {
  expect(refusalNow(orphan(before), resource({ ...before, ...now }), verdict, against)).toBe(expected);
});

test("a row comes back from a plan as it was, names without what steers a terminal", () => {
  fc.assert(
    fc.property(anyResource, fc.string({ maxLength: 200 }), (set, name) => {
      const row = orphan({ ...set, name, price: { micros: 1_234_567n, currency: "CNY" }, sizeGb: 12, shared: set.token === null });
      const back = rowFromJson(JSON.parse(JSON.stringify(orphanJson(row))));
      expect(back).toEqual({ ...row, name: orphanJson(row).name });
      expect(back?.name).not.toMatch(/\p{Cc}(?<![\t\n])/u);
    }),
  );
});

test("whatever a cloud calls a thing, its name here is a legal one that nobody has", () => {
  fc.assert(
    fc.property(
      fc.string({ maxLength: 100, unit: "binary-ascii" }),
      fc.array(fc.constantFrom("a", "train", "train-2", "adopted")),
      (text, taken) => {
        const name = freeName(text, "adopted", new Set(taken));
        expect(requireName("an instance", name)).toBe(name);
        expect(taken).not.toContain(name);
      },
    ),
  );
  expect(freeName("Trainer One", "x", new Set(["trainer-one"]))).toBe("trainer-one-2");
});
