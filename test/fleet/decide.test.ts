import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decide } from "../../src/fleet/deciding/decide.ts";
import type { Action, CloudView, Observation } from "../../src/fleet/deciding/decision.ts";
import type { GuestReport } from "../../src/fleet/fleet.ts";
import { INSTANCE_STATES, type InstanceState, mayMove } from "../../src/model/instance.ts";
import type { Notice } from "../../src/model/notice.ts";
import { FRESH_OUTLOOK } from "../../src/model/outlook.ts";
import type { MachineKind } from "../../src/providers/provider.ts";
import type { Desired, InstanceRecord } from "../../src/state/records.ts";
import { launchIntent, machine, NOW, record, seen } from "./samples.ts";

const here = (state: InstanceState): CloudView => ({ kind: "here", instance: machine({ state }) });
const none: CloudView = { kind: "none" };
const gone: CloudView = { kind: "gone", instance: null };

interface Row {
  readonly what: string;
  readonly record: Partial<InstanceRecord>;
  readonly seen: Partial<Observation>;
  readonly expected: Partial<Action> & { readonly do: Action["do"] };
}

const noMachine = { state: "requested", providerId: null, readyAt: null } as const;
const young = { state: "provisioning", readyAt: null } as const;
const notice: Notice = { kind: "reclaim", source: "api", seenAt: NOW, deadline: NOW + 60_000 };
const noticed: CloudView = { kind: "here", instance: machine({ state: "reclaiming", notice }) };

const rented: MachineKind = { kind: "vm", notices: "controller", endsItself: false, volumes: "device" };
const report = (set: Partial<GuestReport> = {}): GuestReport => ({
  phase: "running",
  awaitsVolume: false,
  exitCode: null,
  step: null,
  restoredFrom: null,
  lastSealSeconds: null,
  noticeDeadline: null,
  ...set,
});

