import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { readFileIfThere, writeFileAtomic } from "./files.ts";
import { type Keeper, type KeeperWorld, type ServicePlan, type ServiceState, STILL } from "./service-plan.ts";

/** The first version that waits longer from one failed start to the next. */
const BACKS_OFF_SINCE = 254;
/** What systemd takes for the path of a program: no quotes, no backslash, no control characters (`string_is_safe`). */
const isTaken = (path: string) => path.startsWith("/") && !/['"\\\p{Cc}]/u.test(path);

/** systemd.syntax(7): a word in double quotes with C escapes; a percent sign would begin a specifier. */
function quoted(text: string): string {
  const escaped = text
    .replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"')
    .replaceAll("%", "%%")
    .replaceAll(/[\n\t]/g, (char) => (char === "\n" ? "\\n" : "\\t"));
  return `"${escaped}"`;
}

/** systemd.service(5), command lines: a dollar in an argument begins a variable. In the program's own path it does not. */
const argument = (text: string) => quoted(text.replaceAll("$", "$$$$"));

/** `ExecStart=`: a program whose path systemd refuses is started by a shell, to which that path is an argument. */
function commandLine([program = "", ...rest]: readonly string[]): string {
  if (isTaken(program)) return [quoted(program), ...rest.map(argument)].join(" ");
  return ['"/bin/sh" "-c"', ...['exec "$0" "$@"', program, ...rest].map(argument)].join(" ");
}

/** The user unit as text, for a systemd of that version. */
export function systemdUnit({ node, program, environment, envFile }: ServicePlan, version: number): string {
  return [
    "# Written by `spot service install`, which also changes it; `spot service uninstall` removes it.",
    "[Unit]",
    "Description=spot hears reclaim notices and answers them",
    "# Says something only where the network is a unit of the same manager; without a network a pass fails and the next one comes.",
    "After=network-online.target",
    "StartLimitIntervalSec=0",
    "",
    "[Service]",
    "Type=exec",
    `ExecStart=${commandLine([node, program, "watch", "--act", "--quiet", "--no-color"])}`,
    ...Object.entries(environment).map(([name, value]) => `Environment=${quoted(`${name}=${value}`)}`),
    ...(envFile === null ? [] : [`EnvironmentFile=${envFile.replaceAll("%", "%%")}`]),
    "Restart=always",
    "RestartSec=5",
    ...(version >= BACKS_OFF_SINCE ? ["RestartSteps=6", "RestartMaxDelaySec=5min"] : []),
    "# Told to end, it finishes the step under way and exits with 143.",
    "SuccessExitStatus=143",
    "TimeoutStopSec=90",
    "# The embedded cloud, its machines and ssh's shared connections outlive the watch.",
    "KillMode=process",
    "OOMPolicy=continue",
    "# No more than this: what makes namespaces hides from ssh who owns its files, and the embedded cloud's machines inherit it.",
    "NoNewPrivileges=yes",
    "SyslogIdentifier=spot",
    "",
    "[Install]",
    "WantedBy=default.target",
    "",
  ].join("\n");
}

/** systemd's manager of this user. */
export function systemdKeeper({ configHome, tag, run }: KeeperWorld): Keeper {
  const name = `spot${tag}.service`;
  const path = join(configHome, "systemd", "user", name);
  const systemctl = (...words: readonly string[]) => run.change(["systemctl", "--user", ...words]);
  return {
    kind: "systemd",
    name,
    path,
    log: `journalctl --user -u ${name}`,
    async unfit() {
      const { code, stderr } = await run(["systemctl", "--user", "show", "--property=Version"]);
      if (code === 0) return null;
      return code === 127 ? "there is no systemctl" : `systemctl --user does not answer: ${stderr.trim() || `it ended with ${code}`}`;
    },
    installed: () => readFileIfThere(path),
    async text(plan) {
      const { stdout } = await run(["systemctl", "--version"]);
      return systemdUnit(plan, Number(/^systemd (\d+)/.exec(stdout.toString())?.[1] ?? 0));
    },
    async put(text) {
      await mkdir(dirname(path), { recursive: true });
      await writeFileAtomic(path, text, 0o644);
      await systemctl("daemon-reload");
      await systemctl("enable", name);
      await systemctl("restart", name);
    },
    async remove() {
      // A unit that was never enabled, or that somebody has disabled, is no reason to leave its file.
      await run
        .change(["systemctl", "--user", "disable", "--now", name])
        .catch((error: unknown) => stillRuns(error, () => state(run, name)));
      // Where no manager answers, what enabled it is taken away by hand.
      for (const file of [path, join(dirname(path), "default.target.wants", name)]) await rm(file, { force: true });
      await run.try(["systemctl", "--user", "daemon-reload"]);
      await run(["systemctl", "--user", "reset-failed", name]);
    },
    state: () => state(run, name),
  };
}

/** Whether this user's manager goes on without a login; null when nobody says. */
export async function lingers({ run, uid }: Pick<KeeperWorld, "run" | "uid">): Promise<boolean | null> {
  const { code, stdout } = await run(["loginctl", "show-user", String(uid), "--property=Linger"]);
  const said = /^Linger=(yes|no)$/m.exec(stdout.toString())?.[1];
  return code !== 0 || said === undefined ? null : said === "yes";
}

async function stillRuns(error: unknown, look: () => Promise<ServiceState>): Promise<void> {
  if ((await look()).running !== false) throw error;
}

/** `systemctl show` gives one `Name=value` a line; times are told in UTC when TZ says so, which `date` cannot be asked for. */
async function state(run: KeeperWorld["run"], name: string): Promise<ServiceState> {
  const properties = ["ActiveState", "SubState", "MainPID", "ActiveEnterTimestamp", "NRestarts", "Result", "ExecMainStatus"];
  const { code, stdout } = await run([
    "env",
    "TZ=UTC",
    "LC_ALL=C",
    "systemctl",
    "--user",
    "show",
    name,
    `--property=${properties.join(",")}`,
  ]);
  if (code !== 0) return STILL;
  const found = Object.fromEntries(
    stdout
      .toString()
      .split("\n")
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
  const running = found["ActiveState"] === "active";
  const entered = /(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)/.exec(found["ActiveEnterTimestamp"] ?? "");
  const pid = Number(found["MainPID"] ?? 0);
  const why = `${found["ActiveState"]} (${found["Result"] ?? "?"}${found["ExecMainStatus"] === undefined ? "" : `, exit ${found["ExecMainStatus"]}`})`;
  return {
    running,
    pid: pid > 0 ? pid : null,
    since: running && entered !== null ? Date.parse(`${entered[1]}T${entered[2]}Z`) : null,
    restarts: Number(found["NRestarts"] ?? Number.NaN) || 0,
    trouble: running ? null : why,
  };
}
