import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * Takes of the AWS SDK what is called. Two things stand in the way of that. Its packages have a CommonJS entry first, which
 * is taken whole; and its schemas, 765 operations of EC2 in one file, have computed keys (`[_xN]: …`), which might do
 * anything for all that esbuild knows. Each of those keys is a constant of the same file: here it is written out.
 *
 * Its warning that later versions will need a newer Node goes to stderr of whoever uses the bundle; it is for whoever builds it.
 */
export const bundleAws = {
  name: "aws",
  setup(builder) {
    builder.onResolve({ filter: /^(@aws-sdk|@smithy)\/[^/]+$/ }, ({ path, resolveDir, pluginData }) => {
      if (pluginData === "found") return undefined;
      return builder.resolve(`${path}/package.json`, { resolveDir, kind: "require-call", pluginData: "found" }).then((found) => {
        if (found.errors.length > 0) return undefined;
        const { module, exports } = JSON.parse(readFileSync(found.path, "utf8"));
        return module === undefined || exports !== undefined ? undefined : { path: join(dirname(found.path), module), sideEffects: false };
      });
    });
    builder.onLoad({ filter: /[\\/]@aws-sdk[\\/].*[\\/]schemas_\d+\.js$/ }, ({ path }) => {
      const text = readFileSync(path, "utf8");
      const constants = new Map([...text.matchAll(/^const (_\w+) = ("(?:[^"\\]|\\.)*");$/gm)].map(([, name, value]) => [name, value]));
      return { contents: text.replaceAll(/\[(_\w+)\]:/g, (key, name) => (constants.has(name) ? `${constants.get(name)}:` : key)) };
    });
    builder.onLoad({ filter: /[\\/]@aws-sdk[\\/]core[\\/].*[\\/]emitWarningIfUnsupportedVersion\.js$/ }, () => ({
      contents: "export const state = { warningEmitted: true }; export const emitWarningIfUnsupportedVersion = () => undefined;",
    }));
  },
};
