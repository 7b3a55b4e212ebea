import { realpath } from "node:fs/promises";
import { delimiter, isAbsolute, resolve } from "node:path";
import { usageProblem } from "../../model/problem.ts";
import { isFolder } from "../../platform/files.ts";
import { findProgram } from "../../platform/machine.ts";
import { envFileNames } from "../../platform/service-env-file.ts";
import type { ServicePlan } from "../../platform/service-plan.ts";
import type { World } from "../../platform/world.ts";
import { carriedEnvironment, STATE, type Unreachable, unreachableClouds } from "./environment.ts";

export interface PlannedService {
  readonly plan: ServicePlan;
  /** What a person should know before it is installed. */
  readonly warnings: readonly string[];
  readonly unreachable: readonly Unreachable[];
}

/** Folders in which a program is gone after the next upgrade, and who makes them. */
const FLEETING: readonly (readonly [RegExp, string])[] = [
  [/\/\.nvm\/versions\//, "nvm"],
  [/\/(?:fnm|\.fnm)\/|\/fnm_multishells\//, "fnm"],
  [/\/\.volta\/tools\//, "Volta"],
  [/\/\.asdf\/installs\//, "asdf"],
  [/\/mise\/installs\//, "mise"],
  [/\/\.nodenv\/versions\//, "nodenv"],
  [/\/Cellar\//, "Homebrew"],
  [/^\/nix\/store\//, "Nix"],
  [/\/_npx\//, "npx"],
];

/** Who takes a path away with its next upgrade; undefined for a path that stays. */
export function fleetingMaker(path: string): string | undefined {
  return FLEETING.find(([pattern]) => pattern.test(path))?.[1];
}

/** Node by a name that outlives an upgrade, where `PATH` has one that leads to the very same program. */
async function lastingNode(node: string, env: World["env"]): Promise<string> {
  if (fleetingMaker(node) === undefined) return node;
  const named = await findProgram("node", env);
  if (named === undefined || !isAbsolute(named) || fleetingMaker(named) !== undefined) return node;
  return (await realpath(named).catch(() => "")) === (await realpath(node).catch(() => node)) ? named : node;
}

/** The folders of `PATH` that a service finds as well: absolute, there, each once. */
async function servicePath({ env, platform }: World): Promise<string> {
  const usual = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin", ...(platform === "darwin" ? ["/opt/homebrew/bin"] : [])];
  const named = (env["PATH"] ?? "").split(delimiter);
  const folders = [...new Set([...named, ...usual])].filter((folder) => isAbsolute(folder) && !/\p{Cc}/u.test(folder));
  const there = await Promise.all(folders.map(isFolder));
  return folders.filter((_, index) => there[index]).join(delimiter);
}

/** @throws Problem (usage): systemd, cron and XML have no way to write the other controls. */
function requireWritable(what: string, path: string): string {
  if (!/[^\P{Cc}\n\t]/u.test(path)) return path;
  throw usageProblem(`${what} has a control character in its path: ${JSON.stringify(path)}`);
}

/** What the service of this world would be, and what is to be known of it. @throws Problem (usage). */
export async function planService(
  world: World,
  {
    tag,
    logFile,
    everyMs,
    envFile,
  }: { readonly tag: string; readonly logFile: string; readonly everyMs: number; readonly envFile: string | null },
): Promise<PlannedService> {
  const [self = "node", program = ""] = world.selfCommand;
  const node = requireWritable("node", await lastingNode(self, world.env));
  const home = requireWritable("SPOT_HOME", world.home);
  const file = envFile === null ? null : resolve(world.cwd, envFile);
  const fromFile = file === null ? [] : await envFileNames(file);
  const { carried, left } = carriedEnvironment(world.env, world.cwd);
  const missing = left.filter((name) => !fromFile.includes(name));
  if (missing.includes(STATE))
    throw usageProblem(
      `${STATE} holds a password, and a service without it would look after another state`,
      "put it into a file of your own (0600) and name that",
      ["spot service install --environment-file FILE"],
    );
  const environment = { SPOT_HOME: home, PATH: await servicePath(world), ...carried };
  const inService = { HOME: world.env["HOME"], ...environment, ...Object.fromEntries(fromFile.map((name) => [name, "in the file"])) };
  const unreachable = await unreachableClouds(world, inService);
  // Those of a cloud that cannot be used are named with it.
  const unsaid = missing.filter((name) => !unreachable.some(({ variables }) => variables.includes(name)));
  const warnings = [
    ...[node, program].flatMap((path) => {
      const maker = fleetingMaker(path);
      return maker === undefined ? [] : [`${path} is ${maker}'s and may be gone after an upgrade; run spot service install again then`];
    }),
    ...((await findProgram("ssh", environment)) === undefined ? ["no ssh in PATH: machines of clouds cannot be reached"] : []),
    ...(unsaid.length === 0
      ? []
      : [`not written, since it may be secret: ${unsaid.join(", ")}; --environment-file FILE (0600) hands it over`]),
  ];
  return {
    plan: { tag, home, node, program: requireWritable("spot", program), environment, envFile: file, logFile, everyMs },
    warnings,
    unreachable,
  };
}
