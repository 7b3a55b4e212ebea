import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type TestWorld, temporaryFolder, testWorld } from "../world.ts";

/** Programs that keep services, as small scripts with a memory, first in PATH; no real one is ever reached. */
export interface Fakes {
  readonly world: TestWorld;
  readonly folder: string;
  /** What was asked of a program so far, a line each. */
  calls(program: string): readonly string[];
  /** A file in which a program remembers something. */
  memory(name: string): string;
  remember(name: string, content: string | Buffer): void;
}

const SCRIPTS = {
  systemctl: `
case "$*" in
  *--version*) echo "systemd \${FAKE_SYSTEMD:-252} (fake)"; exit 0 ;;
esac
[ ! -e "$memory/no-bus" ] || { echo "Failed to connect to bus: No medium found" >&2; exit 1; }
shift
case "$1" in
  show)
    case "$2" in --property=*) echo Version=252; exit 0 ;; esac
    state=$(cat "$memory/$2.state" 2>/dev/null || echo inactive)
    pid=0; [ "$state" != active ] || pid=4711
    printf 'ActiveState=%s\\nMainPID=%s\\nNRestarts=2\\nResult=exit-code\\nExecMainStatus=70\\n' "$state" "$pid"
    echo "ActiveEnterTimestamp=Mon 2026-01-05 10:00:00 UTC" ;;
  enable) [ -f "$XDG_CONFIG_HOME/systemd/user/$2" ] || exit 1; : >"$memory/$2.enabled" ;;
  restart) echo active >"$memory/$2.state" ;;
  disable) rm "$memory/$3.enabled" || exit 1; rm -f "$memory/$3.state" ;;
esac`,
  loginctl: `
case "$1" in
  show-user) echo "Linger=$(cat "$memory/linger" 2>/dev/null || echo no)" ;;
  enable-linger)
    [ ! -e "$memory/no-rights" ] || { echo "Could not enable linger: Access denied" >&2; exit 1; }
    echo yes >"$memory/linger" ;;
esac`,
  crontab: `
case "$1" in
  -l) [ -e "$memory/crontab" ] || { echo "no crontab for somebody" >&2; exit 1; }; cat "$memory/crontab" ;;
  -r) rm "$memory/crontab" ;;
  -) cat >"$memory/crontab" ;;
esac`,
  launchctl: `
case "$1" in
  print)
    case "$2" in
      */*/*) [ -e "$memory/loaded" ] || exit 113
        [ ! -e "$memory/leaving" ] || rm "$memory/leaving" "$memory/loaded"
        printf 'gui = {\\n\\tstate = running\\n\\tpid = 815\\n\\truns = 3\\n\\tlast exit code = 0\\n}\\n' ;;
    esac ;;
  bootstrap) [ ! -e "$memory/loaded" ] || { echo "Bootstrap failed: 5: Input/output error" >&2; exit 5; }; cp "$3" "$memory/loaded" ;;
  bootout) : >"$memory/leaving" ;;
esac`,
};

/** A world with these fakes; those left out are not there at all. */
export function serviceFakes(
  programs: readonly (keyof typeof SCRIPTS)[],
  parts: { readonly env?: Readonly<Record<string, string>>; readonly platform?: NodeJS.Platform; readonly home?: string } = {},
): Fakes {
  const folder = temporaryFolder("spot-service-");
  const memory = join(folder, "memory");
  const bin = join(folder, "bin");
  for (const made of [memory, bin, join(folder, "empty")]) mkdirSync(made);
  for (const name of Object.keys(SCRIPTS) as (keyof typeof SCRIPTS)[]) {
    const script = programs.includes(name) ? `memory=${memory}\necho "$*" >>"$memory/${name}.calls"\n${SCRIPTS[name]}` : "exit 127";
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  const home = parts.home ?? join(folder, "home");
  mkdirSync(home, { recursive: true });
  const env = {
    PATH: [bin, process.env["PATH"] ?? ""].join(delimiter),
    HOME: folder,
    XDG_CONFIG_HOME: join(folder, "config"),
    SPOT_HOME: home,
    ...parts.env,
  };
  const world: TestWorld = { ...testWorld({ home, env }), platform: parts.platform ?? "linux" };
  return {
    world,
    folder,
    calls: (program) => {
      const file = join(memory, `${program}.calls`);
      return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
    },
    memory: (name) => join(memory, name),
    remember: (name, content) => writeFileSync(join(memory, name), content),
  };
}
