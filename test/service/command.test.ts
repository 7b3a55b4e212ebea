import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { keeperWorld } from "../../src/commands/service/keepers.ts";
import { fleetingMaker } from "../../src/commands/service/service-plan.ts";
import { healthOf } from "../../src/commands/service/status.ts";
import { notePasses, readPulse } from "../../src/platform/service-pulse.ts";
import { openState } from "../../src/state/open.ts";
import { spotHome } from "../../src/world.ts";
import { virtualClock } from "../simulation/virtual-clock.ts";
import { sampleInstance } from "../state/sample-records.ts";
import { spot, type TestWorld, temporaryFolder, testWorld } from "../world.ts";
import { type Fakes, serviceFakes } from "./fakes.ts";

async function asked(world: TestWorld, ...argv: readonly string[]) {
  const { code, stdout, stderr } = await spot(world, "service", ...argv, "--json");
  return { code, stderr, data: stdout === "" ? null : JSON.parse(stdout).data };
}

const unitOf = (fakes: Fakes) => join(fakes.folder, "config", "systemd", "user", `spot${keeperWorld(fakes.world).tag}.service`);

test("systemd: shown before it is written, written, run, kept as it is, and changed with the difference", async () => {
  const fakes = serviceFakes(["systemctl", "loginctl"]);
  const { world } = fakes;
  const unit = unitOf(fakes);
  const dry = await asked(world, "install", "--dry-run");
  expect([dry.code, dry.data.done, dry.data.ran, existsSync(unit)]).toEqual([0, "planned", [], false]);
  // Without a terminal nobody can be asked.
  expect((await spot(world, "service", "install")).stderr).toContain("--yes");
  expect(existsSync(unit)).toBe(false);

  const { code, data } = await asked(world, "install", "--yes");
  const name = unit.slice(unit.lastIndexOf("/") + 1);
  expect([code, data.done, data.kind, data.path, data.previous]).toEqual([0, "installed", "systemd", unit, null]);
  expect(data.ran).toEqual(["systemctl --user daemon-reload", `systemctl --user enable ${name}`, `systemctl --user restart ${name}`]);
  expect(readFileSync(unit, "utf8")).toBe(data.text);
  expect(data.text).toBe(dry.data.text);
  expect(data.text).toContain(`Environment="SPOT_HOME=${world.home}"`);
  expect(data.text).toContain(`ExecStart="${world.selfCommand[0]}" "${world.selfCommand[1]}" "watch" "--act"`);
  expect(statSync(unit).mode & 0o777).toBe(0o644);

  const calls = fakes.calls("systemctl").length;
  const again = await asked(world, "install", "--yes");
  expect([again.data.done, again.data.ran]).toEqual(["unchanged", []]);
  expect(fakes.calls("systemctl").slice(calls).join(" ")).not.toMatch(/restart|enable|reload/);
  // Even without a yes: there is nothing to agree to.
  expect((await spot(world, "service", "install")).stdout).toContain("nothing to change in");

  const other = { ...world, env: { ...world.env, AWS_REGION: "eu-west-1" } };
  const shown = (await spot(other, "service", "install", "--yes")).stdout;
  expect(shown).toContain(`changed ${unit}`);
  expect(shown).toContain('    + Environment="AWS_REGION=eu-west-1"\n');
  expect(shown.split("\n").filter((line) => /^ {4}[+-] /.test(line))).toHaveLength(1);

  // Stopped by hand: the text is the same, and it is started again.
  fakes.remember(`${name}.state`, "inactive");
  expect((await asked(other, "install", "--yes")).data.ran).toContain(`systemctl --user restart ${name}`);
});

