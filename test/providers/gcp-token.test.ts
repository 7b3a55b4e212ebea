import { createVerify, generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { ProviderError } from "../../src/providers/errors.ts";
import { identity } from "../../src/providers/gcp/token.ts";
import { type FakeAnswer, type FakeRequest, fakeServer } from "../clouds/fake-server.ts";
import { handClock } from "../local-cloud/hand-clock.ts";

const { privateKey, publicKey } = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
  publicKeyEncoding: { type: "spki", format: "pem" },
});
const NOW = Date.UTC(2026, 10, 1);
const SECOND = 1_000;
const { signal } = new AbortController();

interface Bench {
  readonly url: string;
  readonly requests: readonly FakeRequest[];
  readonly clock: ReturnType<typeof handClock>;
  readonly folder: string;
  readonly server: Awaited<ReturnType<typeof fakeServer>>;
  /** An identity that reads this file. */
  from(file: unknown, env?: Readonly<Record<string, string>>): ReturnType<typeof identity>;
}

async function bench(
  handle: (request: FakeRequest) => FakeAnswer = () => issued("canary-token-1"),
  dateOffsetMs?: () => number,
): Promise<Bench> {
  const folder = mkdtempSync(join(tmpdir(), "spot-gcp-"));
  const clock = handClock(NOW);
  const server = await fakeServer({ handle, ...(dateOffsetMs === undefined ? {} : { dateOffsetMs }) });
  onTestFinished(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const impatient = { ...clock, sleep: async (ms: number) => clock.advance(ms) };
  return {
    url: server.url,
    requests: server.requests,
    clock,
    folder,
    server,
    from(file, env = {}) {
      const path = join(folder, "key.json");
      writeFileSync(path, JSON.stringify(file));
      return identity({ env: { GOOGLE_APPLICATION_CREDENTIALS: path, ...env }, home: "/nowhere", clock: impatient }, false);
    },
  };
}

function issued(token: string, seconds: number | string = 3600): FakeAnswer {
  return { status: 200, body: { access_token: token, expires_in: seconds, token_type: "Bearer" } };
}

const serviceAccount = (url: string) => ({
  type: "service_account",
  project_id: "a-project",
  private_key_id: "abc",
  private_key: privateKey,
  client_email: "robot@a-project.iam.gserviceaccount.com",
  token_uri: `${url}/token`,
});

const personal = (url: string) => ({
  type: "authorized_user",
  client_id: "a-client",
  client_secret: "canary-client-secret",
  refresh_token: "canary-refresh-token",
  quota_project_id: "the-quota-project",
  token_uri: `${url}/token`,
});

const formOf = (request: FakeRequest | undefined) => Object.fromEntries(new URLSearchParams(request?.body));

function claimsOf(assertion: string): Readonly<Record<string, unknown>> {
  const [header = "", payload = "", signature = ""] = assertion.split(".");
  const verifier = createVerify("RSA-SHA256").update(`${header}.${payload}`);
  expect(verifier.verify(publicKey, signature, "base64url"), "the signature of the assertion").toBe(true);
  expect(JSON.parse(Buffer.from(header, "base64url").toString())).toMatchObject({ alg: "RS256" });
  return JSON.parse(Buffer.from(payload, "base64url").toString());
}

async function faultOf(work: Promise<unknown>): Promise<ProviderError> {
  const error = await work.then(
    () => undefined,
    (failure: unknown) => failure,
  );
  if (!(error instanceof ProviderError)) throw error ?? new Error("it went well");
  return error;
}

describe("Google's credentials", () => {
  test("a service account's assertion: its own token_uri, signed, in the cloud's time", async () => {
    const { from, url, requests } = await bench();
    expect(await from(serviceAccount(url)).access(signal)).toBe("canary-token-1");
    expect(requests).toHaveLength(1);
    const form = formOf(requests[0]);
    expect(form).toMatchObject({ grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer" });
    expect(claimsOf(form["assertion"] ?? "")).toMatchObject({
      iss: "robot@a-project.iam.gserviceaccount.com",
      aud: `${url}/token`,
      scope: "https://www.googleapis.com/auth/cloud-platform",
      iat: NOW / 1000,
      exp: NOW / 1000 + 3600,
    });
  });

  test("an assertion that a clock which is off made useless is made again in the cloud's time", async () => {
    const AHEAD_S = 7_200;
    const cloudNow = NOW / 1000 + AHEAD_S;
    const seen: number[] = [];
    const { from, url } = await bench(
      ({ body }) => {
        const { iat } = claimsOf(new URLSearchParams(body).get("assertion") ?? "");
        seen.push(Number(iat));
        if (Math.abs(Number(iat) - cloudNow) < 300) return issued("canary-token-1");
        return { status: 400, body: { error: "invalid_grant", error_description: "Invalid JWT: Token must be a short-lived token" } };
      },
      // The header's clock is the real one; ours stands at NOW.
      () => cloudNow * 1000 - Date.now(),
    );
    expect(await from(serviceAccount(url)).access(signal)).toBe("canary-token-1");
    expect(seen[0]).toBe(NOW / 1000);
    expect(Math.abs((seen[1] ?? 0) - cloudNow)).toBeLessThan(300);
  });

  test("a person's refresh token, and whom their requests count against", async () => {
    const { from, url, requests } = await bench();
    const who = from(personal(url));
    expect(await who.access(signal)).toBe("canary-token-1");
    expect(formOf(requests[0])).toEqual({
      grant_type: "refresh_token",
      refresh_token: "canary-refresh-token",
      client_id: "a-client",
      client_secret: "canary-client-secret",
    });
    expect(who.quotaProject()).toBe("the-quota-project");
  });

  test("an external account: a subject token is exchanged, and an account impersonated, both through our HTTP", async () => {
    const { from, url, requests, folder } = await bench(({ path }) =>
      path === "/sts"
        ? {
            status: 200,
            body: {
              access_token: "canary-federated",
              issued_token_type: "urn:ietf:params:oauth:token-type:access_token",
              token_type: "Bearer",
              expires_in: 3600,
            },
          }
        : { status: 200, body: { accessToken: "canary-impersonated", expireTime: "2026-11-01T01:00:00Z" } },
    );
    writeFileSync(join(folder, "subject"), "canary-subject-token");
    const who = from({
      type: "external_account",
      audience: "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
      subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
      token_url: `${url}/sts`,
      service_account_impersonation_url: `${url}/v1/projects/-/serviceAccounts/robot@p.iam.gserviceaccount.com:generateAccessToken`,
      credential_source: { file: join(folder, "subject") },
    });
    expect(await who.access(signal)).toBe("canary-impersonated");
    expect(requests.map(({ path }) => decodeURIComponent(path))).toEqual([
      "/sts",
      "/v1/projects/-/serviceAccounts/robot@p.iam.gserviceaccount.com:generateAccessToken",
    ]);
    expect(formOf(requests[0])).toMatchObject({ subject_token: "canary-subject-token" });
    expect(requests[1]?.headers["authorization"]).toBe("Bearer canary-federated");
    expect(requests[1]?.json()).toMatchObject({ scope: ["https://www.googleapis.com/auth/cloud-platform"] });
  });

  test("an impersonated service account: the person's own token first, then the account's, both through our HTTP", async () => {
    const { from, url, requests, server } = await bench();
    const fault = await faultOf(
      from({
        type: "impersonated_service_account",
        source_credentials: personal(url),
        service_account_impersonation_url: "nonsense",
      }).access(signal),
    );
    expect(fault).toMatchObject({ fault: { kind: "auth" } });
    // Its second address is Google's own; nobody is there under the name that the proxy is asked for.
    const proxied = from(
      {
        type: "impersonated_service_account",
        source_credentials: personal(url),
        service_account_impersonation_url:
          "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/robot@p.iam.gserviceaccount.com:generateAccessToken",
      },
      { HTTPS_PROXY: "http://127.0.0.1:1", NO_PROXY: "127.0.0.1" },
    );
    expect(await faultOf(proxied.access(signal))).toMatchObject({ fault: { kind: "unavailable" } });
    expect(requests).toHaveLength(1);
    expect(server.requests[0]?.path).toBe("/token");
  });

  test("the metadata server of a machine of Google's, when there is no file", async () => {
    const { server, clock, folder } = await bench(({ path, headers }) => {
      if (headers["metadata-flavor"] !== "Google") return { status: 403 };
      return path.endsWith("/token") ? issued("canary-machine-token") : { status: 200, body: "the-machines-project" };
    });
    const env = { GCE_METADATA_HOST: server.url.replace("http://", ""), HOME: folder };
    const who = identity({ env, home: "/nowhere", clock }, true);
    expect(await who.access(signal)).toBe("canary-machine-token");
    expect(await who.project(signal)).toBe("the-machines-project");
    expect(server.requests.map(({ path }) => path)).toEqual([
      "/computeMetadata/v1/instance/service-accounts/default/token",
      "/computeMetadata/v1/project/project-id",
    ]);
  });

  test("gcloud's own file below HOME is found", async () => {
    const { url, folder, clock } = await bench();
    const place = join(folder, ".config", "gcloud");
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, "application_default_credentials.json"), JSON.stringify(personal(url)));
    expect(await identity({ env: { HOME: folder }, home: "/nowhere", clock }, false).access(signal)).toBe("canary-token-1");
  });

  test("which project: Google's variables first, then the file, else a clear fault", async () => {
    const { from, url } = await bench();
    const file = serviceAccount(url);
    expect(await from(file, { GOOGLE_CLOUD_PROJECT: "one", CLOUDSDK_CORE_PROJECT: "two" }).project(signal)).toBe("one");
    expect(await from(file, { CLOUDSDK_CORE_PROJECT: "two" }).project(signal)).toBe("two");
    expect(await from(file).project(signal)).toBe("a-project");
    const fault = await faultOf(from(personal(url)).project(signal));
    expect(fault).toMatchObject({ fault: { kind: "auth" } });
    expect(fault.message).toContain("GOOGLE_CLOUD_PROJECT");
  });

  test("nothing there, a file that is not there, one that is no JSON: auth, in words that say what to do", async () => {
    const { folder, clock, requests } = await bench();
    const ask = async (env: Readonly<Record<string, string>>) => faultOf(identity({ env, home: "/nowhere", clock }, false).access(signal));
    const none = await ask({ HOME: folder });
    expect(none).toMatchObject({ fault: { kind: "auth" } });
    expect(none.message).toContain("gcloud auth application-default login");
    expect((await ask({ GOOGLE_APPLICATION_CREDENTIALS: join(folder, "no.json") })).message).toContain("no.json, which is not there");
    writeFileSync(join(folder, "bad.json"), "canary-not-json");
    const bad = await ask({ GOOGLE_APPLICATION_CREDENTIALS: join(folder, "bad.json") });
    expect(bad).toMatchObject({ fault: { kind: "auth" } });
    expect(inspect(bad, { depth: 9 })).not.toContain("canary");
    expect(requests).toEqual([]);
  });

  test("a broken key, and an account of no known kind, are auth, and nothing secret is said", async () => {
    const { from, url } = await bench();
    const broken = await faultOf(from({ ...serviceAccount(url), private_key: "canary-no-key" }).access(signal));
    expect(broken).toMatchObject({ fault: { kind: "auth" } });
    expect(inspect(broken, { depth: 9 })).not.toContain("canary");
    expect(await faultOf(from({ type: "external_account" }).access(signal))).toMatchObject({ fault: { kind: "auth" } });
  });
});

describe("Google's access token", () => {
  test("is fetched once for everybody who waits, kept, and renewed a minute before its end", async () => {
    let given = 0;
    const { from, url, requests, clock } = await bench(() => issued(`canary-token-${++given}`, "600"));
    const who = from(serviceAccount(url));
    const all = await Promise.all(Array.from({ length: 8 }, () => who.access(signal)));
    expect(new Set(all)).toEqual(new Set(["canary-token-1"]));
    clock.advance(539 * SECOND);
    expect(await who.access(signal)).toBe("canary-token-1");
    clock.advance(2 * SECOND);
    expect(await who.access(signal)).toBe("canary-token-2");
    expect(requests).toHaveLength(2);
  });

  test("that was refused is not used again", async () => {
    let given = 0;
    const { from, url } = await bench(() => issued(`canary-token-${++given}`));
    const who = from(personal(url));
    const first = await who.access(signal);
    who.refuse(first);
    const second = await who.access(signal);
    expect(second).toBe("canary-token-2");
    // Said late, by somebody who had the first one: no reason to throw the second away.
    who.refuse(first);
    expect(await who.access(signal)).toBe("canary-token-2");
  });

  test("whose answer is lost is asked for again: a lost token is no lost machine", async () => {
    const { from, url, requests, server } = await bench();
    server.disturb({ what: { do: "reset-after" } });
    expect(await from(serviceAccount(url)).access(signal)).toBe("canary-token-1");
    expect(requests).toHaveLength(2);
  });

  test("that is refused is auth, with Google's words and without ours", async () => {
    const { from, url } = await bench(({ body }) => ({
      status: 400,
      body: { error: "invalid_grant", error_description: `reauth related error: ${new URLSearchParams(body).get("refresh_token")}` },
    }));
    const fault = await faultOf(from(personal(url)).access(signal));
    expect(fault).toMatchObject({ fault: { kind: "auth" } });
    expect(fault.message).toContain("invalid_grant: reauth related error");
    expect(inspect(fault, { depth: 9 })).not.toContain("canary-refresh-token");
  });

  test("of a server that breaks down is unavailable, and that of one that speaks nonsense a protocol fault", async () => {
    const broken = await bench(() => ({ status: 503, body: "" }));
    expect(await faultOf(broken.from(serviceAccount(broken.url)).access(signal))).toMatchObject({ fault: { kind: "unavailable" } });
    const odd = await bench(() => ({ status: 200, body: '{"access_token": "canary-hal' }));
    const fault = await faultOf(odd.from(serviceAccount(odd.url)).access(signal));
    expect(fault).toMatchObject({ fault: { kind: "protocol" } });
    expect(inspect(fault, { depth: 9 })).not.toContain("canary");
  });

  test("is given up when everybody who waited has gone, and not before", async () => {
    const { from, url, server } = await bench();
    server.disturb({ what: { do: "drip", ms: 300 } });
    const who = from(serviceAccount(url));
    const one = new AbortController();
    const leaving = faultOf(who.access(one.signal));
    const staying = who.access(signal);
    one.abort();
    expect(await leaving).toMatchObject({ fault: { kind: "unavailable" } });
    expect(await staying).toBe("canary-token-1");
  });
});
