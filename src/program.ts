import type { World } from "./platform/world.ts";
import { printVersion } from "./version.ts";

/** Runs one command line in this world: the whole program, but for the process itself. Never throws. */
export async function runSpot(argv: readonly string[], world: World): Promise<number> {
  // Needs no parser: scripts ask for it often, and it must be quick.
  if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "-V")) return printVersion(world);
  // `spot help up` is `spot up --help`.
  const line = argv[0] === "help" ? [...argv.slice(1), "--help"] : argv;
  const parsed = { words: [] as readonly string[] };
  try {
    const { dispatch } = await import("./dispatch.ts");
    return await dispatch(line, world, (words) => {
      parsed.words = words;
    });
  } catch (error) {
    const { reportFailure } = await import("./failure.ts");
    return reportFailure(error, line, parsed.words, world);
  }
}