const ROWS: readonly Row[] = [
  { what: "running and wanted", record: {}, seen: {}, expected: { do: "rest" } },
  { what: "a silent provider proves nothing", record: {}, seen: { cloud: { kind: "silent", why: "down" } }, expected: { do: "wait" } },
  { what: "wanted without a machine", record: noMachine, seen: { cloud: none }, expected: { do: "launch" } },
  { what: "a machine that is lost", record: {}, seen: { cloud: gone }, expected: { do: "note-lost" } },
  { what: "a machine that failed to start", record: young, seen: { cloud: here("failed") }, expected: { do: "discard" } },
  { what: "not up yet", record: young, seen: { cloud: here("provisioning") }, expected: { do: "wait" } },
  { what: "up, the agent not heard", record: young, seen: {}, expected: { do: "wait" } },
  {
    what: "up for half an hour, and its agent has given up",
    record: { ...young, changedAt: NOW - 1_800_000 },
    seen: { silence: "the agent is not running: none verifies" },
    expected: { do: "note-overdue", why: "the agent is not running: none verifies" },
  },
  {
    what: "the same, a moment earlier",
    record: { ...young, changedAt: NOW - 1_799_999 },
    seen: {},
    expected: { do: "wait" },
  },
  {
    what: "the same, and told",
    record: { ...young, changedAt: NOW - 3_600_000, outlook: { ...FRESH_OUTLOOK, overdueToldAt: NOW - 1_800_000 } },
    seen: {},
    expected: { do: "wait" },
  },
  {
    what: "the same, told of the machine before it",
    record: { ...young, changedAt: NOW - 3_600_000, outlook: { ...FRESH_OUTLOOK, overdueToldAt: NOW - 3_700_000 } },
    seen: { cloud: here("provisioning") },
    expected: { do: "note-overdue", why: "the provider says RUNNING" },
  },
  {
    what: "its volume not attached for half an hour",
    record: { ...young, changedAt: NOW - 1_800_000 },
    seen: { attachVolume: "disk-1", machine: rented, guest: report({ phase: "preparing", awaitsVolume: true }) },
    expected: { do: "note-overdue", why: "its agent waits for its volume" },
  },
  { what: "ready after all", record: { ...young, changedAt: NOW - 1_800_000 }, seen: { ready: true }, expected: { do: "note-ready" } },
  { what: "ready", record: young, seen: { ready: true }, expected: { do: "note-ready" } },
  { what: "a new notice", record: {}, seen: { cloud: noticed }, expected: { do: "note-notice" } },
  { what: "a known notice", record: { state: "reclaiming", notice }, seen: { cloud: noticed }, expected: { do: "rest" } },
  { what: "a notice that is withdrawn", record: { state: "reclaiming", notice }, seen: {}, expected: { do: "note-withdrawn" } },
  {
    what: "a notice whose deadline is told a second later",
    record: { state: "reclaiming", notice: { ...notice, deadline: notice.deadline - 1_000 } },
    seen: { cloud: noticed },
    expected: { do: "rest" },
  },
  {
    what: "a notice whose moment nobody told, assumed once more",
    record: { state: "reclaiming", notice: { ...notice, assumed: true } },
    seen: { cloud: { kind: "here", instance: machine({ notice: { ...notice, deadline: NOW + 300_000, assumed: true } }) } },
    expected: { do: "rest" },
  },
  {
    what: "a notice whose moment was assumed, and is told now",
    record: { state: "reclaiming", notice: { ...notice, deadline: NOW + 300_000, assumed: true } },
    seen: { cloud: noticed },
    expected: { do: "note-notice" },
  },
  {
    what: "a known notice that an agent without another mouth has not heard",
    record: { state: "reclaiming", notice },
    seen: { cloud: noticed, machine: rented, guest: report() },
    expected: { do: "tell-notice" },
  },
  {
    what: "a known notice that it has heard",
    record: { state: "reclaiming", notice },
    seen: { cloud: noticed, machine: rented, guest: report({ noticeDeadline: notice.deadline / 1_000 }) },
    expected: { do: "rest" },
  },
  {
    what: "up, its volume not attached",
    record: young,
    seen: { attachVolume: "disk-1", machine: rented, guest: report({ phase: "preparing", awaitsVolume: true }) },
    expected: { do: "attach-volume", volumeId: "disk-1" },
  },
  {
    what: "up, its volume attached and not mounted",
    record: young,
    seen: {
      cloud: { kind: "here", instance: machine({ volumeIds: ["disk-1"] }) },
      attachVolume: "disk-1",
      machine: rented,
      guest: report({ phase: "preparing", awaitsVolume: true }),
    },
    expected: { do: "mount-volume" },
  },
  {
    what: "its time is up and it cannot end itself",
    record: { ttlEndsAt: NOW },
    seen: { machine: rented },
    expected: { do: "let-expire" },
  },
  { what: "its time is up and it ends itself", record: { ttlEndsAt: NOW }, seen: {}, expected: { do: "rest" } },
  {
    what: "its time has long been up and it did not end itself",
    record: { ttlEndsAt: NOW - 301_000 },
    seen: {},
    expected: { do: "let-expire" },
  },
  {
    what: "its agent says that its time is over",
    record: {},
    seen: { machine: rented, guest: report({ phase: "expired" }) },
    expected: { do: "let-expire" },
  },
  {
    what: "a word that nobody knows",
    record: { rawState: "RUNNING" },
    seen: { cloud: { kind: "here", instance: machine({ state: "unknown", rawState: "daydreaming" }) } },
    expected: { do: "note-unknown" },
  },
  {
    what: "a word that nobody knows, and that is noted",
    record: { rawState: "daydreaming" },
    seen: { cloud: { kind: "here", instance: machine({ state: "unknown", rawState: "daydreaming" }) } },
    expected: { do: "wait" },
  },
  { what: "stopped by somebody", record: {}, seen: { cloud: here("stopped") }, expected: { do: "note-stopped" } },
  { what: "stopped by somebody, and known", record: { state: "stopped" }, seen: { cloud: here("stopped") }, expected: { do: "rest" } },
  {
    what: "what a reclaim left behind",
    record: {},
    seen: { cloud: { kind: "here", instance: machine({ state: "stopped", endedBy: "provider" }) } },
    expected: { do: "clear-remains" },
  },
  {
    what: "what a reclaim left behind, to be started again by its cloud",
    record: {},
    seen: { cloud: { kind: "here", instance: machine({ state: "stopped", endedBy: "provider" }) }, waitsForCapacity: true },
    expected: { do: "note-stopped" },
  },
  {
    what: "the same, and known",
    record: { state: "stopped" },
    seen: { cloud: { kind: "here", instance: machine({ state: "stopped", endedBy: "provider" }) }, waitsForCapacity: true },
    expected: { do: "rest" },
  },
  {
    what: "the same, and it is back",
    record: { state: "stopped" },
    seen: { cloud: { kind: "here", instance: machine({ state: "running" }) }, waitsForCapacity: true, ready: true },
    expected: { do: "note-ready" },
  },
  {
    what: "stopped by itself, its time over",
    record: {},
    seen: { cloud: { kind: "here", instance: machine({ state: "stopped", endedBy: "guest" }) } },
    expected: { do: "let-expire" },
  },
  {
    what: "stopped from inside, where that ends nothing",
    record: {},
    seen: {
      cloud: { kind: "here", instance: machine({ state: "stopped", endedBy: "guest" }) },
      machine: { kind: "vm", notices: "alibaba", endsItself: false, volumes: "device" },
    },
    expected: { do: "note-stopped" },
  },
  {
    what: "to hibernate while it is stopped",
    record: { desired: "hibernated", state: "stopped" },
    seen: { cloud: here("stopped") },
    expected: { do: "refuse-stopped" },
  },
  {
    what: "to hibernate what cannot be, where others can",
    record: { desired: "hibernated" },
    seen: { cloud: { kind: "here", instance: machine({ canHibernate: false }) } },
    expected: { do: "snapshot-and-destroy", snapshot: true },
  },
  {
    what: "asleep, wanted, and no hardware to come back to",
    record: { state: "hibernated", parkOnly: true },
    seen: { cloud: here("hibernated") },
    expected: { do: "snapshot-and-destroy", snapshot: false },
  },
  { what: "asleep and wanted", record: { state: "hibernated" }, seen: { cloud: here("hibernated") }, expected: { do: "restore" } },
  {
    what: "coming back, and the cap is over",
    record: { state: "restoring", readyAt: null, wakeBy: NOW },
    seen: { cloud: here("restoring") },
    expected: { do: "give-up-waking" },
  },
  {
    what: "coming back on a new machine, and the cap is over",
    record: { ...young, wakeBy: NOW - 1 },
    seen: {},
    expected: { do: "give-up-waking" },
  },
  {
    what: "coming back, and the cap is not over",
    record: { state: "restoring", readyAt: null, wakeBy: NOW + 1 },
    seen: { cloud: here("restoring") },
    expected: { do: "wait" },
  },
  { what: "back in time, however long ago the cap was", record: { wakeBy: NOW - 1 }, seen: {}, expected: { do: "rest" } },
  {
    what: "wanted back while it falls asleep",
    record: { state: "hibernating" },
    seen: { cloud: here("hibernated") },
    expected: { do: "note-hibernated", parked: "native" },
  },
  {
    what: "wanted back while it is being parked",
    record: { state: "hibernating", changedAt: NOW - 1_000 },
    seen: { hibernates: "park", ready: true },
    expected: { do: "snapshot-and-destroy", snapshot: false },
  },
  {
    what: "to hibernate",
    record: { desired: "hibernated" },
    seen: {},
    expected: { do: "snapshot-and-hibernate", snapshot: true },
  },
  {
    what: "to hibernate without a checkpoint",
    record: { desired: "hibernated", skipSnapshot: true },
    seen: {},
    expected: { do: "snapshot-and-hibernate", snapshot: false },
  },
  {
    what: "to hibernate where only parking is possible",
    record: { desired: "hibernated" },
    seen: { hibernates: "park" },
    expected: { do: "snapshot-and-destroy", snapshot: true },
  },
  {
    what: "to sleep on its volume, and it has not come up",
    record: { ...young, desired: "hibernated" },
    seen: { cloud: here("provisioning"), hibernates: "park" },
    expected: { do: "snapshot-and-destroy", snapshot: false },
  },
  {
    what: "to sleep, and its new machine has not come up",
    record: { ...young, desired: "hibernated" },
    seen: { cloud: here("provisioning") },
    expected: { do: "snapshot-and-destroy", snapshot: false },
  },
  {
    what: "the same, and its end was asked for in vain",
    record: { ...young, state: "hibernating", parkOnly: true, desired: "hibernated" },
    seen: { cloud: here("provisioning") },
    expected: { do: "snapshot-and-destroy", snapshot: false },
  },
  {
    what: "to sleep, restarting, and it has served",
    record: { desired: "hibernated" },
    seen: { cloud: here("provisioning"), hibernates: "park" },
    expected: { do: "wait" },
  },
  {
    what: "to sleep, and its own disk holds its work",
    record: { state: "restoring", readyAt: null, sealedAsleep: false, desired: "hibernated", parkOnly: true },
    seen: { cloud: here("provisioning") },
    expected: { do: "wait" },
  },
  {
    what: "to sleep, and it is woken at the cloud's console",
    record: { state: "hibernated", readyAt: null, desired: "hibernated" },
    seen: { cloud: here("provisioning") },
    expected: { do: "wait" },
  },
  {
    what: "parked, its machine gone",
    record: { desired: "hibernated", state: "hibernating" },
    seen: { cloud: gone, hibernates: "park" },
    expected: { do: "note-hibernated", parked: "recreate" },
  },
  {
    what: "asleep and to sleep",
    record: { desired: "hibernated", state: "hibernated" },
    seen: { cloud: here("hibernated") },
    expected: { do: "rest" },
  },
  {
    what: "woken at the cloud's console",
    record: { desired: "hibernated", state: "hibernated", readyAt: null },
    seen: {},
    expected: { do: "snapshot-and-hibernate", snapshot: false },
  },
  { what: "to end", record: { desired: "gone" }, seen: {}, expected: { do: "snapshot-and-destroy", snapshot: true } },
  {
    what: "to end, and never ready",
    record: { ...young, desired: "gone" },
    seen: { cloud: here("provisioning") },
    expected: { do: "snapshot-and-destroy", snapshot: false },
  },
  {
    what: "ending",
    record: { desired: "gone", state: "terminating", changedAt: NOW - 1_000 },
    seen: { cloud: here("terminating") },
    expected: { do: "wait" },
  },
  {
    what: "ending for too long",
    record: { desired: "gone", state: "terminating", changedAt: NOW - 31_000 },
    seen: { cloud: here("terminating") },
    expected: { do: "snapshot-and-destroy", snapshot: false },
  },
  {
    what: "its end put off for long, and it works on",
    record: { desired: "gone", state: "terminating", changedAt: NOW - 61_000 },
    seen: {},
    expected: { do: "snapshot-and-destroy", snapshot: true },
  },
  {
    what: "the same, a moment ago",
    record: { desired: "gone", state: "terminating", changedAt: NOW - 60_000 },
    seen: {},
    expected: { do: "snapshot-and-destroy", snapshot: false },
  },
  {
    what: "the same, and its volume was let go",
    record: { desired: "gone", state: "terminating", changedAt: NOW - 61_000 },
    seen: { machine: rented },
    expected: { do: "snapshot-and-destroy", snapshot: false },
  },
  {
    what: "the same, and nobody wants a checkpoint",
    record: { desired: "gone", state: "terminating", changedAt: NOW - 61_000, skipSnapshot: true },
    seen: {},
    expected: { do: "snapshot-and-destroy", snapshot: false },
  },
  {
    what: "its sleep put off for long, and sealed once more a moment ago",
    record: {
      desired: "hibernated",
      state: "hibernating",
      changedAt: NOW - 600_000,
      outlook: { ...FRESH_OUTLOOK, sealedAgainAt: NOW - 59_000 },
    },
    seen: {},
    expected: { do: "snapshot-and-hibernate", snapshot: false },
  },
  {
    what: "wanted back while its parking is put off for long",
    record: { state: "hibernating", changedAt: NOW - 61_000 },
    seen: { hibernates: "park", ready: true },
    expected: { do: "snapshot-and-destroy", snapshot: true },
  },
  { what: "ended", record: { desired: "gone", state: "terminating" }, seen: { cloud: gone }, expected: { do: "note-gone" } },
  { what: "to end, and never began", record: { ...noMachine, desired: "gone" }, seen: { cloud: none }, expected: { do: "note-gone" } },
  {
    what: "a launch without an answer, found",
    record: noMachine,
    seen: { launchIntent: launchIntent(), foundByToken: machine(), cloud: here("provisioning") },
    expected: { do: "adopt-launch" },
  },
  {
    what: "a launch without an answer, too early to tell",
    record: noMachine,
    seen: { launchIntent: launchIntent(), cloud: none },
    expected: { do: "wait" },
  },
  {
    what: "a launch that never arrived",
    record: noMachine,
    seen: { launchIntent: launchIntent({ createdAt: NOW - 6_000 }), cloud: none },
    expected: { do: "abandon-launch" },
  },
  {
    what: "a launch without an answer is found before it is ended",
    record: { ...noMachine, desired: "gone" },
    seen: { launchIntent: launchIntent(), foundByToken: machine(), cloud: here("running") },
    expected: { do: "adopt-launch" },
  },
];

