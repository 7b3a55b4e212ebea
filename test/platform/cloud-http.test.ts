import { inspect } from "node:util";
import * as v from "valibot";
import { describe, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import {
  type CloudHttp,
  type CloudHttpOptions,
  type CloudRequest,
  cloudHttp,
  parsed,
  refusalByStatus,
  retryAfterMs,
} from "../../src/providers/cloud-http.ts";
import { ProviderError } from "../../src/providers/errors.ts";
import { type FakeAnswer, type FakeRequest, type FakeServer, fakeServer } from "../clouds/fake-server.ts";

const never = new AbortController().signal;

interface Wire {
  readonly server: FakeServer;
  readonly http: CloudHttp;
}

async function wireTo(
  handle: (request: FakeRequest) => FakeAnswer | Promise<FakeAnswer>,
  change: Partial<CloudHttpOptions> = {},
  dateOffsetMs: () => number = () => 0,
): Promise<Wire> {
  const server = await fakeServer({ handle, dateOffsetMs });
  const http = cloudHttp({
    provider: "test",
    baseUrl: `${server.url}/v1`,
    clock: systemClock,
    env: {},
    headers: () => ({}),
    secrets: () => [],
    ...change,
  });
  onTestFinished(async () => {
    await http.close();
    await server.close();
  });
  return { server, http };
}

const read = (change: Partial<CloudRequest> = {}): CloudRequest => ({
  method: "GET",
  path: "/things",
  effect: "read",
  signal: never,
  ...change,
});
const doIt = (change: Partial<CloudRequest> = {}): CloudRequest => ({
  method: "POST",
  path: "/things",
  effect: "change",
  signal: never,
  ...change,
});

async function errorOf(call: Promise<unknown>): Promise<ProviderError> {
  const error = await call.then(
    (value) => {
      throw new Error(`it ended well: ${inspect(value).slice(0, 200)}`);
    },
    (failure: unknown) => failure,
  );
  if (!(error instanceof ProviderError)) throw error;
  return error;
}

describe("what is sent", () => {
  test("the path below the base, the query, the body and its type, and who asks", async () => {
    const { server, http } = await wireTo(() => ({ status: 200, body: {} }), { headers: () => ({ "x-key": "k" }) });
    await http.send(read({ query: { page: 2, all: true, none: undefined, text: "a b&c" } }));
    await http.send(doIt({ body: { a: "ü" } }));
    await http.send(doIt({ form: { grant: "x y", secret: "a&b" }, headers: { "x-more": "1" } }));
    const [first, second, third] = server.requests;
    expect(first).toMatchObject({ method: "GET", path: "/v1/things", body: "" });
    expect(first?.query.toString()).toBe("page=2&all=true&text=a+b%26c");
    expect(first?.headers).toMatchObject({
      accept: "application/json",
      "accept-encoding": "identity",
      "user-agent": "spot-fleet",
      "x-key": "k",
    });
    expect(first?.headers["content-type"]).toBeUndefined();
    expect(second?.json()).toEqual({ a: "ü" });
    expect(second?.headers["content-type"]).toBe("application/json");
    expect(third).toMatchObject({ body: "grant=x+y&secret=a%26b", headers: { "x-more": "1" } });
    expect(third?.headers["content-type"]).toBe("application/x-www-form-urlencoded");
  });

  test("a base that is no URL is told at the first question, and nothing before", async () => {
    for (const baseUrl of ["", "api.example.com", "ftp://x", "http://"]) {
      const { http } = await wireTo(() => ({ status: 200 }), { baseUrl });
      const error = await errorOf(http.send(read()));
      expect(error.fault.kind).toBe("invalid-request");
      expect(error.message).toContain("is not a URL");
    }
  });

  test("a credential with a line break is told as such, and not quoted", async () => {
    const { server, http } = await wireTo(() => ({ status: 200 }), { headers: () => ({ authorization: "Bearer canary-1\n" }) });
    for (const request of [read(), doIt()]) {
      const error = await errorOf(http.send(request));
      expect(error.fault.kind).toBe("invalid-request");
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain("canary-1");
    }
    expect(server.requests).toEqual([]);
  });
});

describe("how often", () => {
  test("a read is asked three times, a change once", async () => {
    for (const body of ["<html>", { message: "oh" }]) {
      const { server, http } = await wireTo(() => ({ status: 503, body }));
      expect((await http.send(read())).status).toBe(503);
      expect(server.requests).toHaveLength(3);
      expect((await http.send(doIt())).status).toBe(503);
      expect(server.requests).toHaveLength(4);
    }
  });

  test("a GET that changes something is a change, a POST that only asks is a read", async () => {
    const { server, http } = await wireTo(() => ({ status: 500 }));
    await http.send(doIt({ method: "GET" }));
    expect(server.requests).toHaveLength(1);
    await http.send(read({ method: "POST" }));
    expect(server.requests).toHaveLength(4);
  });

  test("a refusal is no reason to ask again", async () => {
    for (const status of [400, 401, 404, 409, 429]) {
      const { server, http } = await wireTo(() => ({ status }));
      expect((await http.send(read())).status).toBe(status);
      expect(server.requests).toHaveLength(1);
    }
  });

  test("a signal between two questions ends it, without another", async () => {
    const { server, http } = await wireTo(() => ({ status: 500 }));
    const own = new AbortController();
    const call = errorOf(http.send(read({ signal: own.signal })));
    await expect.poll(() => server.requests.length).toBe(2);
    await systemClock.sleep(100);
    own.abort();
    expect((await call).fault.kind).toBe("unavailable");
    await systemClock.sleep(1_000);
    expect(server.requests).toHaveLength(2);
  });

  test("headers that have to be fetched first fail as they fail", async () => {
    const refused = new ProviderError("test", { kind: "auth" }, "no credentials");
    const { server, http } = await wireTo(() => ({ status: 200 }), { headers: () => Promise.reject(refused) });
    expect(await errorOf(http.send(doIt()))).toBe(refused);
    expect(server.requests).toEqual([]);
  });
});

describe("redirects", () => {
  test("are not followed, and say where they lead without our secrets", async () => {
    const secret = "canary/redirect+key==";
    const elsewhere = await fakeServer({ handle: () => ({ status: 200 }) });
    onTestFinished(() => elsewhere.close());
    for (const status of [301, 302, 303, 307, 308]) {
      const location = `${elsewhere.url}/?next=${encodeURIComponent(secret)}\u0007`;
      const { http } = await wireTo(() => ({ status, headers: { location: location.replaceAll("\u0007", "") } }), {
        headers: () => ({ authorization: `Bearer ${secret}` }),
      });
      for (const request of [read(), doIt()]) {
        const error = await errorOf(http.send(request));
        expect(error.fault.kind).toBe(status === 303 && request.effect === "change" ? "ambiguous" : "invalid-request");
        expect(error.message).toContain(`redirects to ${elsewhere.url}`);
        expect(error.message).not.toMatch(/canary/);
      }
    }
    expect(elsewhere.requests).toEqual([]);
  });
});

describe("secrets", () => {
  const secret = `sk/${"a+b=c.d*e(f)$|[x]\\"}-0123456789`;
  const spellings: Readonly<Record<string, string>> = {
    "as it is": secret,
    "in JSON": JSON.stringify(secret).slice(1, -1),
    "in JSON, every sign escaped": [...secret]
      .map((sign) => (/\w/.test(sign) ? sign : `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`))
      .join(""),
    "in JSON, with slashes as some languages write them": JSON.stringify(secret).slice(1, -1).replaceAll("/", "\\/"),
    "in a URL": encodeURIComponent(secret),
    "in a URL, in small letters": encodeURIComponent(secret).toLowerCase(),
  };

  test.each(Object.entries(spellings))("are blotted out of what a server says: %s", async (_, spelling) => {
    const { http } = await wireTo(() => ({ status: 400, body: `{"message":"bad key ${spelling}!"}` }), { secrets: () => [secret] });
    const { text } = await http.send(read());
    expect(text).toBe('{"message":"bad key [hidden]!"}');
  });

  test("what was sent as a credential is one, whether it was named or not", async () => {
    for (const name of ["authorization", "api_key", "x-api-key", "X-Auth-Token"]) {
      const { http } = await wireTo(({ headers }) => ({ status: 400, body: `you said ${headers[name.toLowerCase()]}` }), {
        headers: () => ({ [name]: "Bearer unheard-of-8d2f" }),
      });
      expect((await http.send(read())).text).toBe("you said [hidden]");
    }
  });

  test("a message is cut only after that, so that no half of one is left", async () => {
    const { http } = await wireTo(() => ({ status: 400, body: `${"x".repeat(280)} canary-${"9".repeat(60)} is bad` }), {
      secrets: () => [`canary-${"9".repeat(60)}`],
    });
    const answer = await http.send(read());
    expect(refusalByStatus("test", answer, answer.text, null, 0).message).not.toContain("canary");
  });

  test("other words stay", async () => {
    const said = '{"message":"the key is too short, sk is not enough"}';
    const { http } = await wireTo(() => ({ status: 400, body: said }), { secrets: () => [secret, "sk", ""] });
    expect((await http.send(read())).text).toBe(said);
  });
});

describe("what an answer means", () => {
  const answer = (status: number, effect: "read" | "change") => ({ status, headers: {}, text: "", asked: "GET /x", effect });
  const kinds: readonly (readonly [number, string, string])[] = [
    [400, "invalid-request", "invalid-request"],
    [401, "auth", "auth"],
    [402, "quota", "quota"],
    [403, "auth", "auth"],
    [404, "not-found", "not-found"],
    [408, "unavailable", "unavailable"],
    [409, "conflict", "conflict"],
    [410, "not-found", "not-found"],
    [422, "invalid-request", "invalid-request"],
    [425, "unavailable", "unavailable"],
    [429, "rate-limited", "rate-limited"],
    [500, "unavailable", "ambiguous"],
    [502, "unavailable", "ambiguous"],
    [503, "unavailable", "ambiguous"],
    [522, "unavailable", "ambiguous"],
    [200, "protocol", "protocol"],
  ];
  test.each(kinds)("%i is %s for a read and %s for a change", (status, forRead, forChange) => {
    const kindOf = (effect: "read" | "change") => refusalByStatus("test", answer(status, effect), "", null, 0).fault.kind;
    expect([kindOf("read"), kindOf("change")]).toEqual([forRead, forChange]);
  });

  test("a refusal quotes the server shortly and harmlessly", () => {
    const said = `\u001b[31mno\u001b[0m\r\n\u202e${"very ".repeat(1000)}`;
    const { message, rawCode } = refusalByStatus("test", answer(400, "read"), said, null, 0);
    expect(message).toMatch(/^no very very/);
    expect(message.length).toBeLessThan(310);
    expect(rawCode).toBe("http-400");
  });

  test("an answer of another shape names the field", () => {
    const shape = v.object({ things: v.array(v.object({ id: v.string() })) });
    const given = (text: string) => ({ ...answer(200, "read"), text });
    expect(parsed("test", shape, given('{"things":[{"id":"a"}]}'))).toEqual({ things: [{ id: "a" }] });
    for (const [text, said] of [
      ['{"things":[{"id":1}]}', /things\.0\.id/],
      ["", /unexpected answer to GET \/x/],
      ["<html>", /other than JSON: <html>/],
      ['{"things":[', /other than JSON/],
    ] as const) {
      const error = (() => {
        try {
          return parsed("test", shape, given(text));
        } catch (failure) {
          return failure;
        }
      })();
      expect(error).toMatchObject({ fault: { kind: "protocol" }, message: expect.stringMatching(said) });
    }
  });
});

describe("clocks", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  const header = (retryAfter: string, date?: string) => ({
    headers: { "retry-after": retryAfter, ...(date === undefined ? {} : { date }) },
  });
  const cases: readonly (readonly [string, ReturnType<typeof header>, number | null])[] = [
    ["seconds", header("7"), 7_000],
    ["a part of a second", header("0.5"), 500],
    ["none", { headers: {} } as ReturnType<typeof header>, null],
    ["nothing", header(" "), null],
    ["a date", header("Thu, 01 Jan 2026 00:01:00 GMT"), 60_000],
    ["a date that is over", header("Wed, 31 Dec 2025 00:00:00 GMT"), 0],
    ["a date by a clock that is ahead", header("Thu, 01 Jan 2026 02:01:00 GMT", "Thu, 01 Jan 2026 02:00:00 GMT"), 60_000],
    ["a date by a clock that is behind", header("Wed, 31 Dec 2025 22:01:00 GMT", "Wed, 31 Dec 2025 22:00:00 GMT"), 60_000],
    ["for ever", header("99999999999999"), 3_600_000],
    ["for ever, as a date", header("Fri, 01 Jan 9999 00:00:00 GMT"), 3_600_000],
    ["less than nothing", header("-5"), null],
    ["words", header("soon"), null],
    ["a number of another kind", header("0x10"), null],
  ];
  test.each(cases)("Retry-After: %s", (_, answer, expected) => {
    expect(retryAfterMs(answer, now)).toBe(expected);
  });

  test("how far a server's clock is off is read from every answer, and a few seconds are nothing", async () => {
    let offset = 0;
    const { http } = await wireTo(
      () => ({ status: 404 }),
      {},
      () => offset,
    );
    expect(http.clockOffsetMs()).toBe(0);
    for (const [ms, expected] of [
      [3_000, 0],
      [7_200_000, 7_200_000],
      [-7_200_000, -7_200_000],
      [0, 0],
    ] as const) {
      offset = ms;
      await http.send(read());
      expect(Math.abs(http.clockOffsetMs() - expected)).toBeLessThan(expected === 0 ? 1 : 60_000);
    }
  });
});