test("what says nothing of secrets goes along, what may be secret does not, and clouds that cannot be used are named", async () => {
  const env = {
    PPIO_API_KEY: "canary-1",
    VERDA_CLIENT_ID: "canary-2",
    VERDA_CLIENT_SECRET: "canary-3",
    AWS_ACCESS_KEY_ID: "canary-4",
    AWS_SECRET_ACCESS_KEY: "canary-5",
    AWS_REGION: "eu-west-1",
    HTTPS_PROXY: "http://me:canary-6@proxy:3128",
    NO_PROXY: "internal",
    NOVITA_API_URL: "https://gateway.internal",
    GOOGLE_APPLICATION_CREDENTIALS: "keys/gcp.json",
    SPOT_GCP_PROJECT: "mine",
    SPOT_CONTEXT: "",
  };
  const fakes = serviceFakes(["systemctl", "loginctl"], { env });
  const { world } = fakes;
  mkdirSync(join(world.cwd, "keys"));
  writeFileSync(join(world.cwd, "keys", "gcp.json"), "{}");
  const { data, stderr } = await asked(world, "install", "--yes");
  expect(JSON.stringify(data) + stderr + readFileSync(unitOf(fakes), "utf8")).not.toContain("canary");
  expect(data.text).toContain('Environment="AWS_REGION=eu-west-1"\n');
  expect(data.text).toContain('Environment="NOVITA_API_URL=https://gateway.internal"\n');
  expect(data.text).toContain('Environment="SPOT_GCP_PROJECT=mine"\n');
  // The service is at home in another folder.
  expect(data.text).toContain(`Environment="GOOGLE_APPLICATION_CREDENTIALS=${join(world.cwd, "keys", "gcp.json")}"\n`);
  expect(data.unreachable).toEqual([
    { provider: "ppio", variables: ["PPIO_API_KEY"], next: "spot provider login ppio" },
    { provider: "verda", variables: ["VERDA_CLIENT_ID", "VERDA_CLIENT_SECRET"], next: "spot provider login verda" },
    { provider: "aws", variables: ["AWS_ACCESS_KEY_ID"], next: expect.stringContaining("aws configure") },
  ]);
  expect(data.warnings.join("\n")).toMatch(/HTTPS_PROXY, AWS_SECRET_ACCESS_KEY; --environment-file/);
  const human = await spot(world, "service", "install", "--yes");
  expect(human.stderr).toContain("the service cannot use ppio: its credentials stand only in this shell (PPIO_API_KEY)");

  // What a login has stored works by itself.
  writeFileSync(join(world.home, "credentials.json"), JSON.stringify({ PPIO_API_KEY: "canary-1" }), { mode: 0o600 });
  expect((await asked(world, "install", "--yes")).data.unreachable.map((one: { provider: string }) => one.provider)).toEqual([
    "verda",
    "aws",
  ]);
});

test("a file of the user's hands credentials over, when nobody else can read it and everybody reads it alike", async () => {
  const fakes = serviceFakes(["systemctl", "loginctl"], {
    env: { VERDA_CLIENT_ID: "a", VERDA_CLIENT_SECRET: "b", SPOT_STATE_URL: "postgres://me:canary@db/spot" },
  });
  const { world } = fakes;
  const file = join(fakes.folder, "verda.env");
  writeFileSync(file, "# mine\n\nVERDA_CLIENT_ID=x-1\nVERDA_CLIENT_SECRET='y z'\nSPOT_STATE_URL=\"postgres://me:canary@db/spot\"\n");
  // Without it, another state would be looked after.
  const without = await spot(world, "service", "install", "--yes");
  expect([without.code, without.stderr.includes("canary")]).toEqual([2, false]);
  expect(without.stderr).toContain("SPOT_STATE_URL holds a password");

  chmodSync(file, 0o640);
  const open = await spot(world, "service", "install", "--yes", "--environment-file", file);
  expect([open.code, open.stderr]).toEqual([2, expect.stringContaining(`chmod 600 ${file}`)]);
  chmodSync(file, 0o600);
  const { data } = await asked(world, "install", "--yes", "--environment-file", file);
  expect(data.unreachable).toEqual([]);
  expect(data.warnings.join()).not.toContain("VERDA");
  expect(data.text).toContain(`EnvironmentFile=${file}\n`);
  expect(JSON.stringify(data)).not.toContain("canary");

  for (const line of ["export A=1", "A=a b", "A=$B", 'A="`id`"', "A=~/x", "A='it'\\''s'", "A B=1"]) {
    writeFileSync(file, `OK=1\n${line}\n`);
    const { code, stderr } = await spot(world, "service", "install", "--yes", "--environment-file", file);
    expect([code, stderr], line).toEqual([2, expect.stringContaining(`line 2 of ${file}`)]);
  }
  expect((await spot(world, "service", "install", "--yes", "--environment-file", join(fakes.folder, "no*ne"))).stderr).toContain(
    "wildcards",
  );
  expect((await spot(world, "service", "install", "--yes", "--environment-file", fakes.folder)).stderr).toContain("is no file");
});