describe("the next step", () => {
  test.each(ROWS)("$what → $expected.do", (row) => {
    expect(decide(record(row.record), seen(row.seen)).action).toMatchObject(row.expected);
  });
});

const aState = fc.constantFrom(...INSTANCE_STATES);
const aNotice = fc.option(fc.constantFrom(notice, { ...notice, kind: "rebalance" as const, deadline: NOW + 5 }), { nil: null });
const aMachine = fc.record({ state: aState, notice: aNotice }).map((set) => machine(set));
const aRecord = fc
  .record({
    desired: fc.constantFrom<Desired>("running", "hibernated", "gone"),
    state: aState,
    readyAt: fc.constantFrom(null, NOW - 5_000),
    notice: aNotice,
    skipSnapshot: fc.boolean(),
    providerId: fc.constantFrom(null, "m-1"),
    changedAt: fc.integer({ min: NOW - 100_000, max: NOW + 100_000 }),
  })
  .map((set) => record(set));
const aCloud: fc.Arbitrary<CloudView> = fc.oneof(
  fc.constant(none),
  fc.constant<CloudView>({ kind: "silent", why: "down" }),
  fc.option(aMachine, { nil: null }).map((instance): CloudView => ({ kind: "gone", instance })),
  aMachine.map((instance): CloudView => ({ kind: "here", instance })),
);
const anObservation = fc
  .record({
    cloud: aCloud,
    launchIntent: fc.option(
      fc.integer({ min: -100_000, max: 100_000 }).map((age) => launchIntent({ createdAt: NOW - age })),
      { nil: null },
    ),
    foundByToken: fc.option(aMachine, { nil: null }),
    hibernates: fc.constantFrom("native" as const, "park" as const),
    ready: fc.boolean(),
    machine: fc.constantFrom(rented, seen().machine),
  })
  .map((set) => seen(set));

