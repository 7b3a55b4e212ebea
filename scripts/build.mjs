// Bundles src/ into dist/: own code and dependencies, one chunk for each thing that is loaded lazily.
// Measured: lazy chunks start faster than one file and far faster than no bundle.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { bundleAws } from "./bundle-aws.mjs";
import { bundleLibsql } from "./bundle-libsql.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const outdir = join(root, "dist");
// The embedded cloud outlives a rebuild and may still load a chunk of the build that started it.
const KEEP_STALE_MS = 3_600_000;

/** commander wants node:child_process for subcommands that are programs of their own; we have none, and it costs 3 ms. */
const withoutChildProcess = {
  name: "commander-without-child-process",
  setup(builder) {
    builder.onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
      /[\\/]commander[\\/]/.test(importer) ? { path: "child_process", namespace: "nothing" } : undefined,
    );
    builder.onLoad({ filter: /.*/, namespace: "nothing" }, () => ({ contents: "module.exports = {};" }));
  },
};

/**
 * Commands that need much the same code are loaded as one piece. esbuild cuts a chunk for every set of pieces that share a
 * file; with each command on its own, `ls` would load a dozen small chunks at half a millisecond each.
 */
const PIECES = {
  reading: ["overview", "ls", "show", "volumes/ls"],
  prices: ["offers", "compare"],
  past: ["price/history", "price/stats"],
  fleet: [
    "up",
    "wait",
    "hibernate",
    "restore",
    "stop",
    "down",
    "exec",
    "ssh",
    "cp",
    "logs",
    "snapshot",
    "volumes/create",
    "volumes/rm",
    "volumes/snapshot",
    "watch",
    "reconcile",
  ],
};
const pieces = {
  name: "pieces",
  setup(builder) {
    builder.onResolve({ filter: /^\.\/commands\/.*\.ts$/ }, ({ path, kind }) => {
      const name = path.slice("./commands/".length, -".ts".length);
      const piece = Object.keys(PIECES).find((key) => PIECES[key].includes(name));
      return kind === "dynamic-import" && piece !== undefined ? { path: piece, namespace: "pieces" } : undefined;
    });
    builder.onLoad({ filter: /.*/, namespace: "pieces" }, ({ path }) => ({
      contents: PIECES[path].map((name) => `export * from "./commands/${name}.ts";`).join("\n"),
      resolveDir: join(root, "src"),
    }));
  },
};

/** Whoever imports one file of a group imports all of it, so that they lie in one chunk together. */
const GROUPS = {
  // Small and wanted nearly everywhere.
  base: [
    // Some of the model is for whoever talks to clouds only.
    ...readdirSync(join(root, "src", "model"))
      .filter(
        (name) =>
          ![
            "gpu-names.ts",
            "gpu-of-type.ts",
            "gpu-query.ts",
            "grouped-by.ts",
            "measured-seal.ts",
            "packed-script.ts",
            "tight-gzip.ts",
            "guard.ts",
            "outlook.ts",
            "checkpoint-fit.ts",
            "comeback.ts",
            "asleep.ts",
            "wake.ts",
            "checkpoint-interval.ts",
            "volume-policy.ts",
            "workload-end.ts",
          ].includes(name),
      )
      .map((name) => `model/${name}`),
    ...["clock", "terminal", "rng"].map((name) => `platform/${name}.ts`),
    ...["text-width", "list-view", "detail-view", "painter", "price-header"].map((name) => `output/${name}.ts`),
  ],
  // Of whatever looks at the fleet.
  look: [
    ...["fleet/fleet.ts", "commands/fleet-context.ts", "commands/budget/nearest.ts", "pricing/instance-cost.ts", "pricing/currency.ts"],
    ...["model/guard.ts", "model/outlook.ts", "model/checkpoint-fit.ts", "model/checkpoint-interval.ts", "model/gpu-names.ts"],
    ...["model/asleep.ts", "model/wake.ts", "model/comeback.ts"],
    "platform/files.ts",
    ...["output/json.ts", "output/guard-text.ts", "output/instances-view.ts"],
  ],
  // What the database is read with.
  rows: ["state/columns.ts", "state/instance-body.ts", "state/schema.ts", "state/listing.ts", "platform/sqlite.ts"],
};
const groups = {
  name: "groups",
  setup(builder) {
    const groupOf = new Map(Object.entries(GROUPS).flatMap(([group, names]) => names.map((name) => [join(root, "src", name), group])));
    builder.onResolve({ filter: /^\.\.?\/.*\.ts$/ }, ({ path, importer, resolveDir, namespace }) => {
      const group = groupOf.get(join(resolveDir, path));
      return namespace === "file" && group !== undefined && groupOf.get(importer) !== group
        ? { path: group, namespace: "group" }
        : undefined;
    });
    builder.onLoad({ filter: /.*/, namespace: "group" }, ({ path }) => ({
      contents: GROUPS[path].map((name) => `export * from "./${name}";`).join("\n"),
      resolveDir: join(root, "src"),
    }));
  },
};

/**
 * CommonJS dependencies call require() for Node's own modules, and bundle-libsql.mjs resolves at run time; only the chunks
 * that do get this line. As a banner of every chunk it would cost each of them a third of a millisecond.
 */
const REQUIRE =
  'import{createRequire as __createRequire}from"node:module";const require = __createRequire(import.meta.url), __spotResolve = require.resolve, __spotFile = import.meta.filename;\n';

const { outputFiles } = await build({
  absWorkingDir: root,
  entryPoints: { main: "src/main.ts", reference: "src/reference.ts" },
  outdir,
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  plugins: [withoutChildProcess, bundleAws, bundleLibsql, pieces, groups],
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: "none",
  logLevel: "warning",
  write: false,
});

/**
 * Importing one of Node's own modules makes a copy of all that it exports, and for node:fs loads the streams: 6 ms of every
 * start. Taken as it is, it costs nothing.
 */
function takeBuiltins(text) {
  // `globalThis`, because some name what they import `process`.
  const take = (name) => `globalThis.process.getBuiltinModule("${name}")`;
  return text
    .replace(
      /(?<![\w$.])import\{([^}]*)\}from"(node:[a-z_/]+)";/g,
      (_, names, from) => `const{${names.replaceAll(" as ", ":")}}=${take(from)};`,
    )
    .replace(/(?<![\w$.])import(?:\*as | )([\w$]+) ?from"(node:[a-z_/]+)";/g, (_, name, from) => `const ${name}=${take(from)};`);
}

/** By rename, so that a program that starts during a build sees a whole file; an unchanged file is left alone. */
function place({ path, text }) {
  const contents = Buffer.from(takeBuiltins(/typeof require|__spotResolve/.test(text) ? REQUIRE + text : text));
  if (existsSync(path) && readFileSync(path).equals(contents)) return;
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, contents);
  renameSync(temporary, path);
}

// Chunks before the entries that name them.
for (const file of outputFiles.toSorted((a, b) => Number(b.path.includes("chunks")) - Number(a.path.includes("chunks")))) place(file);

const current = new Set(outputFiles.map((file) => file.path));
for (const name of readdirSync(outdir, { recursive: true })) {
  const path = join(outdir, name);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isFile() && !current.has(path) && Date.now() - stat.mtimeMs > KEEP_STALE_MS) rmSync(path, { force: true });
}
