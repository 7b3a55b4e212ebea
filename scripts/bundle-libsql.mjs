// biome-ignore-all lint/suspicious/noTemplateCurlyInString: source text that is searched for and written
// libsql finds its native library through two packages that start child_process and write a diagnostic report: 14 ms of
// every start. In the bundle the same question is answered by the first bytes of the program that runs us.
import { readFile } from "node:fs/promises";

const NATIVE = "require(`@libsql/${target}`)";

const libc = `
const { closeSync, openSync, readSync } = require("node:fs");
exports.GLIBC = "glibc";
exports.MUSL = "musl";
exports.familySync = () => {
  if (process.platform !== "linux") return null;
  // The loader that a Linux program names in its header belongs to its C library.
  const head = Buffer.alloc(8192);
  const file = openSync(process.execPath, "r");
  try {
    readSync(file, head, 0, head.length, 0);
  } finally {
    closeSync(file);
  }
  if (head.includes("/ld-musl-")) return "musl";
  if (head.includes("/ld-linux")) return "glibc";
  return process.report.getReport().header.glibcVersionRuntime === undefined ? "musl" : "glibc";
};
`;

const target = `
const { familySync } = require("detect-libc");
exports.load = () => null;
exports.currentTarget = () => {
  if (process.platform === "win32") return \`win32-\${process.arch}-msvc\`;
  if (process.platform !== "linux") return \`\${process.platform}-\${process.arch}\`;
  const suffix = familySync() === "musl" ? "musl" : "gnu";
  return process.arch === "arm" ? \`linux-arm-\${suffix}eabihf\` : \`linux-\${process.arch}-\${suffix}\`;
};
`;

/**
 * Where npm lays the two packages side by side the file is named outright: to resolve it by its package takes 5 ms of every
 * start that reads the database. Any other layout is resolved.
 */
const nativeLibrary = `(target) => {
  const { existsSync } = require("node:fs");
  const { dirname, join } = require("node:path");
  let modules, above = __spotFile;
  do {
    above = dirname(above);
    modules = join(above, "node_modules");
  } while (!existsSync(join(modules, "libsql")) && above !== dirname(above));
  const beside = join(modules, "@libsql", target, "index.node");
  if (existsSync(beside) && !existsSync(join(modules, "libsql", "node_modules"))) return require(beside);
  return require("node:module").createRequire(__spotResolve("libsql"))("@libsql/" + target);
}`;

/** esbuild plugin: bundles libsql's JavaScript; its native library stays a package and is looked up from where libsql lies. */
export const bundleLibsql = {
  name: "bundle-libsql",
  setup(build) {
    build.onResolve({ filter: /^(detect-libc|@neon-rs\/load)$/ }, ({ path }) => ({ path, namespace: "libsql-target" }));
    build.onLoad({ filter: /.*/, namespace: "libsql-target" }, ({ path }) => ({
      contents: path === "detect-libc" ? libc : target,
      loader: "js",
    }));
    build.onLoad({ filter: /[\\/]libsql[\\/]index\.js$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      if (!source.includes(NATIVE)) throw new Error(`${path} no longer loads its native library by ${NATIVE}`);
      return { contents: source.replace(NATIVE, `(${nativeLibrary})(target)`) };
    });
  },
};