test("an address of the state without a password goes along", async () => {
  const { world } = serviceFakes(["systemctl", "loginctl"], { env: { SPOT_STATE_URL: "postgres://me@db/spot" } });
  expect((await asked(world, "install", "--yes")).data.text).toContain('Environment="SPOT_STATE_URL=postgres://me@db/spot"\n');
});

test("systemd: a unit ends with the last logout, and --linger is asked for by name", async () => {
  const fakes = serviceFakes(["systemctl", "loginctl"]);
  const { world } = fakes;
  const first = await asked(world, "install", "--yes");
  expect(first.data).toMatchObject({ lingers: false, warnings: ["it ends with your last logout; --linger lets it go on"] });
  fakes.remember("no-rights", "");
  const refused = await asked(world, "install", "--yes", "--linger");
  expect(refused.data.lingers).toBe(false);
  expect(refused.data.warnings.join()).toMatch(/Access denied; sudo loginctl enable-linger \S+/);
  rmSync(fakes.memory("no-rights"));
  const granted = await asked(world, "install", "--yes", "--linger");
  expect([granted.data.done, granted.data.lingers, granted.data.ran]).toEqual(["unchanged", true, ["loginctl enable-linger"]]);
  expect((await asked(world, "install", "--yes")).data.warnings).toEqual([]);
});

test("status says whether it lives, since when, who controls, and when the last pass was", async () => {
  const fakes = serviceFakes(["systemctl", "loginctl"]);
  const { world } = fakes;
  const absent = await asked(world, "status");
  expect([absent.code, absent.data.installed, absent.data.health]).toEqual([9, false, "absent"]);
  await asked(world, "install", "--yes");
  // Active since January, and no pass was ever noted.
  const silent = await asked(world, "status");
  expect([silent.code, silent.data.health, silent.data.running]).toEqual([1, "silent", true]);

  expect((await spot(world, "reconcile")).code).toBe(0);
  const state = await openState(join(world.home, "state.db"));
  await state.acquireLease("controller", JSON.stringify(["tower", 4711, "x", "o-1"]), Date.now(), 60_000);
  await state.close();
  const alive = await asked(world, "status");
  expect([alive.code, alive.data]).toEqual([
    0,
    {
      installed: true,
      alive: true,
      health: "alive",
      kind: "systemd",
      name: expect.stringMatching(/^spot-[0-9a-f]{8}\.service$/),
      path: unitOf(fakes),
      running: true,
      pid: 4711,
      since: "2026-01-05T10:00:00.000Z",
      restarts: 2,
      everySeconds: null,
      lingers: false,
      lastPass: { at: expect.stringMatching(/Z$/), by: "reconcile", pid: world.pid },
      lastError: null,
      controller: { host: "tower", pid: 4711, since: expect.stringMatching(/Z$/), expiresAt: expect.stringMatching(/Z$/) },
      log: expect.stringMatching(/^journalctl --user -u spot-/),
      also: [],
    },
  ]);
  expect((await spot(world, "service", "status")).stdout).toMatch(/installed and alive[\s\S]*by spot reconcile/);

  fakes.remember(`${alive.data.name}.state`, "failed");
  const dead = await asked(world, "status");
  expect([dead.code, dead.data.health, dead.data.lastError]).toEqual([1, "dead", "failed (exit-code, exit 70)"]);
});

