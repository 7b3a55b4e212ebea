import { generateKeyPairSync, sign } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type SteppedClock, steppedClock } from "./clock.ts";
import { type FakeGcp, fakeGcp } from "./fake.ts";

let clock: SteppedClock;
let cloud: FakeGcp;

beforeEach(async () => {
  clock = steppedClock();
  cloud = await fakeGcp({ clock });
});

afterEach(() => cloud.close());

const SCOPE = "https://www.googleapis.com/auth/cloud-platform";
const keyFile = (env: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  JSON.parse(readFileSync(env["GOOGLE_APPLICATION_CREDENTIALS"] ?? "", "utf8"));
const part = (content: unknown) => Buffer.from(JSON.stringify(content)).toString("base64url");

async function exchange(fields: Readonly<Record<string, string>>) {
  const response = await fetch(`${cloud.url}/token`, { method: "POST", body: new URLSearchParams(fields) });
  return { status: response.status, body: (await response.json()) as Readonly<Record<string, unknown>> };
}

function assertion(change: Readonly<Record<string, unknown>> = {}, key?: string, header: object = { alg: "RS256", typ: "JWT" }): string {
  const file = keyFile(cloud.env);
  const iat = Math.floor(clock.now() / 1_000);
  const claims = { iss: file["client_email"], scope: SCOPE, aud: file["token_uri"], iat, exp: iat + 3_600, ...change };
  const signed = `${part(header)}.${part(claims)}`;
  return `${signed}.${sign("RSA-SHA256", Buffer.from(signed), key ?? file["private_key"] ?? "").toString("base64url")}`;
}

const grant = (text: string) => exchange({ grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion: text });
const zones = async (token: unknown) =>
  (await fetch(`${cloud.url}/compute/v1/projects/${cloud.project}/zones`, { headers: { authorization: `Bearer ${token}` } })).status;

test("gives a token for an assertion that the key of the file has signed, until its time is over", async () => {
  expect(statSync(cloud.env["GOOGLE_APPLICATION_CREDENTIALS"] ?? "").mode & 0o777).toBe(0o600);
  const { status, body } = await grant(assertion());
  expect([status, body]).toEqual([200, { access_token: cloud.credential, expires_in: 3_599, token_type: "Bearer" }]);
  expect(await zones(body["access_token"])).toBe(200);
  clock.pass(1_800_000);
  expect((await grant(assertion())).body).toMatchObject({ access_token: cloud.credential, expires_in: 1_799 });
  clock.pass(1_800_000);
  expect(await zones(body["access_token"])).toBe(401);
  const { body: next } = await grant(assertion());
  expect(next["access_token"]).not.toBe(cloud.credential);
  expect(await zones(next["access_token"])).toBe(200);
  cloud.revokeTokens();
  expect(await zones(next["access_token"])).toBe(401);
  expect(cloud.secrets()).toContain(next["access_token"]);
});

test("refuses another signature, issuer, audience, time, algorithm and grant", async () => {
  const now = clock.now() / 1_000;
  const { privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  const texts = [
    assertion({}, privateKey),
    assertion({ iss: "somebody@else.com" }),
    assertion({ aud: "https://elsewhere/token" }),
    assertion({ exp: now + 3_601 }),
    assertion({ iat: now - 7_200, exp: now - 3_600 }),
    assertion({ iat: now + 600, exp: now + 1_200 }),
    assertion({ iat: String(now) }),
    assertion({ scope: "" }),
    assertion({}, undefined, { alg: "HS256" }),
    "a.b",
  ];
  for (const text of texts) expect([text.slice(0, 20), (await grant(text)).status]).toEqual([text.slice(0, 20), 400]);
  expect((await exchange({ grant_type: "password" })).body["error"]).toBe("unsupported_grant_type");
  // What Google's libraries write, whatever the file says.
  expect((await grant(assertion({ aud: "https://oauth2.googleapis.com/token" }))).status).toBe(200);
});

test("gives one for the refresh token of a user's file", async () => {
  const { type, client_id = "", client_secret = "", refresh_token = "" } = keyFile(cloud.userEnv);
  expect(type).toBe("authorized_user");
  const fields = { grant_type: "refresh_token", client_id, client_secret, refresh_token };
  expect(await exchange(fields)).toMatchObject({ status: 200, body: { scope: SCOPE } });
  expect(await exchange({ ...fields, refresh_token: "x" })).toMatchObject({ status: 400, body: { error: "invalid_grant" } });
  expect(await exchange({ ...fields, client_secret: "x" })).toMatchObject({ status: 401, body: { error: "invalid_client" } });
});

test("a token may do what its scopes say", async () => {
  const only = async (scope: string) =>
    (await grant(assertion({ scope: `https://www.googleapis.com/auth/${scope}` }))).body["access_token"];
  expect(await zones(await only("compute.readonly"))).toBe(200);
  const headers = { authorization: `Bearer ${await only("compute.readonly")}` };
  const stop = `${cloud.url}/compute/v1/projects/${cloud.project}/zones/us-central1-a/instances/x/stop`;
  expect((await fetch(stop, { method: "POST", headers })).status).toBe(403);
  expect((await fetch(`${cloud.url}/v1/services/6F81-5844-456A/skus`, { headers })).status).toBe(403);
  const compute = { authorization: `Bearer ${await only("compute")}` };
  expect((await fetch(`${cloud.url}/v1/services/6F81-5844-456A/skus`, { headers: compute })).status).toBe(403);
  expect((await fetch(stop, { method: "POST", headers: compute })).status).toBe(404);
  expect((await fetch(stop, { method: "POST" })).status).toBe(401);
});

test("a clock that is ahead is seen in the Date header and by the token endpoint; too many requests are refused", async () => {
  cloud.switches.skewMs = 3_700_000;
  expect((await grant(assertion())).status).toBe(400);
  const response = await fetch(cloud.url);
  expect(Date.parse(response.headers.get("date") ?? "") - clock.now()).toBeGreaterThan(3_600_000);
  cloud.switches.skewMs = 0;
  cloud.switches.requestsPerMinute = 3;
  const statuses = [];
  for (let count = 0; count < 5; count++) statuses.push(await zones(cloud.credential));
  expect(statuses.slice(-2)).toEqual([403, 403]);
  clock.pass(60_000);
  expect(await zones(cloud.credential)).toBe(200);
});