/** The states that a record is in when something of it may exist at the provider, or is to. */
const isLiving = (state: InstanceState) => state !== "gone";

function always(holds: (of: InstanceRecord, what: Observation, action: Action) => void): void {
  fc.assert(
    fc.property(aRecord, anObservation, (of, what) => holds(of, what, decide(of, what).action)),
    { numRuns: 3_000 },
  );
}

const ENDS: readonly Action["do"][] = ["snapshot-and-destroy", "discard"];

describe("whatever is seen", () => {
  test("the same observation gives the same answer, and never throws", () => {
    always((of, what, action) => {
      expect(decide(of, what).action).toEqual(action);
    });
  });

  test("nothing is launched while a launch has no answer, or where there is a machine, or against the wish", () => {
    always((of, what, action) => {
      if (action.do !== "launch") return;
      expect(what.launchIntent).toBeNull();
      expect(what.cloud.kind).toBe("none");
      expect(of.desired).toBe("running");
    });
  });

  test("nothing is concluded from a provider's silence", () => {
    always((of, what, action) => {
      if (what.cloud.kind === "silent" && what.foundByToken === null) expect(action.do).toBe("wait");
      expect(of.name).toBe("train");
    });
  });

  test("a machine that is wanted is ended only when it failed or its parking was begun", () => {
    always((of, what, action) => {
      if (of.desired !== "running" || !ENDS.includes(action.do)) return;
      expect(what.cloud.kind).toBe("here");
      const failed = what.cloud.kind === "here" && what.cloud.instance.state === "failed";
      expect(failed || (of.state === "hibernating" && what.hibernates === "park")).toBe(true);
    });
  });

  test("gone is written down only when the provider says so, or there never was a machine", () => {
    always((_of, what, action) => {
      if (action.do === "note-gone" || action.do === "note-lost") expect(["gone", "none"]).toContain(what.cloud.kind);
      if (action.do === "note-lost") expect(what.cloud.kind).toBe("gone");
    });
  });

  test("a checkpoint is asked of a machine that was ready, and only once on the way down", () => {
    always((of, what, action) => {
      if (!("snapshot" in action) || !action.snapshot) return;
      expect(of.readyAt).not.toBeNull();
      expect(of.skipSnapshot).toBe(false);
      // Again only where its end was put off for long, and the workload works on meanwhile.
      if (of.state !== (of.desired === "gone" ? "terminating" : "hibernating")) return;
      expect(what.now - of.changedAt).toBeGreaterThan(60_000);
      expect(what.machine.volumes).toBe("mounted");
    });
  });

  test("a wait has an end", () => {
    always((_of, _what, action) => {
      if (action.do === "wait") expect(action.ms).toBeGreaterThan(0);
      if (action.do === "wait") expect(action.ms).toBeLessThanOrEqual(1_000);
    });
  });

  test("the state that a step writes down is one that the record may move to", () => {
    always((of, what, action) => {
      const to = target(of, action);
      // A record whose launch has no answer yet is `requested`, and one without a machine is not at work.
      const isPossible = isLiving(of.state) && (what.launchIntent === null || of.state === "requested") && isConsistent(of, what);
      if (to !== null && isPossible) expect([`${of.state} → ${to}`, mayMove(of.state, to)]).toEqual([`${of.state} → ${to}`, true]);
    });
  });
});

