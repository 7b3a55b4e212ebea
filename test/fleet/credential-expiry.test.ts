import { expect, test } from "vitest";
import { expiryText, expiryWarning } from "../../src/fleet/credential-expiry.ts";
import { expiryOf } from "../../src/providers/aws/account.ts";
import type { CredentialExpiry } from "../../src/providers/provider.ts";
import { NOW } from "./samples.ts";

const HOUR = 3_600_000;
const ends = (hours: number | null, renews = false): CredentialExpiry => ({
  expiresAt: hours === null ? null : NOW + hours * HOUR,
  renews,
  why: "temporary",
});
const vm = { machine: { kind: "vm", notices: "aws", endsItself: true, volumes: "device" }, endsAtTtl: false } as const;
const helpless = { machine: { ...vm.machine, endsItself: false }, endsAtTtl: false } as const;
const spec = (name: string, hours: number | null) => ({ name, ttlMs: hours === null ? null : hours * HOUR });
const said = (expiry: CredentialExpiry, specs: readonly ReturnType<typeof spec>[], cloud: typeof vm | typeof helpless = vm) =>
  expiryWarning("aws", expiry, cloud, specs, NOW);

test("credentials that last as long as the machine, or renew, are no matter", () => {
  expect(said(ends(8), [spec("a", 8)])).toBeNull();
  expect(said(ends(1, true), [spec("a", 8), spec("b", null)])).toBeNull();
  expect(said(ends(null, true), [spec("a", null)])).toBeNull();
});

test("credentials that end sooner are said, with what still ends the machine", () => {
  const at = new Date(NOW + 2 * HOUR).toISOString().slice(0, 16);
  expect(said(ends(2), [spec("a", 8), spec("b", 1)])).toBe(
    `aws: the credentials (temporary) expire in 2h, at ${at}Z, and are not renewed by themselves: spot could not end a after that; its TTL on the box still does`,
  );
  expect(said(ends(2), [spec("a", null)])).toContain("give it a --ttl, or log in again in time");
  expect(said(ends(2), [spec("a", 8)], helpless)).toContain("nothing there ends it by itself");
  expect(said(ends(-1), [spec("a", 8)])).toContain("expire now");
  expect(said(ends(null), [spec("a", 8)])).toContain("nobody says when they end: spot could not end a after that");
});

test("how long credentials last, in words", () => {
  expect(expiryText(ends(2), NOW)).toBe("expire in 2h; temporary");
  expect(expiryText(ends(2, true), NOW)).toBe("renewed in 2h; temporary");
  expect(expiryText(ends(-2), NOW)).toBe("expired; temporary");
  expect(expiryText(ends(null), NOW)).toBe("temporary");
});

const keys = { accessKeyId: "AKID", secretAccessKey: "s" };
const expiration = new Date(NOW + HOUR);
test.each([
  ["an access key", keys, { expiresAt: null, renews: true }],
  ["a token from the environment", { ...keys, sessionToken: "t" }, { expiresAt: null, renews: false }],
  ["one that says when it ends", { ...keys, sessionToken: "t", expiration }, { expiresAt: NOW + HOUR, renews: false }],
  [
    "a role by a profile",
    { ...keys, sessionToken: "t", expiration, $source: { CREDENTIALS_PROFILE_SOURCE_PROFILE: "o", CREDENTIALS_STS_ASSUME_ROLE: "i" } },
    { expiresAt: NOW + HOUR, renews: true },
  ],
  [
    "a machine's own role",
    { ...keys, sessionToken: "t", expiration, $source: { CREDENTIALS_IMDS: "0" } },
    { expiresAt: NOW + HOUR, renews: true },
  ],
  [
    "single sign-on",
    { ...keys, sessionToken: "t", expiration, $source: { CREDENTIALS_PROFILE_SSO: "r" } },
    { expiresAt: NOW + HOUR, renews: false },
  ],
  ["a login", { ...keys, sessionToken: "t", expiration, $source: { CREDENTIALS_LOGIN: "AD" } }, { expiresAt: NOW + HOUR, renews: false }],
  ["a token in a file", { ...keys, sessionToken: "t", $source: { CREDENTIALS_PROFILE: "n" } }, { expiresAt: null, renews: false }],
  [
    "the SDK's own look at the environment",
    { ...keys, sessionToken: "t", expiration, $source: { CREDENTIALS_ENV_VARS: "g" } },
    { expiresAt: NOW + HOUR, renews: false },
  ],
  ["a time that is none", { ...keys, sessionToken: "t", expiration: new Date(Number.NaN) }, { expiresAt: null, renews: false }],
])("of AWS's: %s", (_, identity, wanted) => {
  expect(expiryOf(identity)).toMatchObject(wanted);
});
