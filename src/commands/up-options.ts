import { resolve } from "node:path";
import type { Command } from "commander";
import type { BudgetWish } from "../fleet/spec/fleet-file-budget.ts";
import { flagFault, specsFromInput } from "../fleet/spec/spec.ts";
import { mergeInput, type SpecInput } from "../fleet/spec/spec-input.ts";
import { newId } from "../model/ids.ts";
import { notFoundProblem, usageProblem } from "../model/problem.ts";
import type { InstanceSpec } from "../state/records.ts";
import type { CommandContext } from "./command.ts";
import { settingLayers } from "./setting-layers.ts";

const collect = (value: string, previous: readonly string[] | undefined) => [...(previous ?? []), value];

/** The flags of `up`; what a fleet file (`-f`) says about the same thing comes second. */
export function configureUp(command: Command): void {
  command
    .argument("[command...]", "what to run on it, behind --")
    .option("-f, --file <fleet file>", "read what to rent from a file")
    .option("--name <name>", "its name; made up when not given")
    .option("--provider <ids>", "one or several, by comma; the configured ones when not given, local when there is none")
    .option("--gpu <model[:count]>", "for example H100:1, 4090 or A100-80GB:8; any when not given")
    .option("--count <n>", "how many, named NAME-1 and so on")
    .option("--billing <mode>", "spot, on-demand or auto (spot first, on-demand when there is none)")
    .option("--max-price <per hour>", "never rent above this, per machine and hour: 2.5 is USD, or 18CNY")
    .option("--region <regions>", "regions or zones, by comma")
    .option("--image <image>", "the image to boot, where the cloud has images")
    .option("--volume <name[:size][:mount]>", "the disk that outlives it; none for no disk (default: NAME, 10 GB, /data)")
    .option("--ttl <duration>", "ends by itself after this time")
    .option("--idle <duration>", "ends by itself when for so long its workload is over, no GPU works and nobody is logged in")
    .option("--idle-by <sign>", "exit, or gpu: a workload that runs while every GPU stays below 5 % counts as idle too (default: exit)")
    .option("--env <key=value>", "for the workload; may be given several times", collect)
    .option(
      "--on-reclaim <policy>",
      "replace, hibernate, checkpoint (work until the end, then rest on the volume), wait (for the cloud to start it again by itself; aws) or let-go",
    )
    .option("--on-rebalance <policy>", "log or checkpoint, when the cloud hints that a reclaim is likelier than usual (aws)")
    .option("--fallback-after <duration>", "rent on demand when spot has been refused for so long; back to spot when it is there again")
    .option("--return-to-spot", "from on-demand, go back to spot when it is there again (default with --fallback-after)")
    .option("--no-return-to-spot", "stay on demand")
    .option("--checkpoint-hook <command>", "run before a checkpoint is sealed, with SPOT_DEADLINE and SPOT_REASON")
    .option(
      "--checkpoint-every <duration>",
      "seal a checkpoint at this interval as well, or none (default: as often as pays, by Daly's rule)",
    )
    .option("--ready-http <:port/path>", "it is ready when this answers")
    .option("--ready-cmd <command>", "it is ready when this ends well, on the machine")
    .option("--workdir <folder>", "where the command runs (on local: here, when not given)")
    .option("--no-caches", "leave it to the frameworks where they keep weights and compile caches: not on the volume")
    .option("--port <port[/http|tcp]>", "make it reachable from outside, as http when not said; may be given several times", collect)
    .option("--registry-auth <id|name>", "the cloud's credentials for a private image")
    .option("--label <key=value>", "for your own books; may be given several times", collect)
    .option("--no-wait", "do not wait until it is ready (exit 8)");
}

