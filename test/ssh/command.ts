import { onTestFinished } from "vitest";
import { commandContext } from "../../src/command-context.ts";
import type { CommandContext, CommandModule } from "../../src/commands/command.ts";
import { readGlobalFlags } from "../../src/global-flags.ts";
import type { Provider, ProviderInstance, Reach } from "../../src/providers/provider.ts";
import type { InstanceRecord } from "../../src/state/records.ts";
import { sampleInstance } from "../state/sample-records.ts";
import { type TestWorld, testWorld } from "../world.ts";

/** A cloud of one kind of machine, whose ways in the test sets; by provider id. */
export type Reaches = Map<string, Reach | null>;

function instance(providerId: string, reach: Reach | null): ProviderInstance {
  return {
    providerId,
    name: providerId,
    token: null,
    state: "running",
    rawState: "running",
    region: "r",
    zone: "r",
    type: "t",
    gpu: { model: "H100", count: 1, vramGb: 80 },
    billing: "spot",
    price: null,
    createdAt: null,
    protectedUntil: null,
    notice: null,
    reach,
    volumeIds: [],
    reason: null,
    endedBy: null,
    canHibernate: false,
    dataKeptUntil: null,
    endpoints: [],
    rootVolumeId: null,
  };
}

/** Only what commands ask that reach in: which machine it is, and how it is come into. */
function cloudOf(reaches: Reaches): Provider {
  const none = () => Promise.reject(new Error("not asked here"));
  const kind = { kind: "vm", notices: "controller", endsItself: false, volumes: "mounted" } as const;
  return {
    id: "fake",
    capabilities: { machine: kind } as Provider["capabilities"],
    offers: none,
    launch: none,
    list: none,
    async get(providerId) {
      const reach = reaches.get(providerId);
      return reach === undefined ? undefined : instance(providerId, reach);
    },
    destroy: none,
  };
}

export interface Desk {
  readonly world: TestWorld;
  readonly reaches: Reaches;
  /** Writes a record of an instance that is up on this machine. */
  record(name: string, providerId: string, set?: Partial<InstanceRecord>): Promise<void>;
  change(name: string, set: Partial<InstanceRecord>): Promise<void>;
  /** Calls what commands call. */
  with(work: (context: CommandContext) => Promise<unknown>): Promise<void>;
  run(
    module: CommandModule,
    args: readonly string[],
    options?: Readonly<Record<string, unknown>>,
    signal?: AbortSignal,
  ): Promise<number | undefined>;
}

/** Commands against a real database and a cloud whose machines are the test's. */
export function desk(world: TestWorld = testWorld()): Desk {
  const reaches: Reaches = new Map();
  const open = async (args: readonly string[], options: Readonly<Record<string, unknown>>, signal: AbortSignal) => {
    const flags = readGlobalFlags({ ...options });
    const opened = await commandContext({ ...world, signal }, args, options, flags);
    return { ...opened, context: { ...opened.context, provider: async () => cloudOf(reaches) } };
  };
  const withState = async (
    work: (state: Awaited<ReturnType<Awaited<ReturnType<typeof open>>["context"]["state"]>>) => Promise<unknown>,
  ) => {
    const { context, close } = await open([], {}, world.signal);
    await work(await context.state());
    await close();
  };
  return {
    world,
    reaches,
    record: (name, providerId, set = {}) =>
      withState(async (state) =>
        state.commit({ addInstance: sampleInstance(name, { provider: "fake", providerId, state: "running", ...set }) }),
      ),
    change: (name, set) =>
      withState(async (state) => {
        const known = await state.instanceByName(name);
        if (known === undefined) throw new Error(`no ${name}`);
        await state.commit({ instance: { id: known.id, version: known.version, set } });
      }),
    async with(work) {
      const { context, close } = await open([], {}, world.signal);
      await work(context);
      await close();
    },
    async run(module, args, options = {}, signal = world.signal) {
      const stopped = new AbortController();
      onTestFinished(() => stopped.abort("SIGINT"));
      const { context, close } = await open(args, options, AbortSignal.any([signal, stopped.signal]));
      try {
        return (await module.run(context)).exit ?? 0;
      } finally {
        await close();
      }
    },
  };
}