test("uninstall removes what was installed, and names what goes on unwatched and what still guards it", async () => {
  const fakes = serviceFakes(["systemctl", "loginctl", "crontab"]);
  const { world } = fakes;
  expect((await spot(world, "service", "uninstall")).stdout).toBe("nothing is installed\n");
  await asked(world, "install", "--yes");
  await asked(world, "install", "--cron", "--yes");
  const unit = unitOf(fakes);
  const beside = join(unit, "..", "mine.service");
  writeFileSync(beside, "[Unit]\n");
  const state = await openState(join(world.home, "state.db"));
  const ttlEndsAt = Date.UTC(2027, 0, 1);
  for (const record of [
    sampleInstance("forever", { provider: "local", ttlEndsAt: null }),
    sampleInstance("boxed", { provider: "local", ttlEndsAt }),
    sampleInstance("theirs", { provider: "verda", ttlEndsAt }),
    sampleInstance("asleep", { provider: "local", state: "hibernated", desired: "hibernated" }),
  ])
    await state.commit({ addInstance: record });
  await state.close();

  const dry = await asked(world, "uninstall", "--dry-run");
  expect([dry.data.done, dry.data.removed.length, existsSync(unit)]).toEqual(["planned", 2, true]);
  expect((await spot(world, "service", "uninstall")).stderr).toContain("--yes");
  expect(existsSync(unit)).toBe(true);
  const { data, stderr } = await asked(world, "uninstall", "--yes");
  expect(stderr).toBe("");
  expect(data.removed.map(({ kind }: { kind: string }) => kind)).toEqual(["systemd", "cron"]);
  expect([existsSync(unit), existsSync(beside), existsSync(fakes.memory("crontab"))]).toEqual([false, true, false]);
  const guards = Object.fromEntries(data.unwatched.map(({ name, guard }: { name: string; guard: string }) => [name, guard]));
  expect(guards).toEqual({
    forever: "it has no --ttl, so it runs and costs until spot down forever or a reclaim",
    boxed: "its agent ends it at 2027-01-01T00:00:00.000Z, and else the cloud itself",
    theirs: "its agent stops the work at 2027-01-01T00:00:00.000Z, but only spot reconcile or spot down theirs ends the machine",
  });
  expect((await asked(world, "status")).code).toBe(9);
});

test("a unit that somebody has disabled by hand is removed all the same", async () => {
  const fakes = serviceFakes(["systemctl", "loginctl"]);
  await asked(fakes.world, "install", "--yes");
  const name = unitOf(fakes).split("/").at(-1) ?? "";
  for (const file of [`${name}.enabled`, `${name}.state`]) rmSync(fakes.memory(file));
  expect((await asked(fakes.world, "uninstall", "--yes")).code).toBe(0);
  expect(existsSync(unitOf(fakes))).toBe(false);
});

test("where the user's manager no longer answers, nothing of the unit stays that the next login would start", async () => {
  const fakes = serviceFakes(["systemctl", "loginctl"]);
  await asked(fakes.world, "install", "--yes");
  const unit = unitOf(fakes);
  const wants = join(unit, "..", "default.target.wants");
  mkdirSync(wants);
  symlinkSync(unit, join(wants, unit.split("/").at(-1) ?? ""));
  fakes.remember("no-bus", "");
  expect((await asked(fakes.world, "status")).code).toBe(1);
  expect((await asked(fakes.world, "uninstall", "--yes")).code).toBe(0);
  expect([existsSync(unit), readdirSync(wants)]).toEqual([false, []]);
});

test("cron: one marked block, every other line byte for byte as it was, also in another encoding", async () => {
  const fakes = serviceFakes(["crontab"]);
  const { world } = fakes;
  const before = Buffer.concat([
    Buffer.from("MAILTO=me\r\n# gr"),
    Buffer.from([0xfc, 0xdf, 0xff]),
    Buffer.from("e\n0 4 * * * a\\%b   \n\n"),
  ]);
  fakes.remember("crontab", before);
  const { data } = await asked(world, "install", "--cron", "--every", "10m", "--yes");
  expect([data.kind, data.path, data.ran]).toEqual(["cron", "crontab", ["crontab -"]]);
  const written = readFileSync(fakes.memory("crontab"));
  expect(written.equals(Buffer.concat([before, Buffer.from(data.text)]))).toBe(true);
  expect(data.text).toMatch(
    /^# >>> spot service-[0-9a-f]{8} >>>\n# .*\n\*\/10 \* \* \* \* .* reconcile --quiet --no-color >\/dev\/null 2>>\S+\/service\.log\n# <<< .* <<<\n$/,
  );
  expect((await asked(world, "install", "--cron", "--every", "10m", "--yes")).data.done).toBe("unchanged");
  const changed = await asked(world, "install", "--cron", "--yes");
  expect([changed.data.done, changed.data.previous]).toEqual(["replaced", data.text]);
  expect((await asked(world, "status")).data).toMatchObject({ kind: "cron", everySeconds: 300, health: "silent", running: null });
  await spot(world, "reconcile");
  expect((await asked(world, "status")).code).toBe(0);
  await asked(world, "uninstall", "--yes");
  expect(readFileSync(fakes.memory("crontab")).equals(before)).toBe(true);
});