/** What the command line asks for, as typed. */
function flagInput(context: CommandContext): SpecInput {
  const { options, args } = context;
  const text = (key: string) => (typeof options[key] === "string" ? options[key] : undefined);
  const given = <Value>(key: string, value: Value | undefined) => (value === undefined ? {} : { [key]: value });
  const hook = text("checkpointHook");
  const every = text("checkpointEvery");
  const http = text("readyHttp");
  const cmd = text("readyCmd");
  return {
    ...given("name", text("name")),
    ...given("count", text("count")),
    ...given("provider", text("provider")),
    ...given("gpu", text("gpu")),
    ...given("billing", text("billing")),
    ...given("maxPrice", text("maxPrice")),
    ...given("region", text("region")),
    ...given("image", text("image")),
    ...given("volume", text("volume")),
    ...given("ttl", text("ttl")),
    ...given("idle", text("idle")),
    ...given("idleBy", text("idleBy")),
    ...given("onReclaim", text("onReclaim")),
    ...given("onRebalance", text("onRebalance")),
    ...given("fallbackAfter", text("fallbackAfter")),
    ...given("returnToSpot", typeof options["returnToSpot"] === "boolean" ? options["returnToSpot"] : undefined),
    ...given("workdir", text("workdir")),
    ...given("caches", options["caches"] === false ? false : undefined),
    ...given("ports", Array.isArray(options["port"]) ? options["port"].map(String) : undefined),
    ...given("registryAuth", text("registryAuth")),
    ...given("env", pairs("--env", options["env"])),
    ...given("labels", pairs("--label", options["label"])),
    ...given("checkpoint", hook === undefined && every === undefined ? undefined : { ...given("hook", hook), ...given("every", every) }),
    ...given("ready", http === undefined && cmd === undefined ? undefined : { ...given("http", http), ...given("cmd", cmd) }),
    ...given("command", args.length === 0 ? undefined : args),
  };
}

/** `KEY=value` flags as a map. @throws Problem (usage) that names the flag. */
function pairs(flag: string, values: unknown): Readonly<Record<string, string>> | undefined {
  if (!Array.isArray(values)) return undefined;
  return Object.fromEntries(
    values.map((pair: unknown) => {
      const [, key, value] = /^([^=]+)=(.*)$/s.exec(String(pair)) ?? [];
      if (key === undefined || value === undefined) throw usageProblem(`${flag}: ${JSON.stringify(pair)} is not KEY=value`);
      return [key, value];
    }),
  );
}

/** What one `up` is to bring up, and the budgets that its fleet file sets. */
export interface Wanted {
  readonly specs: readonly InstanceSpec[];
  readonly budgets: readonly BudgetWish[];
}

/**
 * Everything that one `up` is to bring up: from a fleet file, from flags, or both, flags first.
 * @throws Problem (usage) at the first thing that is wrong.
 */
export async function specsOf(context: CommandContext): Promise<Wanted> {
  const { world, options } = context;
  const flags = flagInput(context);
  const { knownProviders } = await import("../providers/registry.ts");
  const { configuredProviders } = await import("../providers/configured.ts");
  const living = new Map((await (await context.state()).instances()).map(({ name, spec }) => [name, spec.providers]));
  const common = {
    providers: await configuredProviders(world),
    providersOf: (name: string) => living.get(name),
    knownProviders: knownProviders(),
    folder: world.cwd,
  };
  const { above, below } = await settingLayers(world, common.knownProviders);
  const file = options["file"];
  if (typeof file === "string") {
    const { loadFleetFile } = await import("../fleet/spec/fleet-file.ts");
    const { name, ...rest } = flags;
    // A folder on the command line is meant from here, one in the file from where the file lies.
    const overrides = rest.workdir === undefined ? rest : { ...rest, workdir: resolve(world.cwd, rest.workdir) };
    const { specs, budgets } = await loadFleetFile(file, resolve(world.cwd, file), {
      ...common,
      overrides: mergeInput(above, overrides),
      below,
    });
    const chosen = name === undefined ? specs : specs.filter((spec) => spec.name === name);
    if (chosen.length > 0) return { specs: chosen, budgets };
    throw notFoundProblem(`instance in ${file}`, name ?? "", specs.map((spec) => `spot up -f ${file} --name ${spec.name}`).slice(0, 3));
  }
  const named = flags.name === undefined ? { ...flags, name: `spot-${newId("x", world.rng).slice(2, 6)}` } : flags;
  return { specs: specsFromInput(mergeInput(mergeInput(below, above), named), { ...common, fault: flagFault, fleet: null }), budgets: [] };
}
