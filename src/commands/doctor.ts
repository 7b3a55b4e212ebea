import type { Command } from "commander";
import { EXIT } from "../model/exit-codes.ts";
import { newId } from "../model/ids.ts";
import { Problem } from "../model/problem.ts";
import { listView } from "../output/list-view.ts";
import { deadline } from "../platform/clock.ts";
import { ensurePrivateFolder } from "../platform/files.ts";
import { findProgram, freeBytes, nodeVersion, probeWrite } from "../platform/machine.ts";
import { readStoredSettings } from "../platform/settings.ts";
import { searchCredentials } from "../providers/credential-search.ts";
import { CLOUD_ACCESS } from "../providers/credentials.ts";
import { isFault } from "../providers/errors.ts";
import { knownProviders, openLocalControl } from "../providers/registry.ts";
import { statePlace } from "../state/state-place.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { type AskedCloud, cloudFindings, credentialsVerdict } from "./doctor-clouds.ts";
import { bad, doubtful, type Finding, fine, said, type Verdict } from "./doctor-verdict.ts";
import { openFleet } from "./fleet-context.ts";

const OLDEST_NODE = [20, 19] as const;
const LOW_BYTES = 1024 ** 3;
const SKEW_MS = 5 * 60_000;
const EARLIEST = Date.UTC(2025, 0, 1);
const ANSWER_MS = 5000;

function nodeCheck(version: string): Verdict {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isNew = major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
  return isNew ? fine(version) : bad(version, `needs Node ${OLDEST_NODE.join(".")} or newer`);
}

async function homeCheck({ world }: CommandContext): Promise<Verdict> {
  try {
    await ensurePrivateFolder(world.home);
    const written = await probeWrite(world.home, `.${newId("doctor", world.rng)}`);
    const skew = Math.abs(written - world.clock.now());
    if (skew > SKEW_MS) return doubtful(world.home, `the clock of its file system is ${Math.round(skew / 1000)} s away from ours`);
    return fine(world.home);
  } catch (error) {
    return bad(said(error), "SPOT_HOME moves it to a folder that can be written");
  }
}

async function settingsCheck({ world }: CommandContext): Promise<Verdict> {
  try {
    const { values, contexts } = await readStoredSettings(world.home);
    return fine(`${Object.keys(values).length} set, ${Object.keys(contexts).length} contexts`);
  } catch (error) {
    return bad(said(error), error instanceof Problem ? (error.next[0] ?? "") : "");
  }
}

async function databaseCheck(context: CommandContext): Promise<Verdict> {
  const { world } = context;
  try {
    const place = statePlace(world.home, world.env);
    const state = await context.state();
    const [instances, events] = [await state.instances({ includeGone: true }), await state.lastSeq()];
    return fine(`${place.kind === "postgres" ? "PostgreSQL, " : ""}${place.name}: ${instances.length} instances, ${events} events`);
  } catch (error) {
    return bad(said(error), error instanceof Problem ? [error.hint ?? "", ...error.next].filter((text) => text !== "").join("; ") : "");
  }
}

/** Who acts on the fleet now. */
async function controllerCheck(context: CommandContext): Promise<Verdict> {
  try {
    const [fleet, { controllerOf, controllerText, livingController }] = await Promise.all([
      openFleet(context),
      import("../fleet/leases/controller.ts"),
    ]);
    const [living, last] = [await livingController(fleet), await controllerOf(fleet.state, fleet.clock.now())];
    if (living !== undefined)
      return fine(`${controllerText(living)}; its lease is fresh for another ${Math.max(1, Math.round(living.leftMs / 1000))} s`);
    if (last === undefined) return fine("nobody acts by itself");
    return doubtful(
      `${controllerText(last)}, ended without a word, and nobody acts now`,
      "spot watch --act, or spot reconcile each minute",
    );
  } catch {
    // Whatever keeps it from being read has a line of its own: one fault is said once.
    return doubtful("not known", "mend what fails above first");
  }
}

async function localCloudCheck({ world }: CommandContext): Promise<Verdict> {
  const limit = deadline(world.signal, ANSWER_MS);
  const control = await openLocalControl(world, { autoStart: false });
  try {
    const { pid } = await control.health(limit.signal);
    return fine(`running, process ${pid}`);
  } catch (error) {
    if (isFault(error, "unavailable")) return fine("not running; it starts when it is first used");
    return bad(said(error), "spot local stop, then spot local start");
  } finally {
    limit.done();
    await control.close();
  }
}

function clockCheck(now: number): Verdict {
  const text = new Date(now).toISOString();
  return now >= EARLIEST ? fine(text) : bad(text, "set the clock: deadlines and costs are reckoned with it");
}

