import * as v from "valibot";
import { describe, expect, test } from "vitest";
import type { CloudAnswer } from "../../src/providers/cloud-http.ts";
import { deniesResource, operationFault, refusalOf, stateOf } from "../../src/providers/gcp/codes.ts";
import { toInstance } from "../../src/providers/gcp/instances.ts";
import { deviceName, labelsOf, placed, placedIn, regionOf, requestId, resourceName } from "../../src/providers/gcp/names.ts";
import { endingOf } from "../../src/providers/gcp/operations.ts";
import { instanceSchema } from "../../src/providers/gcp/wire.ts";

const NOW = Date.UTC(2026, 10, 1, 12, 0, 20);

function answer(status: number, reason: string, message = "no", effect: "read" | "change" = "change"): CloudAnswer {
  const text = JSON.stringify({ error: { code: status, message, errors: [{ domain: "global", reason, message }] } });
  return { status, headers: { date: new Date(NOW).toUTCString() }, text, asked: "POST /x", effect };
}

describe("Google's words in ours", () => {
  test.each([
    ["PROVISIONING", "provisioning"],
    ["STAGING", "provisioning"],
    ["RUNNING", "running"],
    ["STOPPING", "stopping"],
    ["PENDING_STOP", "stopping"],
    ["TERMINATED", "stopped"],
    ["STOPPED", "stopped"],
    ["SUSPENDED", "stopped"],
    ["DEPROVISIONING", "terminating"],
    ["LEVITATING", "unknown"],
    ["constructor", "unknown"],
  ] as const)("%s is %s", (theirs, ours) => {
    expect(stateOf(theirs)).toBe(ours);
  });

  test.each([
    [503, "ZONE_RESOURCE_POOL_EXHAUSTED", { kind: "no-capacity", scope: "offer" }],
    [400, "ipSpaceExhausted", { kind: "no-capacity", scope: "zone" }],
    [403, "quotaExceeded", { kind: "quota", scope: "region" }],
    // The rest of the cloud's minute: it is twenty past.
    [403, "rateLimitExceeded", { kind: "rate-limited", retryAfterMs: 40_000 }],
    [403, "userRateLimitExceeded", { kind: "rate-limited", retryAfterMs: 40_000 }],
    [403, "forbidden", { kind: "auth" }],
    [403, "accessNotConfigured", { kind: "auth" }],
    [404, "notFound", { kind: "not-found" }],
    [409, "alreadyExists", { kind: "conflict" }],
    [412, "conditionNotMet", { kind: "conflict" }],
    [400, "resourceNotReady", { kind: "conflict" }],
    [400, "resourceInUseByAnotherResource", { kind: "conflict" }],
    [400, "invalid", { kind: "invalid-request" }],
    [400, "somethingNew", { kind: "invalid-request" }],
    // A server in trouble may have done it, whatever it calls the trouble.
    [503, "backendError", { kind: "ambiguous" }],
    [500, "forbidden", { kind: "ambiguous" }],
  ] as const)("HTTP %i %s", (status, reason, fault) => {
    expect(refusalOf(answer(status, reason), NOW)).toMatchObject({ fault, rawCode: reason });
  });

  test("a stock-out that is told by its sentence alone is one", () => {
    const said =
      "The zone 'projects/p/zones/z' does not have enough resources available to fulfill the request.  Try a different zone, or try again later.";
    expect(refusalOf(answer(503, "backendError", said), NOW).fault).toEqual({ kind: "no-capacity", scope: "offer" });
    expect(operationFault([{ code: "RESOURCE_ERROR", message: said }], "x").fault).toEqual({ kind: "no-capacity", scope: "offer" });
  });

  test("a quota is of its region, unless it is of the whole project", () => {
    const region = "Quota 'PREEMPTIBLE_NVIDIA_L4_GPUS' exceeded.  Limit: 0.0 in region us-central1.";
    const project = "Quota 'GPUS_ALL_REGIONS' exceeded.  Limit: 0.0 globally.";
    expect(operationFault([{ code: "QUOTA_EXCEEDED", message: region }], "x").fault).toEqual({ kind: "quota", scope: "region" });
    expect(operationFault([{ code: "QUOTA_EXCEEDED", message: project }], "x").fault).toEqual({ kind: "quota" });
    expect(refusalOf(answer(403, "quotaExceeded", project), NOW).fault).toEqual({ kind: "quota" });
  });

  test("of several errors of an operation the stock-out counts", () => {
    const errors = [
      { code: "QUOTA_EXCEEDED", message: "a" },
      { code: "ZONE_RESOURCE_POOL_EXHAUSTED", message: "b" },
    ];
    expect(operationFault(errors, "x")).toMatchObject({ fault: { kind: "no-capacity" }, rawCode: "ZONE_RESOURCE_POOL_EXHAUSTED" });
  });

  test("only Google's own 404 of this very resource denies it", () => {
    const said = "The resource 'projects/p/zones/z/instances/vm' was not found";
    expect(deniesResource(answer(404, "notFound", said), "instances/vm")).toBe(true);
    expect(deniesResource(answer(404, "notFound", said), "instances/v")).toBe(false);
    expect(deniesResource(answer(404, "notFound", "The resource 'projects/p' was not found"), "instances/vm")).toBe(false);
    expect(deniesResource({ ...answer(404, ""), text: "<html>/instances/vm'</html>" }, "instances/vm")).toBe(false);
  });
});

