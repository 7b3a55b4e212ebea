import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { cronEveryMs, cronLine, cronSchedule, cronWord, withBlock, withoutBlock } from "../../src/platform/service-cron.ts";
import { launchdPlist } from "../../src/platform/service-launchd.ts";
import type { ServicePlan } from "../../src/platform/service-plan.ts";
import { systemdUnit } from "../../src/platform/service-systemd.ts";
import { temporaryFolder } from "../world.ts";

const plan = (set: Partial<ServicePlan> = {}): ServicePlan => ({
  tag: "",
  home: "/home/a/.local/share/spot",
  node: "/usr/bin/node",
  program: "/opt/spot/bin/spot",
  environment: { SPOT_HOME: "/home/a/.local/share/spot", PATH: "/usr/bin:/bin" },
  envFile: null,
  logFile: "/home/a/.local/share/spot/service.log",
  everyMs: 300_000,
  ...set,
});

/** Paths that somebody might have, and then those that nobody should. */
const hostile = fc
  .array(
    fc.constantFrom(
      "a",
      "B",
      "7",
      " ",
      "'",
      '"',
      "%",
      "%%",
      "$",
      "$HOME",
      "\\",
      "\\\\",
      "\n",
      "\t",
      "&",
      "<",
      ">",
      "]]>",
      ";",
      "#",
      "`id`",
      "é",
      "~",
      "*",
      "%n",
      "!",
    ),
    {
      maxLength: 12,
    },
  )
  .map((parts) => `/${parts.join("")}z`);

/** systemd.syntax(7) and systemd.service(5), read anew: words, C escapes, specifiers, variables. */
function systemdWords(value: string, variables: boolean): readonly string[] {
  const words = [...value.matchAll(/"((?:[^"\\]|\\.)*)"(?: |$)/g)].map(([, word = ""]) => word);
  expect(words.map((word) => `"${word}"`).join(" ")).toBe(value);
  return words.map((word, index) => {
    const unescaped = word.replaceAll(/\\(.)/g, (_, char: string) => ({ n: "\n", t: "\t" })[char] ?? char);
    expect(unescaped.replaceAll("%%", "")).not.toContain("%");
    const specified = unescaped.replaceAll("%%", "%");
    if (!variables || index === 0) return specified;
    expect(specified.replaceAll("$$", "")).not.toContain("$");
    return specified.replaceAll("$$", "$");
  });
}

const valuesOf = (unit: string, key: string) =>
  unit
    .split("\n")
    .filter((line) => line.startsWith(`${key}=`))
    .map((line) => line.slice(key.length + 1));

test("a unit means the paths that it was given, whatever stands in them", () => {
  fc.assert(
    fc.property(hostile, hostile, hostile, (node, program, home) => {
      const unit = systemdUnit(plan({ node, program, environment: { SPOT_HOME: home } }), 255);
      const [command = ""] = valuesOf(unit, "ExecStart");
      const words = systemdWords(command, true);
      const started = words[0] === "/bin/sh" ? words.slice(3) : words;
      expect(started).toEqual([node, program, "watch", "--act", "--quiet", "--no-color"]);
      if (words[0] === "/bin/sh") expect(words.slice(1, 3)).toEqual(["-c", 'exec "$0" "$@"']);
      expect(valuesOf(unit, "Environment").map((value) => systemdWords(value, false))).toEqual([[`SPOT_HOME=${home}`]]);
    }),
  );
});

const hasAnalyze = spawnSync("systemd-analyze", ["--version"]).status === 0;

test.runIf(hasAnalyze)("systemd itself takes the units: every word of them, and the paths of programs that it refuses elsewhere", () => {
  const folder = temporaryFolder();
  const names = ["plain", "a b", "per%cent%n", "do$lar$HOME", "it's", 'say "hi"', "back\\slash", "semi;colon #x", "new\nline"];
  const units = names.map((name, index) => {
    mkdirSync(join(folder, name));
    const node = join(folder, name, "node");
    writeFileSync(node, "#!/bin/sh\n");
    chmodSync(node, 0o755);
    const unit = join(folder, `spot-${index}.service`);
    const environment = { SPOT_HOME: join(folder, name), PATH: "/usr/bin:/bin" };
    writeFileSync(unit, systemdUnit(plan({ node, program: node, environment, envFile: "/etc/spot env%" }), 252));
    return unit;
  });
  const env = { ...process.env, XDG_RUNTIME_DIR: folder, SYSTEMD_LOG_TARGET: "console" };
  const { status, stdout, stderr } = spawnSync("systemd-analyze", ["verify", "--user", ...units], { env, encoding: "utf8" });
  expect([status, stdout, stderr]).toEqual([0, "", ""]);
  // And this is how it looks when it does not.
  writeFileSync(join(folder, "bad.service"), systemdUnit(plan({ node: join(folder, "nobody") }), 252));
  expect(spawnSync("systemd-analyze", ["verify", "--user", join(folder, "bad.service")], { env }).status).toBe(1);
});