async function programCheck({ world }: CommandContext, anyOf: readonly string[], what: string): Promise<Verdict> {
  for (const name of anyOf) {
    const path = await findProgram(name, world.env);
    if (path !== undefined) return fine(path);
  }
  return bad("not found", `${what} needs ${anyOf.length === 1 ? "" : "one of "}${anyOf.join(", ")}`);
}

/** Both are needed as soon as a cloud is: its machines are reached, and known again, by SSH. */
async function sshCheck({ world }: CommandContext, isNeeded: boolean): Promise<Verdict> {
  const programs = ["ssh", "ssh-keygen"];
  const paths = await Promise.all(programs.map((name) => findProgram(name, world.env)));
  const missing = programs.filter((_, index) => paths[index] === undefined);
  if (missing.length === 0) return fine(paths.join(", "));
  return (isNeeded ? bad : doubtful)(
    `${missing.join(" and ")} not found`,
    "machines of clouds are reached with OpenSSH's ssh and ssh-keygen",
  );
}

/** The clouds of which at least one credential is there; none when the stored ones cannot be read, which has its own line. */
async function askedClouds(context: CommandContext): Promise<readonly AskedCloud[]> {
  const known = CLOUD_ACCESS.filter(({ provider }) => knownProviders().includes(provider));
  const asked = await Promise.all(
    known.map(async (access) => {
      const origins = await searchCredentials(access, context.world).catch(() => []);
      const missing = origins.filter(({ from }) => from === null).map(({ variable }) => variable);
      return { access, missing, provider: () => context.provider(access.provider), isAsked: missing.length < origins.length };
    }),
  );
  return asked.filter(({ isAsked }) => isAsked);
}

async function diskCheck({ world }: CommandContext): Promise<Verdict> {
  try {
    const free = await freeBytes(world.home);
    const text = `${(free / 1024 ** 3).toFixed(1)} GiB free`;
    return free >= LOW_BYTES ? fine(text) : doubtful(text, "checkpoints of the embedded cloud lie on this disk");
  } catch (error) {
    return doubtful(said(error), "");
  }
}

async function findings(context: CommandContext): Promise<readonly Finding[]> {
  const clouds = await askedClouds(context);
  const agent = "the agent inside an instance of the embedded cloud";
  const checks: readonly (readonly [string, () => Verdict | Promise<Verdict>])[] = [
    ["node", () => nodeCheck(nodeVersion())],
    ["home", () => homeCheck(context)],
    ["disk", () => diskCheck(context)],
    ["clock", () => clockCheck(context.world.clock.now())],
    ["settings", () => settingsCheck(context)],
    ["database", () => databaseCheck(context)],
    ["controller", () => controllerCheck(context)],
    ["embedded cloud", () => localCloudCheck(context)],
    ["shell", () => programCheck(context, ["sh"], agent)],
    ["hashes", () => programCheck(context, ["sha256sum", "shasum", "openssl"], agent)],
    ["http", () => programCheck(context, ["curl", "wget", "python3", "node"], agent)],
    ["ssh", () => sshCheck(context, clouds.length > 0)],
    ["credentials", () => credentialsVerdict(context.world)],
  ];
  const found: Finding[] = [];
  context.progress.step("looking at this machine");
  for (const [check, look] of checks) {
    found.push({ check, ...(await look()) });
  }
  if (clouds.length > 0) context.progress.step("asking the configured clouds");
  found.push(...(await cloudFindings(clouds, context.world)));
  context.progress.stop();
  return found;
}

export const doctor: CommandModule = {
  configure(_command: Command) {},
  async run(context: CommandContext): Promise<CommandResult> {
    const found = await findings(context);
    const failed = found.filter(({ status }) => status === "fail").length;
    const view = listView<Finding>({
      schema: "spot.doctor/1",
      items: found,
      toJson: (finding) => ({ ...finding }),
      columns: [
        { key: "check", header: "CHECK", value: ({ check }) => check },
        {
          key: "status",
          header: "STATUS",
          value: ({ status }) => status,
          paint: (text, { status }, painter) =>
            status === "ok" ? painter.green(text) : status === "warn" ? painter.yellow(text) : painter.red(text),
        },
        { key: "detail", header: "FOUND", value: ({ detail }) => detail },
        { key: "hint", header: "WHAT TO DO", value: ({ hint }) => hint, drop: 1 },
      ],
      empty: "",
      footer: failed === 0 ? "all is well" : `${failed} of ${found.length} checks failed`,
    });
    return { view, exit: failed === 0 ? EXIT.done : EXIT.failed };
  },
};
