import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { valuesOf } from "../../src/commands/provider/login.ts";
import { Problem } from "../../src/model/problem.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { takeProcessLock } from "../../src/platform/process-lock.ts";
import { changeCredentials, credentialOrigins, credentialsFile, readCredentials, storedCredentials } from "../../src/platform/secrets.ts";
import { temporaryFolder } from "../world.ts";

const how = { clock: systemClock, signal: new AbortController().signal };

test("what is kept comes back, for its owner only, and what is forgotten leaves no file behind", async () => {
  const home = join(temporaryFolder(), "home");
  const file = credentialsFile(home);
  expect(await changeCredentials(home, { A_KEY: "one", B_KEY: "two" }, how)).toEqual([]);
  expect(await storedCredentials(home)).toEqual({ A_KEY: "one", B_KEY: "two" });
  expect([statSync(file).mode & 0o777, statSync(home).mode & 0o777]).toEqual([0o600, 0o700]);
  expect(await changeCredentials(home, { A_KEY: null, C_KEY: null }, how)).toEqual(["A_KEY"]);
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ B_KEY: "two" });
  expect(await changeCredentials(home, { B_KEY: null }, how)).toEqual(["B_KEY"]);
  expect(existsSync(file)).toBe(false);
  expect(await changeCredentials(home, { B_KEY: null }, how)).toEqual([]);
});

test("a file that others could read is for its owner again after the next change", async () => {
  const home = temporaryFolder();
  writeFileSync(credentialsFile(home), '{"A_KEY":"one"}');
  chmodSync(credentialsFile(home), 0o644);
  await changeCredentials(home, { B_KEY: "two" }, how);
  expect(statSync(credentialsFile(home)).mode & 0o777).toBe(0o600);
});

test("many that write at once lose nothing of each other's", async () => {
  const home = temporaryFolder();
  const names = Array.from({ length: 9 }, (_, index) => `KEY_${index}`);
  await Promise.all(names.map((name) => changeCredentials(home, { [name]: name.toLowerCase() }, how)));
  expect(await storedCredentials(home)).toEqual(Object.fromEntries(names.map((name) => [name, name.toLowerCase()])));
});

test("a writer that was killed before its rename leaves no copy of a secret behind for long", async () => {
  const home = temporaryFolder();
  writeFileSync(`${credentialsFile(home)}.5f1c.tmp`, '{"A_KEY":"half');
  await changeCredentials(home, { A_KEY: null }, how);
  expect(readdirSync(home).filter((name) => name.startsWith("credentials.json"))).toEqual([]);
});

test("while another process holds the file nothing is written, and after ten seconds that is said", async () => {
  const home = temporaryFolder();
  const lock = takeProcessLock(join(home, "credentials.lock"));
  let now = 0;
  const clock = {
    ...systemClock,
    monotonic: () => now,
    async sleep(ms: number) {
      now += ms;
    },
  };
  await expect(changeCredentials(home, { A_KEY: "one" }, { clock, signal: how.signal })).rejects.toMatchObject({
    code: "SPOT_E_BUSY",
    exit: 1,
    retryable: true,
  });
  expect(now).toBeGreaterThanOrEqual(10_000);
  expect(existsSync(credentialsFile(home))).toBe(false);
  lock?.release();
  await changeCredentials(home, { A_KEY: "one" }, how);
  expect(await storedCredentials(home)).toEqual({ A_KEY: "one" });
});

test("a file that is not JSON is a matter of credentials, and is not overwritten", async () => {
  const home = temporaryFolder();
  writeFileSync(credentialsFile(home), "{");
  const refused = { code: "SPOT_E_CREDENTIALS", exit: 4, next: [`mv ${credentialsFile(home)} ${credentialsFile(home)}.damaged`] };
  await expect(readCredentials(["A_KEY"], { env: {}, home })).rejects.toMatchObject(refused);
  await expect(changeCredentials(home, { A_KEY: "one" }, how)).rejects.toMatchObject(refused);
  expect(readFileSync(credentialsFile(home), "utf8")).toBe("{");
  expect(await readCredentials(["A_KEY"], { env: { A_KEY: "mine" }, home })).toEqual({ A_KEY: "mine" });
});

test("the environment wins over what is stored; blanks say nothing", async () => {
  const home = temporaryFolder();
  await changeCredentials(home, { A_KEY: "stored a", B_KEY: "stored b" }, how);
  const variables = ["A_KEY", "B_KEY"];
  const read = (env: Record<string, string>) => readCredentials(variables, { env, home });
  const origins = async (env: Record<string, string>) => (await credentialOrigins(variables, { env, home })).map(({ from }) => from);
  expect(await read({})).toEqual({ A_KEY: "stored a", B_KEY: "stored b" });
  expect(await origins({})).toEqual(["stored", "stored"]);
  expect(await read({ A_KEY: " mine ", B_KEY: "" })).toEqual({ A_KEY: "mine", B_KEY: "stored b" });
  expect(await read({ A_KEY: "  " })).toEqual({ A_KEY: "stored a", B_KEY: "stored b" });
  expect(await origins({ A_KEY: "mine", B_KEY: " " })).toEqual(["environment", "stored"]);
  expect(await readCredentials(["A_KEY", "C_KEY"], { env: {}, home })).toBeUndefined();
  expect(await credentialOrigins(["C_KEY"], { env: {}, home })).toEqual([{ variable: "C_KEY", from: null }]);
});

const verda = { title: "Verda", variables: ["VERDA_CLIENT_ID", "VERDA_CLIENT_SECRET"] };

test.each([
  ["id-1\nsecret-1\n"],
  ["VERDA_CLIENT_SECRET=secret-1\nVERDA_CLIENT_ID=id-1"],
  ["# from the console\r\n\r\nexport VERDA_CLIENT_SECRET='secret-1'\r\nid-1\r\n"],
  ['"id-1"\n  secret-1  \n'],
])("%j is an id and a secret", (text) => {
  expect(valuesOf(text, verda)).toEqual({ VERDA_CLIENT_ID: "id-1", VERDA_CLIENT_SECRET: "secret-1" });
});

test("a bare value may hold equals signs", () => {
  expect(valuesOf("c2VjcmV0==", { title: "PPIO", variables: ["PPIO_API_KEY"] })).toEqual({ PPIO_API_KEY: "c2VjcmV0==" });
});

test.each([
  ["", "--stdin: VERDA_CLIENT_ID is missing"],
  ["canary-9", "--stdin: VERDA_CLIENT_SECRET is missing"],
  ["VERDA_CLIENT_SECRET=canary-9", "--stdin: VERDA_CLIENT_ID is missing"],
  ["a\nb\ncanary-9", "--stdin: there are more lines than Verda takes"],
  ["VERDA_API_URL=canary-9\na\nb", "--stdin: line 1 sets something that Verda does not take"],
  ["a\nVERDA_CLIENT_ID=", "--stdin: VERDA_CLIENT_ID is empty"],
  ["a\ncanary 9", "--stdin: VERDA_CLIENT_SECRET has a blank or a character that is not ASCII"],
  ["a\ncanary-\u00e9", "--stdin: VERDA_CLIENT_SECRET has a blank or a character that is not ASCII"],
])("%j is refused without a word of it", (text, message) => {
  const refusal = (() => {
    try {
      valuesOf(text, verda);
    } catch (error) {
      return error;
    }
    return undefined;
  })();
  expect(refusal).toBeInstanceOf(Problem);
  expect(refusal).toMatchObject({ message, exit: 2 });
  expect(JSON.stringify([refusal, (refusal as Problem).hint])).not.toContain("canary");
});