test("cron is the way where systemd does not answer, and a crontab that cannot be read is never written", async () => {
  const fakes = serviceFakes(["systemctl", "crontab"]);
  fakes.remember("no-bus", "");
  expect((await asked(fakes.world, "install", "--yes")).data.kind).toBe("cron");
  const script = join(fakes.folder, "bin", "crontab");
  writeFileSync(script, '#!/bin/sh\necho "You (me) are not allowed to use this program (crontab)" >&2\nexit 1\n');
  const { code, stderr } = await spot(fakes.world, "service", "install", "--cron", "--yes");
  expect([code, stderr]).toEqual([1, expect.stringContaining("not allowed to use this program")]);
});

test("where nothing keeps services it is said how to go on by hand; what was named and is not there is refused", async () => {
  const { world } = serviceFakes([]);
  const none = await spot(world, "service", "install", "--yes");
  expect([none.code, none.stderr]).toEqual([
    1,
    expect.stringContaining("nothing here can keep a service running (systemd: there is no systemctl; cron: there is no crontab)"),
  ]);
  expect(none.stderr).toContain("spot watch --act");
  const cases: readonly (readonly [readonly string[], string])[] = [
    [["--launchd"], "there is no launchd on linux"],
    [["--systemd", "--cron"], "--systemd and --cron contradict each other"],
    [["--systemd", "--dry-run", "--every", "5m"], "--every goes with --cron"],
    [["--cron", "--dry-run", "--every", "7m"], "--every: cron knows only parts of an hour"],
    [["--cron", "--dry-run", "--linger"], "--linger goes with --systemd"],
  ];
  for (const [argv, message] of cases) {
    const { code, stderr } = await spot(world, "service", "install", ...argv);
    expect([code, stderr], argv.join(" ")).toEqual([2, expect.stringContaining(message)]);
  }
});

test("launchd: unloaded before the file changes, loaded again, asked, and taken away", async () => {
  const fakes = serviceFakes(["launchctl"], { platform: "darwin" });
  const { world } = fakes;
  const { data } = await asked(world, "install", "--yes");
  const { uid } = keeperWorld(world);
  expect(data).toMatchObject({ done: "installed", kind: "launchd", ran: [`launchctl bootstrap gui/${uid} ${data.path}`] });
  expect(data.path).toBe(join(fakes.folder, "Library", "LaunchAgents", `${data.name}.plist`));
  expect(readFileSync(data.path, "utf8")).toBe(data.text);
  expect(data.text).toContain(`<string>${join(world.home, "service.log")}</string>`);
  expect((await asked(world, "install", "--yes")).data.done).toBe("unchanged");
  const other = { ...world, env: { ...world.env, AWS_REGION: "eu-west-1" } };
  expect((await asked(other, "install", "--yes")).data.ran).toEqual([
    `launchctl bootout gui/${uid}/${data.name}`,
    `launchctl bootstrap gui/${uid} ${data.path}`,
  ]);
  expect((await asked(world, "status")).data).toMatchObject({ running: true, pid: 815, restarts: 2, health: "silent" });
  await asked(world, "uninstall", "--yes");
  expect([existsSync(data.path), existsSync(fakes.memory("loaded"))]).toEqual([false, false]);
});

