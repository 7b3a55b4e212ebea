import type { Command } from "commander";
import { interrupted } from "../../fleet/interrupted.ts";
import { type SyncOutcome, syncCatalogs } from "../../fleet/prices/sync.ts";
import { EXIT } from "../../model/exit-codes.ts";
import { suggestion } from "../../model/nearest.ts";
import { Problem, usageProblem } from "../../model/problem.ts";
import { type AdvisorOutcome, priceSyncView } from "../../output/price-sync-view.ts";
import { refreshSpotAdvisor } from "../../providers/public-advisor.ts";
import { CATALOG_CLOUDS, DEFAULT_CATALOG_URL } from "../../providers/public-catalog.ts";
import { openPriceBook } from "../../state/price-book/open.ts";
import type { CommandContext, CommandModule, CommandResult } from "../command.ts";
import { type CatalogBase, catalogBase } from "./catalog-base.ts";
import { openScratchBook } from "./scratch-book.ts";

/** So many names are said of what was not read; all of them stand in the answer. */
const MOST_NAMES = 8;

/** `spot price sync`: reads the public catalogues into the price book. */
export const priceSync: CommandModule = {
  configure(command: Command) {
    command
      .description(
        "Read what the open SkyPilot catalogue says that machines cost, and the interruption bands of the AWS Spot Advisor. Needs no account. A file is fetched again only when it is another one.",
      )
      .argument("[clouds...]", `only these: ${CATALOG_CLOUDS.join(", ")}`)
      .addHelpText(
        "after",
        `
The files lie below ${DEFAULT_CATALOG_URL};
SPOT_CATALOG_URL names another place, for example a mirror. What was read is kept with its source
and time in prices.db below SPOT_HOME, changes of prices included. A file that cannot be read
leaves what is known as it is, and the command ends with 1. --dry-run reads the catalogues, keeps
nothing and does not ask the advisor.

Examples:
  $ spot price sync
  $ spot price sync aws gcp --json
  $ SPOT_CATALOG_URL=https://mirror.example/catalogs/ spot price sync`,
      );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const { world, progress } = context;
    const base = catalogBase(world.env);
    const clouds = cloudsOf(context.args, base);
    progress.step(`reading ${clouds.length === 1 ? "a catalogue" : `${clouds.length} catalogues`} below ${base.url}`);
    const isDry = context.options["dryRun"] === true;
    const book = await (isDry ? openScratchBook : openPriceBook)(world.home);
    try {
      let read = 0;
      const [outcomes, bands] = await Promise.all([
        syncCatalogs(clouds, base.url, { book, clock: world.clock, env: world.env, signal: world.signal }, (outcome) => {
          read += 1;
          if (clouds.length > 1) progress.step(`${outcome.cloud}: ${outcome.outcome} (${read} of ${clouds.length})`);
        }),
        clouds.includes("aws") && !isDry ? advisorOutcome(context, base) : null,
      ]);
      world.signal.throwIfAborted();
      const problem = problemOf(outcomes, bands, base);
      return { view: priceSyncView(outcomes, bands, world.clock.now(), isDry), ...(problem === null ? {} : { problem }) };
    } catch (error) {
      if (!world.signal.aborted || world.signal.reason === "EPIPE") throw error;
      const how = isDry ? "nothing was kept" : "what was read to its end is kept, everything else is as it was";
      throw interrupted(world.signal, how, ["spot price sync"], error, true);
    } finally {
      book.close();
    }
  },
};

function cloudsOf(args: readonly string[], { isMirror }: CatalogBase): readonly string[] {
  for (const name of args) {
    // A mirror may have more than we know of.
    const isKnown = CATALOG_CLOUDS.includes(name) || (isMirror && /^[a-z0-9][a-z0-9_-]{0,39}$/.test(name));
    if (!isKnown) throw usageProblem(`there is no catalogue of ${JSON.stringify(name)}`, suggestion(name, CATALOG_CLOUDS));
  }
  return args.length === 0 ? CATALOG_CLOUDS : [...new Set(args)];
}

async function advisorOutcome({ world }: CommandContext, { isMirror }: CatalogBase): Promise<AdvisorOutcome | null> {
  try {
    const answer = await refreshSpotAdvisor(world, isMirror);
    return answer === undefined ? null : { outcome: "read", ...answer };
  } catch (error) {
    return { outcome: "failed", why: error instanceof Error ? error.message : String(error) };
  }
}

/** Whoever runs this by a timer must hear of what failed, though all the rest was read. */
function problemOf(outcomes: readonly SyncOutcome[], advisor: AdvisorOutcome | null, base: CatalogBase): Problem | null {
  const missed = outcomes.flatMap((one) => ("why" in one && one.why !== null ? [one] : []));
  const failed = missed.map(({ cloud }) => cloud);
  const isOver = missed.some(({ outcome, stands }) => outcome === "absent" && stands?.kept === 0);
  const said = missed.map(({ cloud, outcome }) => (outcome === "absent" ? `${cloud} (gone)` : cloud));
  const names = [...said, ...(advisor?.outcome === "failed" ? ["the AWS Spot Advisor"] : [])];
  if (names.length > 0) {
    const isAll = failed.length === outcomes.length;
    const shown = names.length <= MOST_NAMES ? names : [...names.slice(0, MOST_NAMES), `and ${names.length - MOST_NAMES} more`];
    return new Problem({
      code: "SPOT_E_PRICE_SYNC",
      message: `not read: ${shown.join(", ")}`,
      exit: EXIT.failed,
      hint: `what was known before stands, with its age${isOver ? ", but for what is gone and too old" : ""}${isAll ? "" : "; everything else was read"}`,
      retryable: true,
      next: [["spot price sync", ...(failed.length === CATALOG_CLOUDS.length ? [] : failed.length === 0 ? ["aws"] : failed)].join(" ")],
    });
  }
  if (outcomes.some(({ outcome }) => outcome !== "absent")) return null;
  return new Problem({
    code: "SPOT_E_PRICE_SYNC",
    message: `there is no catalogue below ${base.url}`,
    exit: EXIT.failed,
    hint: "files are looked for as v8/<cloud>/vms.csv below it; SPOT_CATALOG_URL names another place",
    next: ["spot price sync --help"],
  });
}