describe("names", () => {
  test("an id carries its zone; what has another form is none", () => {
    expect(placed("us-central1-a/train-t-1")).toEqual({ zone: "us-central1-a", name: "train-t-1" });
    for (const odd of [
      "no-such-instance",
      "global/x",
      "us-central1-a/Upper",
      "us-central1-a/../x",
      "us-central1-a/",
      "/x",
      "us-central1-a/x/y",
    ])
      expect(placed(odd), odd).toBeNull();
    expect(regionOf("europe-west4-b")).toBe("europe-west4");
    expect(placedIn("https://www.googleapis.com/compute/v1/projects/p/zones/us-central1-a/disks/d1")).toBe("us-central1-a/d1");
    expect(placedIn("projects/p/global/snapshots/s")).toBeNull();
  });

  test("of resources fit Google's form, whatever ours are, and keep their token", () => {
    for (const name of ["train", "a".repeat(40), "Über.Job_7", "7up", "x-"]) {
      const made = resourceName(name, "t-0123456789");
      expect(made).toMatch(/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/);
      expect(made.endsWith("-t-0123456789")).toBe(true);
    }
  });

  test("labels fit Google's form, and a person's own never override ours", () => {
    const labels = labelsOf("train", "t-1", { "spot-fleet-name": "x", "SPOT-FLEET-TOKEN": "y", "Team/Name": "Ä b", "9lives": "no" });
    expect(labels).toEqual({ "team-name": "-b", "spot-fleet-token": "t-1", "spot-fleet-name": "train" });
    const many = labelsOf("train", "t-1", Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`k${index}`, "v"])));
    expect(Object.keys(many).length).toBeLessThanOrEqual(64);
    expect(many["spot-fleet-token"]).toBe("t-1");
  });

  test("a request id is a UUID, never zero, the same for the same words alone", () => {
    const one = requestId("launch", "t-1");
    expect(one).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(requestId("launch", "t-1")).toBe(one);
    expect(new Set([one, requestId("disk", "t-1"), requestId("launch", "t-2"), requestId("launcht-", "1")]).size).toBe(4);
  });

  test("a device name is short, safe and told by the disk alone", () => {
    expect(deviceName("work-t-1")).toMatch(/^spot-[0-9a-f]{12}$/);
    expect(deviceName("work-t-1")).not.toBe(deviceName("work-t-2"));
  });
});

describe("who stopped a machine", () => {
  const operation = (operationType: string, insertTime: number | null, statusMessage = "") => ({
    name: "o",
    status: "DONE",
    operationType,
    targetLink: "",
    targetId: "",
    user: "",
    statusMessage,
    insertTime,
    startTime: null,
    error: null,
  });

  test("what Google starts again by itself is no remains, also while it stands still", () => {
    const wire = {
      name: "vm",
      zone: "zones/us-central1-a",
      machineType: "zones/us-central1-a/machineTypes/g2-standard-4",
      status: "TERMINATED",
    };
    const ending = { endedBy: "provider", reason: "host error" } as const;
    const around = { market: undefined, clockOffsetMs: 0, login: "spot", ending, isEndedByUs: false };
    const shown = (automaticRestart: boolean) => toInstance(v.parse(instanceSchema, { ...wire, scheduling: { automaticRestart } }), around);
    expect(shown(false)).toMatchObject({ state: "stopped", endedBy: "provider", reason: "host error" });
    expect(shown(true)).toMatchObject({ state: "stopped", endedBy: null, reason: "host error" });
  });

  test("the newest operation that tells, since the machine last started", () => {
    const preempted = operation("compute.instances.preempted", 1_000_000, "Instance was preempted.");
    const labelled = operation("setLabels", 2_000_000);
    expect(endingOf([labelled, preempted], 500_000)).toEqual({ endedBy: "provider", reason: "preempted: Instance was preempted." });
    expect(endingOf([labelled, preempted], 1_500_000)).toBeUndefined();
    expect(endingOf([operation("stop", 3_000_000), preempted], 500_000)).toMatchObject({ endedBy: "user" });
    expect(endingOf([operation("compute.instances.guestTerminate", 3_000_000)], null)).toMatchObject({ endedBy: "guest" });
    expect(endingOf([], null)).toBeUndefined();
  });
});