test("systemd waits longer from one failed start to the next where it can", () => {
  expect(systemdUnit(plan(), 252)).not.toContain("RestartSteps");
  expect(systemdUnit(plan(), 254)).toContain("RestartSteps=6\nRestartMaxDelaySec=5min\n");
});

/** XML as far as a plist needs it: tags, texts, the five entities and numbered signs. */
function xmlTexts(xml: string): readonly string[] {
  const body = xml.replaceAll(/<!--[\s\S]*?-->|<[?!][\s\S]*?>/g, "");
  expect(body.replaceAll(/<\/?(plist|dict|array|key|string|integer|true|false)( [^<>]*)?\/?>/g, "")).not.toMatch(
    /[<]|&(?!(amp|lt|gt|#13);)/,
  );
  return [...body.matchAll(/<(key|string|integer)>([^<]*)<\/\1>/g)].map(([, , text = ""]) =>
    text.replaceAll(/&(amp|lt|gt|#13);/g, (_, entity: string) => ({ amp: "&", lt: "<", gt: ">", "#13": "\r" })[entity] ?? "?"),
  );
}

test("a plist means the paths that it was given, whatever stands in them", () => {
  fc.assert(
    fc.property(hostile, hostile, hostile, (node, program, home) => {
      const texts = xmlTexts(
        launchdPlist("spot-fleet.watch", plan({ node, program, environment: { SPOT_HOME: home }, logFile: `${home}/service.log` })),
      );
      expect(texts.slice(0, 9)).toEqual([
        "Label",
        "spot-fleet.watch",
        "ProgramArguments",
        node,
        program,
        "watch",
        "--act",
        "--quiet",
        "--no-color",
      ]);
      expect(texts.slice(9, 12)).toEqual(["EnvironmentVariables", "SPOT_HOME", home]);
      expect(texts).toContain(`${home}/service.log`);
    }),
  );
});

const hasPython = spawnSync("python3", ["-c", "import plistlib"]).status === 0;

test.runIf(hasPython)("a parser of plists that others wrote reads it alike", () => {
  const odd = "/a b&<c>'\"%$HOME\\\n]]>é";
  const text = launchdPlist("spot-fleet.watch", plan({ node: odd, envFile: "/env", environment: { SPOT_HOME: odd } }));
  const { stdout, stderr } = spawnSync(
    "python3",
    ["-c", "import json, plistlib, sys; print(json.dumps(plistlib.loads(sys.stdin.buffer.read())))"],
    { input: text, encoding: "utf8" },
  );
  expect(stderr).toBe("");
  expect(JSON.parse(stdout)).toMatchObject({
    KeepAlive: true,
    RunAtLoad: true,
    AbandonProcessGroup: true,
    EnvironmentVariables: { SPOT_HOME: odd },
    ProgramArguments: [
      "/bin/sh",
      "-c",
      expect.stringContaining('exec "$@"'),
      "spot",
      "/env",
      odd,
      "/opt/spot/bin/spot",
      "watch",
      "--act",
      "--quiet",
      "--no-color",
    ],
  });
});

/** What becomes of a command before the shell sees it: by crontab(5); in crons that also read `\\` as one; in busybox's, nothing. */
const CRONS: Readonly<Record<string, (command: string) => string>> = {
  manual: (command) => {
    expect(command.replaceAll("\\%", "")).not.toContain("%");
    return command.replaceAll("\\%", "%");
  },
  vixie: (command) => command.replaceAll(/\\([%\\])/g, "$1"),
  busybox: (command) => command,
};

test("a word of the crontab comes out of cron and sh as it went in", () => {
  fc.assert(
    fc.property(fc.array(hostile, { minLength: 1, maxLength: 20 }), (paths) => {
      for (const [name, treated] of Object.entries(CRONS)) {
        const command = `printf "$FORM" ${paths.map(cronWord).join(" ")}`;
        expect(command).not.toContain("\n");
        const { stdout } = spawnSync("sh", ["-c", treated(command)], {
          env: { PATH: process.env["PATH"], FORM: "%s\\0" },
          encoding: "utf8",
        });
        expect(stdout.split("\0").slice(0, -1), name).toEqual(paths);
      }
    }),
    { numRuns: 25 },
  );
});

test("the whole line runs what it says, with its variables, the user's file and its log", () => {
  const folder = join(temporaryFolder(), "50 % of 'it' \"all\" \\ $HOME\nnew");
  mkdirSync(folder);
  const node = join(folder, "no de");
  writeFileSync(node, '#!/bin/sh\nprintf "%s|" "$@" "$SPOT_HOME" "$TOKEN" >"$SPOT_HOME/seen"\necho heard >&2\n');
  chmodSync(node, 0o755);
  const envFile = join(folder, "env");
  writeFileSync(envFile, "# mine\nTOKEN='of %s'\n");
  const line = cronLine(
    plan({ node, program: "/opt/spot", environment: { SPOT_HOME: folder, PATH: "/usr/bin:/bin" }, envFile, logFile: join(folder, "log") }),
  );
  expect(line.startsWith("*/5 * * * * ")).toBe(true);
  const command = CRONS["vixie"]?.(line.slice("*/5 * * * * ".length)) ?? "";
  expect(spawnSync("sh", ["-c", command], { env: {}, encoding: "utf8" })).toMatchObject({ status: 0, stdout: "", stderr: "" });
  const read = (name: string) => spawnSync("cat", [join(folder, name)], { encoding: "utf8" }).stdout;
  expect(read("seen")).toBe(`/opt/spot|reconcile|--quiet|--no-color|${folder}|of %s|`);
  expect(read("log")).toBe("heard\n");
});

test("a line that cron would cut off is refused", () => {
  expect(() => cronLine(plan({ environment: { PATH: `/${"long/".repeat(220)}` } }))).toThrow(/cut off a command of \d+ bytes/);
});

test.each([
  [60_000, "* * * * *"],
  [300_000, "*/5 * * * *"],
  [1_800_000, "*/30 * * * *"],
  [3_600_000, "0 * * * *"],
  [7_200_000, "0 */2 * * *"],
  [86_400_000, "0 0 * * *"],
])("every %i ms is %j, and is read back", (ms, fields) => {
  expect(cronSchedule(ms)).toBe(fields);
  expect(cronEveryMs(`# >>> x\n${fields} /usr/bin/node x\n`)).toBe(ms);
});

test.each([1_000, 90_000, 420_000, 5_400_000, 18_000_000, 172_800_000])("every %i ms is nothing that cron can say", (ms) => {
  expect(() => cronSchedule(ms)).toThrow("--every");
});

test("a block comes and goes, and every other line of the crontab stays as it is", () => {
  const line = fc.string({ unit: "binary-ascii", maxLength: 20 }).map((text) => text.replaceAll("\n", ""));
  fc.assert(
    fc.property(fc.array(line, { maxLength: 5 }), fc.array(line, { maxLength: 5 }), line, line, (above, below, one, other) => {
      const [before, after] = [above, below].map((lines) => lines.map((text) => `${text}\n`).join("")) as [string, string];
      const block = (text: string, tag = "") => `# >>> spot service${tag} >>>\n${text}\n# <<< spot service${tag} <<<\n`;
      const first = withBlock(before, "", block(one)) + after;
      expect(first).toBe(before + block(one) + after);
      expect(withBlock(first, "", block(other))).toBe(before + block(other) + after);
      expect(withoutBlock(first, "")).toBe(before + after);
      // Another home's block is another line to us.
      expect(withoutBlock(withBlock(first, "-1234abcd", block(other, "-1234abcd")), "-1234abcd")).toBe(first);
    }),
  );
  expect(withBlock("0 1 * * * x", "", "B\n")).toBe("0 1 * * * x\nB\n");
});

test.each([["# >>> spot service >>>\nx\n"], ["# <<< spot service <<<\n"], ["# <<< spot service <<<\n# >>> spot service >>>\n"]])(
  "a mark without its other half is left to a person: %j",
  (crontab) => {
    expect(() => withBlock(crontab, "", "B\n")).toThrow("without its other half");
    expect(() => withoutBlock(crontab, "")).toThrow("without its other half");
  },
);