test("the usual home has the plain name; every other home has a service of its own", () => {
  const home = temporaryFolder();
  for (const platform of ["linux", "darwin"] as const)
    for (const env of [{ HOME: home }, { HOME: home, XDG_DATA_HOME: join(home, "data") }, { HOME: home, XDG_DATA_HOME: "relative" }]) {
      const usual = { ...testWorld({ home: spotHome({ ...env, SPOT_HOME: undefined }, platform, home), env }), platform };
      expect(keeperWorld({ ...usual, env }).tag, JSON.stringify([platform, env])).toBe("");
      expect(keeperWorld({ ...usual, env, home: join(home, "other") }).tag).toMatch(/^-[0-9a-f]{8}$/);
    }
});

test.each([
  ["/home/a/.nvm/versions/node/v20.19.0/bin/node", "nvm"],
  ["/opt/homebrew/Cellar/node/22.1.0/bin/node", "Homebrew"],
  ["/home/a/.npm/_npx/1a2b/node_modules/spot-fleet/bin/spot", "npx"],
  ["/usr/bin/node", undefined],
])("%s goes away with an upgrade of %s", (path, maker) => {
  expect(fleetingMaker(path)).toBe(maker);
});

test("a node that goes away is said, and a lasting name for the very same one is taken", async () => {
  const fakes = serviceFakes(["systemctl", "loginctl"]);
  const folder = join(fakes.folder, ".nvm", "versions", "bin");
  mkdirSync(folder, { recursive: true });
  const node = join(folder, "node");
  writeFileSync(node, "#!/bin/sh\n", { mode: 0o755 });
  const world = { ...fakes.world, selfCommand: [node, "/opt/spot/bin/spot"] };
  const { data } = await asked(world, "install", "--dry-run");
  expect(data.warnings).toContain(`${node} is nvm's and may be gone after an upgrade; run spot service install again then`);
  symlinkSync(node, join(fakes.folder, "bin", "node"));
  const lasting = (await asked(world, "install", "--dry-run")).data;
  expect(lasting.text).toContain(`ExecStart="${join(fakes.folder, "bin", "node")}" `);
  expect(lasting.warnings.join()).not.toContain("nvm");
});

test("a home that no unit can name is refused", async () => {
  const { world } = serviceFakes(["systemctl"]);
  const { code, stderr } = await spot({ ...world, home: `${world.home}\u0007` }, "service", "install", "--dry-run");
  expect([code, stderr]).toEqual([2, expect.stringContaining("control character")]);
});

test("passes are noted every half minute, and a file that cannot be written stops nobody", async () => {
  const clock = virtualClock();
  const home = temporaryFolder();
  const note = notePasses({ home, pid: 7, clock }, "watch --act");
  await note("verda: no answer");
  const first = await readPulse(home);
  expect(first).toEqual({ at: clock.now(), pid: 7, by: "watch --act", trouble: "verda: no answer" });
  await clock.pass(29_000);
  await note(null);
  expect(await readPulse(home)).toEqual(first);
  await clock.pass(1_000);
  await note(null);
  expect(await readPulse(home)).toEqual({ at: clock.now(), pid: 7, by: "watch --act", trouble: null });
  writeFileSync(join(home, "pulse.json"), "half");
  expect(await readPulse(home)).toBeUndefined();
  await notePasses({ home: join(home, "none"), pid: 7, clock }, "watch --act")(null);
});

test.each([
  [{ running: false, since: null, pulse: { at: 1_000_000 }, everyMs: null }, "dead"],
  [{ running: true, since: 999_000, pulse: null, everyMs: null }, "alive"],
  [{ running: true, since: 0, pulse: { at: 1_000_000 - 299_000 }, everyMs: null }, "alive"],
  [{ running: true, since: 0, pulse: { at: 1_000_000 - 301_000 }, everyMs: null }, "silent"],
  [{ running: null, since: null, pulse: { at: 1_000_000 - 770_000 }, everyMs: 300_000 }, "alive"],
  [{ running: null, since: null, pulse: { at: 1_000_000 - 790_000 }, everyMs: 300_000 }, "silent"],
  [{ running: null, since: null, pulse: null, everyMs: 300_000 }, "silent"],
] as const)("%j is %s", (seen, health) => {
  expect(healthOf({ ...seen, now: 1_000_000 })).toBe(health);
});