/** States that only the provider's own words can put into a record of ours, and that none of our steps writes. */
const NEVER_WRITTEN: readonly InstanceState[] = ["stopping", "stopped", "failed", "unknown"];

function isConsistent(of: InstanceRecord, what: Observation): boolean {
  if (NEVER_WRITTEN.includes(of.state)) return false;
  const hasMachine = what.cloud.kind !== "none";
  if (of.state === "requested") return !hasMachine;
  // A wish to end is never taken back.
  if (of.state === "terminating") return hasMachine && of.desired === "gone";
  return hasMachine || of.state === "hibernated";
}

/** The state that performing an action writes into the record. */
function target(of: InstanceRecord, action: Action): InstanceState | null {
  switch (action.do) {
    case "launch":
      return "requested";
    case "adopt-launch":
      return "provisioning";
    case "note-ready":
    case "note-withdrawn":
      return "running";
    case "note-notice":
      return action.instance.notice?.kind === "reclaim" ? "reclaiming" : null;
    case "note-lost":
      return "requested";
    case "snapshot-and-hibernate":
      return "hibernating";
    case "note-hibernated":
      return "hibernated";
    case "restore":
      return "restoring";
    case "snapshot-and-destroy":
      return of.desired === "gone" ? "terminating" : "hibernating";
    case "note-gone":
      return "gone";
    default:
      return null;
  }
}

