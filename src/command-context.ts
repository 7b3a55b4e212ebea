import { existsSync } from "node:fs";
import { join } from "node:path";
import type { CommandContext } from "./commands/command.ts";
import type { GlobalFlags } from "./global-flags.ts";
import { usageProblem } from "./model/problem.ts";
import type { OutputFormat } from "./output/format.ts";
import { type LiveProgress, lineProgress, silentProgress, spinnerProgress } from "./output/live-progress.ts";
import { painterFor } from "./output/painter.ts";
import type { Painter } from "./output/view.ts";
import { safeJson, safeLine, stripControl } from "./platform/terminal.ts";
import type { World } from "./platform/world.ts";
import type { Provider } from "./providers/provider.ts";
import type { Listing } from "./state/listing.ts";
import type { State } from "./state/records.ts";

/** A context, and what must be closed after the command. */
export interface OpenContext {
  readonly context: CommandContext;
  close(): Promise<void>;
}

/** Builds what a command gets. Nothing is opened or loaded before it is asked for. */
export async function commandContext(
  world: World,
  args: readonly string[],
  options: Readonly<Record<string, unknown>>,
  flags: GlobalFlags,
): Promise<OpenContext> {
  const { stdout, stderr } = world;
  const painter = await painterFor(stdout, world.env, flags.color);
  const progress = progressFor(world, await painterFor(stderr, world.env, flags.color), flags);
  const interactive = !flags.yes && !flags.machine && world.stdinIsTTY && stderr.isTTY;
  const setting = (key: string) => readSetting(key, options, world);
  const database = join(world.home, "state.db");
  const isShared = (world.env["SPOT_STATE_URL"] ?? "") !== "";
  const state = once(() =>
    isShared
      ? import("./state/open-place.ts").then(({ openStateOf }) => openStateOf(world))
      : import("./state/open.ts").then(({ openState }) => openState(database)),
  );
  const listing = once(async (): Promise<Listing> => {
    const opened = isShared ? undefined : (await import("./state/listing.ts")).openListing(database);
    if (opened !== undefined) return opened;
    // Not there yet, of another version or damaged: the state itself makes, migrates or explains.
    const whole = await state.get();
    return {
      instances: (filter) => whole.instances(filter),
      ledger: () => whole.ledger(),
      guards: () => whole.guards(),
      close: () => Promise.resolve(),
    };
  });
  const providers = new Map<string, Promise<Provider>>();
  const provider = (id: string) => {
    const known = providers.get(id) ?? openProvider(id, world, flags.verbose, (line) => progress.aside(() => stderr.write(`${line}\n`)));
    providers.set(id, known);
    return known;
  };
  const context: CommandContext = {
    world,
    args,
    options,
    progress,
    painter,
    machine: flags.machine,
    interactive,
    setting,
    state: state.get,
    listing: listing.get,
    provider,
    async providers(chosen) {
      const named = chosen ?? words(await setting("provider"));
      const ids = named.length > 0 ? named : await import("./providers/configured.ts").then((module) => module.configuredProviders(world));
      return Promise.all([...new Set(ids)].map(provider));
    },
    commandTree: () => import("./describe-commands.ts").then(({ describeCommands }) => describeCommands()),
    emit(event, text) {
      progress.aside(() => stdout.write(`${streamLine(flags.format, event, text)}\n`));
    },
    async confirm(question, flag) {
      if (flags.yes) return true;
      if (!interactive) throw usageProblem(`cannot ask without a terminal: ${question}`, `add ${flag} to agree beforehand`);
      progress.stop();
      const { confirm } = await import("@inquirer/prompts");
      return confirm(
        { message: stripControl(question), default: false },
        { signal: world.signal, ...(stderr.node === undefined ? {} : { output: stderr.node }) },
      );
    },
  };
  const close = async () => {
    // Only a home that has reached a machine by ssh has that folder.
    if (state.opened() !== undefined && existsSync(join(world.home, "ssh")))
      await import("./commands/config/ssh-blocks.ts").then(({ refreshSshConfig }) => refreshSshConfig(context));
    await listing.opened()?.then((open) => open.close());
    await state.opened()?.then((open: State) => open.close());
  };
  return { context, close };
}

/** One event as its format has it. YAML: each a document of its own; columns: what it has of these, by tabs. */
function streamLine(format: OutputFormat, event: Readonly<Record<string, unknown>>, text: string): string {
  switch (format.kind) {
    case "table":
      return text;
    case "yaml":
      return `--- ${safeJson(event)}`;
    case "columns":
      return format.keys.map((key) => cellText(event[key])).join("\t");
    default:
      return safeJson(event);
  }
}

function cellText(value: unknown): string {
  if (value === undefined || value === null || value === "") return "-";
  return typeof value === "string" ? safeLine(value) : safeJson(value);
}

/** With `--verbose`, every call of it is said; arguments and secrets never are. */
async function openProvider(id: string, world: World, verbose: boolean, say: (line: string) => void): Promise<Provider> {
  const { createProvider } = await import("./providers/registry.ts");
  const provider = await createProvider(id, world);
  if (!verbose) return provider;
  const { withTrace } = await import("./providers/with-trace.ts");
  return withTrace(provider, world.clock, say);
}

/** Runs `make` at the first call and never again. */
function once<Value>(make: () => Promise<Value>): { get(): Promise<Value>; opened(): Promise<Value> | undefined } {
  let made: Promise<Value> | undefined;
  return {
    get() {
      made ??= make();
      return made;
    },
    // One that failed to open has nothing to close, and its error was already thrown to whoever asked.
    opened: () => made,
  };
}

function words(text: string | undefined): readonly string[] {
  return (text ?? "")
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
}

function progressFor(world: World, painter: Painter, flags: GlobalFlags): LiveProgress {
  const { stderr } = world;
  if (flags.quiet || flags.machine) return silentProgress(stderr, painter, !flags.machine);
  // On a terminal of no width ora would clear lines for ever.
  const canDraw = stderr.isTTY && (stderr.node?.columns ?? 0) > 0 && world.env["TERM"] !== "dumb";
  if (canDraw && stderr.node !== undefined) return spinnerProgress(stderr, stderr.node, painter);
  return lineProgress(stderr, painter);
}

/** Flag > environment > context > the settings file. */
async function readSetting(key: string, options: Readonly<Record<string, unknown>>, { home, env }: World): Promise<string | undefined> {
  const flag = options[key];
  if (typeof flag === "string") return flag;
  const { findSetting, readStoredSettings } = await import("./platform/settings.ts");
  const stored = await readStoredSettings(home);
  return findSetting(key, { home, env, stored }).value ?? undefined;
}
