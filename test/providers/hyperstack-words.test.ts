import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { refusalOf, saysCannotHibernate, stateOf } from "../../src/providers/hyperstack/codes.ts";
import { loginOf, newestUbuntuWithCuda } from "../../src/providers/hyperstack/images.ts";
import { environmentName, keypairName } from "../../src/providers/hyperstack/places.ts";
import { pricesOf } from "../../src/providers/hyperstack/prices.ts";
import { dollars, isId, timeOf } from "../../src/providers/hyperstack/wire.ts";

const NOON = Date.UTC(2026, 8, 1, 12);

describe("times", () => {
  const zone = process.env["TZ"];
  afterEach(() => {
    if (zone === undefined) delete process.env["TZ"];
    else process.env["TZ"] = zone;
  });

  test("without a zone they are UTC, whatever the zone of this machine", () => {
    process.env["TZ"] = "America/New_York";
    expect(new Date(NOON).getHours()).not.toBe(12);
    for (const told of [
      "2026-09-01T12:00:00",
      "2026-09-01T12:00:00Z",
      "2026-09-01T12:00:00+00:00",
      "2026-09-01 12:00:00",
      "2026-09-01T14:00:00+02:00",
    ])
      expect(timeOf(told), told).toBe(NOON);
    expect(timeOf("2026-09-01T12:00:00.250")).toBe(NOON + 250);
    expect([timeOf(null), timeOf(""), timeOf("soon")]).toEqual([null, null, null]);
  });
});

describe("prices", () => {
  test("are exact products of decimal text, rounded once", () => {
    const micros = (price: string | number, units: number) => dollars(price, units)?.micros;
    expect(micros("2.000000000", 8)).toBe(16_000_000n);
    expect(micros("0.000096774", 200)).toBe(19_355n);
    // Rounded per GB it would be 0.000097, and 200 GB 0.0194.
    expect(micros(0.15, 2)).toBe(300_000n);
    expect(micros("1e-7", 3)).toBe(0n);
    expect(micros("5E-7", 1)).toBe(1n);
    expect(micros("1.2E1", 1)).toBe(12_000_000n);
  });

  test("what is no price is none", () => {
    for (const nonsense of ["", "free", "-1", "1,5", "NaN", null]) expect(dollars(nonsense, 1)).toBeNull();
    expect(dollars("1", 1.5)).toBeNull();
  });

  test("agree with arithmetic in whole numbers", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 ** 9 }), fc.integer({ min: 0, max: 16 }), (nanos, units) => {
        const text = `${Math.floor(nanos / 1e9)}.${String(nanos % 1e9).padStart(9, "0")}`;
        expect(dollars(text, units)?.micros).toBe((BigInt(nanos) * BigInt(units) + 500n) / 1000n);
      }),
    );
  });

  test("0E-9, which is nothing, and a name that is not in the book are no price", () => {
    const prices = pricesOf([{ name: "L40-spot", value: "0E-9", start_time: null, end_time: null }], NOON);
    expect([prices.of("L40-spot", 1), prices.of("L40", 1), prices.of(null, 1)]).toEqual([null, null, null]);
  });

  test("the row that holds now counts", () => {
    const row = (value: string, start_time: string | null, end_time: string | null) => ({ name: "L40", value, start_time, end_time });
    const book = [
      row("3", "2026-09-02T00:00:00", null),
      row("2", "2026-01-01T00:00:00", null),
      row("1", "2024-01-01T00:00:00Z", null),
      row("9", null, "2026-09-01T12:00:00"),
    ];
    expect(pricesOf(book, NOON).of("L40", 1)?.micros).toBe(2_000_000n);
    expect(pricesOf(book, Date.UTC(2026, 8, 3)).of("L40", 1)?.micros).toBe(3_000_000n);
  });
});

describe("states", () => {
  test("every documented word has a meaning, any other is unknown", () => {
    const words =
      "CREATING BUILD PRE_ACTIVE STARTING REBOOTING RESTORING ACTIVE STOPPING HIBERNATING SHUTOFF HIBERNATED DELETING DELETED ERROR";
    for (const word of words.split(" ")) expect(stateOf(word), word).not.toBe("unknown");
    for (const word of ["QUIESCING", "", null, "constructor", "__proto__"]) expect(stateOf(word)).toBe("unknown");
    expect([stateOf("SHUTOFF"), stateOf("HIBERNATED"), stateOf("DELETED")]).toEqual(["stopped", "hibernated", "gone"]);
  });
});