test("a machine that holds nothing until its copy has come is not hibernated, and one that has begun has its volume named first", () => {
  const both = [
    { name: "work", id: "v-2", mount: "/data" },
    { name: "work", id: "v-1", mount: "/data" },
  ];
  const waking = record({ volumes: both, desired: "hibernated", state: "provisioning", readyAt: null });
  const guest = { ...report({ phase: "preparing" }), awaitsCheckpoint: "c-7" };
  expect(decide(waking, seen({ guest })).action).toMatchObject({ do: "snapshot-and-destroy", snapshot: false });
  expect(decide(waking, seen({ guest: report({ phase: "restoring" }) })).action).toEqual({ do: "note-arrived" });
  expect(decide({ ...waking, desired: "running" }, seen({ guest: report({ phase: "running" }) })).action).toEqual({ do: "note-arrived" });
  expect(decide({ ...waking, desired: "gone" }, seen({ guest: report({ phase: "running" }) })).action.do).toBe("snapshot-and-destroy");
  // Two volumes of its own are no copy.
  const two = { ...waking, readyAt: NOW, state: "running" as const, volumes: both.map((one) => ({ ...one, name: one.id })) };
  expect(decide(two, seen({ guest: report({ phase: "running" }) })).action.do).toBe("snapshot-and-hibernate");
});
