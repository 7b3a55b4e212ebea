import { expect, test } from "vitest";
import { type GuardSeen, guardOf } from "../../src/model/guard.ts";
import { guardCell, idleLine, type LastPass, ttlLine } from "../../src/output/guard-text.ts";
import { instancesView } from "../../src/output/instances-view.ts";
import { plainPainter } from "../../src/output/painter.ts";
import type { InstanceRecord } from "../../src/state/records.ts";
import { record } from "../fleet/samples.ts";

const NOW = Date.UTC(2026, 10, 21, 14, 0, 0);
const ENDS = Date.UTC(2026, 10, 21, 18, 0, 0);
const HEARD: GuardSeen = { heartbeatAt: NOW - 12_000, askedAt: NOW - 11_000, silentAt: null };
const SILENT: GuardSeen = { heartbeatAt: NOW - 400_000, askedAt: NOW - 1_000, silentAt: NOW - 360_000 };

function said(set: Partial<InstanceRecord>, seen: GuardSeen | undefined, last: LastPass | null = null) {
  const of = record({ ttlEndsAt: ENDS, ...set });
  const guard = guardOf(of, seen, NOW);
  if (guard === null) return null;
  return { ttl: ttlLine(of, guard, last, NOW), idle: idleLine(of, guard, last, NOW), cell: guardCell(guard, NOW), by: guard.ttlBy };
}

const NONE = "spot watch --act or reconcile (none has looked here lately: spot service install)";

test("where the machine ends itself its agent is first, then the cloud where it can, then spot", () => {
  expect(said({ provider: "gcp" }, HEARD)).toEqual({
    ttl: `at 18:00Z: by its agent (heard 12s ago), else by Google at 18:03Z, else by ${NONE}`,
    idle: null,
    cell: "agent, 12s ago",
    by: ["agent", "cloud", "controller"],
  });
  expect(said({ provider: "aws" }, HEARD, { by: "watch --act", at: NOW - 20_000 })?.ttl).toBe(
    "at 18:00Z: by its agent (heard 12s ago), else by spot watch --act (it looked 20s ago)",
  );
  expect(said({ provider: "aws", ttlEndsAt: ENDS + 86_400_000 }, undefined)).toMatchObject({
    ttl: `at 2026-11-22T18:00Z: by its agent (not asked yet), else by ${NONE}`,
    cell: "agent, not asked yet",
  });
});

test("where it cannot, spot is first", () => {
  expect(said({ provider: "alibaba" }, HEARD)).toMatchObject({ by: ["controller", "cloud"], cell: "spot, 12s ago" });
  expect(said({ provider: "ppio", idleMs: 1_800_000 }, HEARD)).toEqual({
    ttl: `at 18:00Z: by ${NONE}`,
    idle: `when it has been idle for 30m: by ${NONE}, when its agent says so (heard 12s ago)`,
    cell: "spot, 12s ago",
    by: ["controller"],
  });
});

test("an agent that does not answer guards nothing, and it is said what is left", () => {
  expect(said({ provider: "gcp", idleMs: 1_800_000 }, SILENT)).toEqual({
    ttl: `at 18:00Z: by Google at 18:03Z, else by ${NONE}; its agent does not answer (heard 6m 40s ago)`,
    idle: "when it has been idle for 30m: by nobody: its agent does not answer (heard 6m 40s ago)",
    cell: "agent silent 6m: cloud",
    by: ["cloud", "controller"],
  });
  expect(said({ provider: "aws", ttlEndsAt: null, idleMs: 1_800_000 }, SILENT)?.cell).toBe("agent silent 6m: nobody");
});

test("fresh is what was heard within ten minutes; nothing guards what is gone or has no time", () => {
  const fresh = (seen: GuardSeen | undefined) => guardOf(record({ ttlEndsAt: ENDS }), seen, NOW)?.fresh;
  expect([fresh(HEARD), fresh({ ...HEARD, heartbeatAt: NOW - 600_001 }), fresh(SILENT), fresh(undefined)]).toEqual([
    true,
    false,
    false,
    false,
  ]);
  expect(said({ ttlEndsAt: null }, HEARD)).toBeNull();
  expect(said({ state: "gone" }, HEARD)).toBeNull();
  expect(said({ provider: "gcp", state: "hibernated", parked: "recreate" }, HEARD)?.by).toEqual(["controller"]);
});

test("ls has a column and a field for it, and no column where nobody needs one", async () => {
  const rows = [record({ name: "a", provider: "gcp", ttlEndsAt: ENDS, idleMs: 60_000 }), record({ name: "b" })].map((of, index) => ({
    record: of,
    cost: undefined,
    now: NOW,
    guard: guardOf(of, index === 0 ? HEARD : undefined, NOW),
  }));
  const view = instancesView(rows);
  const lines = String(await view.render(plainPainter, 220)).split("\n");
  expect(lines[0]).toContain("GUARD");
  expect(lines[1]).toContain("agent, 12s ago");
  expect((view.data as readonly Readonly<Record<string, unknown>>[]).map(({ guard }) => guard)).toEqual([
    { ttlBy: ["agent", "cloud", "controller"], idleBy: ["agent"], heartbeatAt: "2026-11-21T13:59:48.000Z", fresh: true, silentSince: null },
    null,
  ]);
  expect(await instancesView(rows.slice(1)).render(plainPainter, 220)).not.toContain("GUARD");
});
