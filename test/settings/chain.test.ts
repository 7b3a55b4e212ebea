import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { hasCredentials, searchCredentials } from "../../src/providers/credential-search.ts";
import { accessOf, credentialVariables } from "../../src/providers/credentials.ts";

function person(files: readonly string[] = [], text = "") {
  const home = mkdtempSync(join(tmpdir(), "spot-chain-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  for (const file of files) {
    mkdirSync(dirname(join(home, file)), { recursive: true });
    writeFileSync(join(home, file), text);
  }
  return { HOME: home };
}

const search = (provider: string, env: Readonly<Record<string, string>>) =>
  searchCredentials(accessOf(provider), { env, home: "/nowhere" });

test.each([
  ["aws", {}, [], [{ variable: "aws configure, or aws sso login", from: null }]],
  ["aws", { AWS_PROFILE: "work" }, [], [{ variable: "AWS_PROFILE", from: "environment" }]],
  ["aws", { AWS_PROFILE: " " }, [], [{ variable: "aws configure, or aws sso login", from: null }]],
  ["aws", {}, [".aws/credentials"], [{ variable: "~/.aws/credentials", from: "file" }]],
  ["aws", { AWS_SHARED_CREDENTIALS_FILE: "/no/such/file" }, [], [{ variable: "aws configure, or aws sso login", from: null }]],
  ["aws", { AWS_ACCESS_KEY_ID: "AKIA" }, [".aws/credentials"], [{ variable: "AWS_ACCESS_KEY_ID", from: "environment" }]],
  ["gcp", {}, [], [{ variable: "gcloud auth application-default login", from: null }]],
  [
    "gcp",
    {},
    [".config/gcloud/application_default_credentials.json"],
    [{ variable: "~/.config/gcloud/application_default_credentials.json", from: "file" }],
  ],
] as const)("%s with %j and %j", async (provider, env, files, found) => {
  const all = { ...person(files), ...env };
  expect(await search(provider, all)).toEqual(found);
  expect(await hasCredentials(accessOf(provider), { env: all, home: "/nowhere" })).toBe(found[0].from !== null);
});

test.each([
  ["[default]\nregion = eu-west-1\noutput = json\n", null],
  ["[default]\n# role_arn = arn:aws:iam::1:role/x\n", null],
  ["[default]\nsso_session = work\n", "file"],
  ["[profile x]\r\n  role_arn=arn:aws:iam::1:role/x\r\n", "file"],
  ["[default]\ncredential_process = /bin/say\n", "file"],
  ["[default]\naws_access_key_id = AKIA\n", "file"],
] as const)("a file with settings is one with credentials only where it says so: %j", async (text, from) => {
  expect((await search("aws", person([".aws/config"], text)))[0]?.from).toBe(from);
});

test("a variable that names the file wins over the usual place", async () => {
  const home = person(["mine.json"]);
  expect(await search("gcp", { ...home, GOOGLE_APPLICATION_CREDENTIALS: join(home.HOME, "mine.json") })).toEqual([
    { variable: "GOOGLE_APPLICATION_CREDENTIALS", from: "file" },
  ]);
});

test("what holds a secret is known by name", () => {
  for (const name of ["PPIO_API_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID", "ALIBABA_CLOUD_SECURITY_TOKEN"])
    expect(credentialVariables()).toContain(name);
});
