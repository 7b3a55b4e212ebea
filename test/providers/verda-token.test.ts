import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { context, verdaBench } from "./verda-bench.ts";

const SECOND = 1000;

describe("Verda's access token", () => {
  test("is fetched once for many calls at the same time, and kept", async () => {
    const { provider, sent } = await verdaBench();
    await Promise.all(Array.from({ length: 8 }, () => provider.list(context)));
    await provider.list(context);
    expect(sent("POST", "/oauth2/token")).toHaveLength(1);
    expect(sent("GET", "/instances")).toHaveLength(9);
  });

  test("is renewed by its refresh token 30 seconds before its end, and not before that", async () => {
    const { provider, clock, bodies } = await verdaBench({ switches: { tokenSeconds: 600 } });
    await provider.list(context);
    clock.advance(569 * SECOND);
    await provider.list(context);
    expect(bodies("POST", "/oauth2/token")).toHaveLength(1);
    clock.advance(2 * SECOND);
    await Promise.all([provider.list(context), provider.list(context), provider.list(context)]);
    expect(bodies("POST", "/oauth2/token").map((body) => body["grant_type"])).toEqual(["client_credentials", "refresh_token"]);
  });

  test("counts its life by the monotonic clock: a wall clock that jumps changes nothing", async () => {
    const bench = await verdaBench({ switches: { tokenSeconds: 600 } });
    const { fake, clock } = bench;
    const { verdaProvider } = await import("../../src/providers/verda/provider.ts");
    let jumped = 0;
    const provider = await verdaProvider({ env: fake.env, home: "/nowhere", clock: { ...clock, now: () => clock.now() + jumped } });
    await provider.list(context);
    jumped = 24 * 3600 * SECOND;
    await provider.list(context);
    jumped = -24 * 3600 * SECOND;
    await provider.list(context);
    expect(bench.sent("POST", "/oauth2/token")).toHaveLength(1);
  });

  test("is fetched anew with the credentials when the refresh token is refused", async () => {
    const { provider, clock, bodies } = await verdaBench({ switches: { tokenSeconds: 600, honourRefresh: false } });
    await provider.list(context);
    clock.advance(580 * SECOND);
    expect(await provider.list(context)).toEqual([]);
    expect(bodies("POST", "/oauth2/token").map((body) => body["grant_type"])).toEqual([
      "client_credentials",
      "refresh_token",
      "client_credentials",
    ]);
  });

  test("that lives shorter than the margin is still used for half of its life", async () => {
    const { provider, clock, sent } = await verdaBench({ switches: { tokenSeconds: 20 } });
    for (let second = 0; second < 9; second++) {
      await provider.list(context);
      clock.advance(SECOND);
    }
    expect(sent("POST", "/oauth2/token")).toHaveLength(1);
    clock.advance(2 * SECOND);
    await provider.list(context);
    expect(sent("POST", "/oauth2/token")).toHaveLength(2);
  });

  test("that the server refuses is renewed once, and the call is sent again, a change too", async () => {
    const { provider, fake, spec, sent } = await verdaBench();
    const ready = await spec("t-1");
    fake.revokeTokens();
    expect(await provider.list(context)).toEqual([]);
    // The create itself meets a token that has just been revoked.
    fake.server.disturb({
      what: { do: "answer", answer: { status: 401, body: { code: "unauthorized_request", message: "expired" } } },
      match: ({ method, path }) => method === "POST" && path === "/v1/instances",
    });
    const { providerId } = await provider.launch(ready, context);
    expect(sent("POST", "/instances")).toHaveLength(2);
    expect(fake.living().map((one) => one.providerId)).toEqual([providerId]);
  });

  test("a server that refuses every token is asked twice and no more, and that is a matter of credentials", async () => {
    const { provider, fake, sent } = await verdaBench();
    fake.server.disturb({
      what: { do: "answer", answer: { status: 401, body: { code: "unauthorized_request", message: "no" } } },
      match: ({ path }) => path === "/v1/instances",
      times: 100,
    });
    await expect(provider.list(context)).rejects.toMatchObject({ fault: { kind: "auth" } });
    expect(sent("GET", "/instances")).toHaveLength(2);
  });

  test("many calls that are refused at once renew once", async () => {
    const { provider, fake, sent } = await verdaBench();
    await provider.list(context);
    fake.revokeTokens();
    await Promise.all(Array.from({ length: 6 }, () => provider.list(context)));
    // The first one, a refresh that is refused too, and the credentials again.
    expect(sent("POST", "/oauth2/token")).toHaveLength(3);
  });

  test("is asked for with a form where the server wants one, and from then on", async () => {
    const { provider, clock, sent } = await verdaBench({ switches: { formTokensOnly: true } });
    expect(await provider.list(context)).toEqual([]);
    clock.advance(580 * SECOND);
    await provider.list(context);
    expect(sent("POST", "/oauth2/token").map(({ headers }) => headers["content-type"])).toEqual([
      "application/json",
      "application/x-www-form-urlencoded",
      "application/x-www-form-urlencoded",
    ]);
  });

  test("one caller's end does not end the renewal that others wait for", async () => {
    const { provider, fake } = await verdaBench();
    fake.server.disturb({ what: { do: "drip", ms: 200 }, match: ({ path }) => path === "/v1/oauth2/token" });
    const own = new AbortController();
    const first = provider.list({ signal: own.signal });
    const second = provider.list(context);
    own.abort();
    await expect(first).rejects.toMatchObject({ fault: { kind: "unavailable" } });
    expect(await second).toEqual([]);
  });

  test("nobody waits for a renewal that everybody has left", async () => {
    const { provider, fake, sent } = await verdaBench();
    fake.server.disturb({ what: { do: "stall", ms: 60_000 }, match: ({ path }) => path === "/v1/oauth2/token" });
    const own = new AbortController();
    const first = provider.list({ signal: own.signal });
    while (sent("POST", "/oauth2/token").length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    own.abort();
    await expect(first).rejects.toMatchObject({ fault: { kind: "unavailable" } });
    expect(await provider.list(context)).toEqual([]);
  });

  test("of a documented refusal the sentence is shown, not its JSON", async () => {
    const { provider } = await verdaBench({ env: { VERDA_CLIENT_SECRET: "canary-wrong-secret-77aa" } });
    const failure = await provider.list(context).catch((error: unknown) => error);
    expect(String(failure)).toContain("is refused: ");
    expect(String(failure)).not.toContain("{");
  });

  test("wrong credentials are a matter of credentials, and are not shown, also when the server repeats them", async () => {
    const wrong = "canary-wrong-secret-77aa";
    const { provider, fake, sent } = await verdaBench({ env: { VERDA_CLIENT_SECRET: wrong } });
    fake.server.disturb({
      what: { do: "answer", answer: { status: 401, body: `no client with secret ${wrong}` } },
      match: ({ path }) => path === "/v1/oauth2/token",
    });
    const failure = await provider.list(context).catch((error: unknown) => error);
    expect(failure).toMatchObject({ fault: { kind: "auth" } });
    expect(String(failure)).toContain("[hidden]");
    expect(String(failure)).not.toContain(wrong);
    expect(sent("GET", "/instances")).toEqual([]);
  });

  test("is hidden where a server repeats it in an error", async () => {
    const { provider, fake } = await verdaBench();
    await provider.list(context);
    const authorization = fake.server.requests.at(-1)?.headers["authorization"] ?? "";
    const access = authorization.replace("Bearer ", "");
    expect(access).toContain("canary-access");
    fake.server.disturb({
      what: { do: "answer", answer: { status: 400, body: { code: "invalid_request", message: `bad ${authorization}` } } },
      match: ({ path }) => path === "/v1/instances",
    });
    const echoed = await provider.list(context).catch((error: unknown) => error);
    expect(String(echoed)).toContain("[hidden]");
    expect(String(echoed)).not.toContain(access);
  });

  test.each(["cut-json", "form"] as const)("an answer with a token that cannot be read is not quoted: %s", async (how) => {
    const { provider, fake } = await verdaBench();
    const answer = { status: 200, body: "access_token=canary-access-form&token_type=Bearer" };
    fake.server.disturb({
      what: how === "form" ? { do: "answer", answer } : { do: "cut-json" },
      match: ({ path }) => path === "/v1/oauth2/token",
    });
    const failure = await provider.list(context).catch((error: unknown) => error);
    expect(failure).toMatchObject({ fault: { kind: "protocol" } });
    const said = inspect(failure, { depth: 10 });
    expect(said).toContain("/oauth2/token");
    expect(said).not.toContain("canary-access");
  });

  test("without credentials it says which to set, and asks nobody", async () => {
    const { provider, fake } = await verdaBench({ env: { VERDA_CLIENT_SECRET: "" } });
    await expect(provider.list(context)).rejects.toMatchObject({
      fault: { kind: "auth" },
      message: "no credentials: set VERDA_CLIENT_ID and VERDA_CLIENT_SECRET or run spot provider login verda",
    });
    expect(fake.server.requests).toEqual([]);
  });

  test("a token server in trouble leaves nothing in doubt: nothing was launched", async () => {
    const { provider, fake, spec, clock } = await verdaBench();
    const ready = await spec("t-1");
    clock.advance(580 * SECOND);
    fake.server.disturb({ what: { do: "reset-after" }, match: ({ path }) => path === "/v1/oauth2/token", times: 10 });
    await expect(provider.launch(ready, context)).rejects.toMatchObject({ fault: { kind: "unavailable" } });
    expect(fake.living()).toEqual([]);
  });
});