describe("refusals", () => {
  const refusal = (status: number, body: unknown, change: { readonly hasBody?: boolean } = {}) =>
    refusalOf(
      { status, headers: {}, text: typeof body === "string" ? body : JSON.stringify(body), asked: "POST /x", effect: "change" },
      { now: NOON, waitMs: 17_000, unknown400: { kind: "no-capacity", scope: "offer" }, hasBody: change.hasBody ?? true },
    );
  const kindOf = (message: string, hasBody = true) =>
    refusal(400, { status: false, message, error_reason: "bad_request" }, { hasBody }).fault.kind;

  test("a 400 is told by its text", () => {
    expect(kindOf("Your account balance is not sufficient to deploy this resource.")).toBe("quota");
    expect(kindOf("The VM hibernation process is still going on. Please try later.")).toBe("conflict");
    expect(kindOf("VM 793734 is currently being used to create a snapshot and no operation can be performed.")).toBe("conflict");
    expect(kindOf("VM 12 is in STOPPING state and cannot be restored.")).toBe("conflict");
    expect(kindOf("There are already attached Volumes")).toBe("conflict");
    expect(kindOf("Some volumes are not attached with the given VM.")).toBe("conflict");
    expect(kindOf("count: Not a valid number.")).toBe("invalid-request");
    expect(kindOf("name: Longer than maximum length 50.")).toBe("invalid-request");
  });

  test("want of stock has no code and no documented text: what nobody has seen is that", () => {
    for (const text of [
      "Out of stock",
      "No capacity in this state of affairs",
      "Flavor n3-H100x1-spot is not available",
      "Nope, come back tomorrow",
    ])
      expect(kindOf(text), text).toBe("no-capacity");
    // Nothing was sent that could be wrong.
    expect(kindOf("invalid placement", false)).toBe("no-capacity");
  });

  test("without a reason the HTTP status decides", () => {
    expect(refusal(401, { message: "no" })).toMatchObject({ fault: { kind: "auth" }, rawCode: "http-401" });
    expect(refusal(402, { message: "no" }).fault.kind).toBe("quota");
    expect(refusal(403, { message: "no" }).fault.kind).toBe("auth");
    expect(refusal(409, { message: "no", error_reason: "already_exist" })).toMatchObject({
      fault: { kind: "conflict" },
      rawCode: "already_exist",
    });
    expect(refusal(500, { message: "Internal Server Error" }).fault.kind).toBe("ambiguous");
    expect(refusal(405, "<html>").fault.kind).toBe("invalid-request");
    expect(refusal(429, "")).toMatchObject({ fault: { kind: "rate-limited", retryAfterMs: 17_000 } });
  });

  test("only a text that says so makes a machine one that can never hibernate", () => {
    for (const text of [
      "Hibernation is not supported for flavor n3.",
      "This flavor does not support hibernation",
      "VM cannot be hibernated",
      "hibernation disabled for this flavor",
      // The vendor's own words for what an account has not got; they name no feature.
      "This feature is currently disabled",
    ])
      expect(saysCannotHibernate(text), text).toBe(true);
    for (const text of [
      "The VM hibernation process is still going on. Please try later.",
      "Hibernation is not possible at the moment",
      "Internal error",
      "Hibernation is temporarily disabled",
    ])
      expect(saysCannotHibernate(text), text).toBe(false);
  });
});

describe("names", () => {
  test("an environment per region, a key pair per key, all within 50 characters", () => {
    expect(environmentName("CANADA-1")).toBe("spot-canada-1");
    const home = environmentName("A-REGION-WITH-A-NAME-THAT-NOBODY-WOULD-GIVE-TO-A-REGION-1");
    expect(keypairName(home, "ssh-ed25519 AAAA me@here").length).toBeLessThanOrEqual(50);
    expect(keypairName("e", "ssh-ed25519 AAAA me@here")).toBe(keypairName("e", " ssh-ed25519 AAAA other comment\n"));
    expect(keypairName("e", "ssh-ed25519 AAAA")).not.toBe(keypairName("e", "ssh-ed25519 AAAB"));
  });

  test("ids are integers, and nothing else is sent", () => {
    expect(["1", "793734"].every(isId)).toBe(true);
    expect(["", "0", "01", "-1", "1.5", "1/../2", "x", "1e3", "12345678901234567"].some(isId)).toBe(false);
  });
});

describe("images", () => {
  const image = (name: string, is_public: boolean | null = true) => ({ id: name, name, type: null, region_name: null, is_public });
  test("the newest public Ubuntu with CUDA, and of equals the plainest", () => {
    const names = [
      "Ubuntu Server 22.04 LTS R570 CUDA 12.8",
      "Ubuntu Server 24.04 LTS R570 CUDA 12.8 with Docker",
      "Ubuntu Server 24.04 LTS R570 CUDA 12.8",
      "Ubuntu Server 24.04 LTS R550 CUDA 12.4",
      "Ubuntu Server 26.04 LTS",
      "Debian 13 CUDA 13.0",
      "Ubuntu Server 24.04 LTS R580 CUDA 13.0 for Kubernetes",
    ];
    expect(newestUbuntuWithCuda(names.map((name) => image(name)))).toBe("Ubuntu Server 24.04 LTS R570 CUDA 12.8");
    expect(newestUbuntuWithCuda([...names.map((name) => image(name)), image("Ubuntu Server 24.10 CUDA 12.8", false)])).toBe(
      "Ubuntu Server 24.04 LTS R570 CUDA 12.8",
    );
    expect(newestUbuntuWithCuda([image("Windows Server 2022")])).toBeNull();
  });

  test("who logs in follows from the image", () => {
    expect(["Ubuntu Server 24.04", "Debian 12", "Rocky Linux 9", "my-snapshot"].map(loginOf)).toEqual([
      "ubuntu",
      "debian",
      "rocky",
      "ubuntu",
    ]);
  });
});
