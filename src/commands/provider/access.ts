import { suggestion } from "../../model/nearest.ts";
import { usageProblem } from "../../model/problem.ts";
import { CLOUD_ACCESS, type CloudAccess } from "../../providers/credentials.ts";
import { knownProviders } from "../../providers/registry.ts";
import type { CommandContext } from "../command.ts";

/** The clouds that take credentials and that this version can drive. */
export function clouds(): readonly CloudAccess[] {
  return CLOUD_ACCESS.filter(({ provider }) => knownProviders().includes(provider));
}

/** The cloud that the first argument names. @throws Problem (usage, with the nearest name). */
export function namedCloud(context: CommandContext): CloudAccess {
  const [name = ""] = context.args;
  const names = clouds().map(({ provider }) => provider);
  const found = clouds().find(({ provider }) => provider === name);
  if (found !== undefined) return found;
  if (knownProviders().includes(name)) throw usageProblem(`${name} needs no credentials`, undefined, ["spot provider ls"]);
  throw usageProblem(`there is no provider ${JSON.stringify(name)}`, suggestion(name, names), ["spot provider ls"]);
}

/** Warns about variables of the environment, which win over what is stored. */
export function warnOfEnvironment({ world, progress }: CommandContext, access: CloudAccess): void {
  const set = access.variables.filter((name) => (world.env[name]?.trim() ?? "") !== "");
  if (set.length > 0)
    progress.warn(
      `${set.join(" and ")} ${set.length === 1 ? "is" : "are"} set in the environment and still ${set.length === 1 ? "wins" : "win"}`,
    );
}
