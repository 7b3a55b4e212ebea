import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { loadFleetFile, parseFleetFile } from "../../src/fleet/spec/fleet-file.ts";
import { fleetFileJsonSchema, fleetFileSchema } from "../../src/fleet/spec/fleet-file-schema.ts";
import { portText } from "../../src/fleet/spec/spec.ts";
import { Problem } from "../../src/model/problem.ts";

const options = { providers: ["local"], knownProviders: ["local", "aws"] };
const parse = (text: string, overrides = {}) => parseFleetFile("spot.yaml", text, "/job", { ...options, overrides });
const message = (text: string): string => {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof Problem && error.exit === 2) return error.message;
    throw error;
  }
  return "accepted";
};
const one = (lines: string) => `fleet: mine\ninstances:\n  - name: a\n    ${lines}\n`;

test("a whole file", () => {
  const { fleet, specs } = parse(`
fleet: vision
defaults:
  gpu: H100
  ttl: 8h
  env: { LANG: C.UTF-8, EPOCHS: 3 }
  volume: { size: 50 }
instances:
  - name: train
    count: 2
    env: { EPOCHS: 5 }
    command: node train.mjs
    regions: [us-east-1]
  - name: serve
    provider: [aws]
    ttl: 30m
    volume: none
    ready: { http: ":8000/health" }
    command: [python3, serve.py]
    workdir: service
`);
  expect(fleet).toBe("vision");
  expect(specs.map((spec) => [spec.name, spec.fleet, spec.gpu?.model, spec.ttlMs, spec.volume, spec.workdir])).toEqual([
    ["train-1", "vision", "H100", 28_800_000, { name: "train-1", sizeGb: 50, mount: "/data" }, "/job"],
    ["train-2", "vision", "H100", 28_800_000, { name: "train-2", sizeGb: 50, mount: "/data" }, "/job"],
    ["serve", "vision", "H100", 1_800_000, null, "/job/service"],
  ]);
  expect(specs[0]).toMatchObject({
    env: { LANG: "C.UTF-8", EPOCHS: "5" },
    regions: ["us-east-1"],
    command: ["/bin/sh", "-c", "node train.mjs"],
  });
  expect(specs[2]).toMatchObject({ providers: ["aws"], readyHttp: ":8000/health", command: ["python3", "serve.py"] });
});

test("ports and registry credentials come from the instance, else from the defaults; flags win", () => {
  const text = `
fleet: x
defaults: { ports: [80, "9000/tcp"], registryAuth: theirs }
instances:
  - name: a
  - name: b
    ports: ["8000/http"]
    registryAuth: ours
`;
  const said = (overrides = {}) =>
    parse(text, overrides).specs.map(({ ports, registryAuth }) => [ports.map(portText).join(), registryAuth]);
  expect(said()).toEqual([
    ["80/http,9000/tcp", "theirs"],
    ["8000/http", "ours"],
  ]);
  expect(said({ ports: ["1"], registryAuth: "flag" })).toEqual(Array(2).fill(["1/http", "flag"]));
});

test("flags win over every instance of the file", () => {
  const { specs } = parse(one("maxPrice: 2"), { maxPrice: "1.5", env: { A: "1" } });
  expect(specs[0]).toMatchObject({ maxPrice: "1.5", env: { A: "1" } });
});

const WRONG: readonly (readonly [string, string])[] = [
  [one("ttl: 8 hours"), 'spot.yaml:4:10: instances[0].ttl: "8 hours" is not a duration (expected e.g. 90s, 30m, 8h)'],
  [one("tttl: 8h"), 'spot.yaml:4:5: instances[0].tttl: there is no key "tttl" (did you mean "ttl"?)'],
  [one("volume:\n      sise: 4"), 'spot.yaml:5:7: instances[0].volume.sise: there is no key "sise" (did you mean "size"?)'],
  [
    one("volume: { size: -4 }"),
    "spot.yaml:4:21: instances[0].volume.size: -4 is not a size of a volume (expected 1 to 65536 gigabytes, e.g. 50 or 2TB)",
  ],
  [one("volume: 5"), "spot.yaml:4:13: instances[0].volume: 5 is not a volume (expected name, size, mount and atDown, or none)"],
  [
    one("ports: [8000, udp]"),
    'spot.yaml:4:19: instances[0].ports[1]: "udp" is not a port (expected 1 to 65535 with /http or /tcp, e.g. 8000 or 9000/tcp)',
  ],
  [one("ports: 8000"), "spot.yaml:4:12: instances[0].ports: 8000 is not a list of ports"],
  [one("checkpoint: 5"), "spot.yaml:4:17: instances[0].checkpoint: 5 is not a map with hook and every"],
  [one("checkpoint: { evry: 5m }"), 'spot.yaml:4:19: instances[0].checkpoint.evry: there is no key "evry" (did you mean "every"?)'],
  [one("env: { A: [1] }"), "spot.yaml:4:15: instances[0].env.A: [1] is not a text, a number or a boolean"],
  [one("provider: awz"), 'spot.yaml:4:15: instances[0].provider: "awz" is not a provider; did you mean "aws"?'],
  [one("provider: {}"), "spot.yaml:4:15: instances[0].provider: {} is not a text or a list of texts"],
  [one("regions: [a, b c]"), 'spot.yaml:4:14: instances[0].regions: "b c" is not a region (expected letters, digits, . _ -)'],
  [one("name: b"), "spot.yaml:4:5: Map keys must be unique"],
  [
    "fleet: x\ndefaults: { maxPrice: -2 }\ninstances: [{ name: a }]",
    "spot.yaml:2:23: defaults.maxPrice: -2 is not a price per hour (expected more than 0 and at most 1000, e.g. 2.50)",
  ],
  [
    "fleet: x\ndefaults: { nmae: b }\ninstances: [{ name: a }]",
    'spot.yaml:2:13: defaults.nmae: there is no key "nmae" (did you mean "image"?)',
  ],
  ["fleet: x\ninstances:\n  - name: a\n  - name: a", 'spot.yaml:4:11: instances[1].name: the name "a" is used twice'],
  ["fleet: x\ninstances:\n  - {name: a, count: 2}\n  - name: a-2", 'spot.yaml:4:11: instances[1].name: the name "a-2" is used twice'],
  ["fleet: x\ninstances:\n  - name: 5", "spot.yaml:3:11: instances[0].name: 5 is not a text, the name of the instance"],
  ["fleet: x\ninstances:\n  - gpu: H100", "spot.yaml:3:5: instances[0] has no name"],
  ["fleet: x\ninstances: []", "spot.yaml:2:12: instances: [] is not a list of at least one instance"],
  ["fleet: x", "spot.yaml:1:1: the file has no instances"],
  ["fleet: X;\ninstances: [{ name: a }]", 'spot.yaml:1:8: fleet: "X;" cannot be the name of a fleet'],
  ["", "spot.yaml:1:1: null is not a fleet file (expected a map with fleet and instances)"],
  ["just words", 'spot.yaml:1:1: "just words" is not a fleet file (expected a map with fleet and instances)'],
  ["a: [\n", "spot.yaml:2:1: Flow sequence in block collection must be sufficiently indented and end with a ]"],
  ["fleet: a\n---\nfleet: b\n", "spot.yaml:2:1: Source contains multiple documents; please use YAML.parseAllDocuments()"],
];

test.each(WRONG)("%j", (text, expected) => {
  expect(message(text)).toBe(expected);
});

test("a file that grows without end through its anchors is refused", () => {
  const bombs = Array.from({ length: 12 }, (_, i) => `b${i + 1}: &b${i + 1} [${Array(10).fill(`*b${i}`).join(", ")}]`).join("\n");
  expect(message(`b0: &b0 x\n${bombs}\n`)).toBe("spot.yaml:1:1: Excessive alias count indicates a resource exhaustion attack");
  expect(message("a: *nowhere\n")).toBe("spot.yaml:1:1: Unresolved alias (the anchor must be set before the alias): nowhere");
});

test("a file that is not there says so", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spot-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  await expect(loadFleetFile("spot.yaml", join(folder, "spot.yaml"), options)).rejects.toMatchObject({
    message: "there is no fleet file spot.yaml",
    exit: 2,
    next: ["spot init"],
  });
  await expect(loadFleetFile("here", folder, options)).rejects.toMatchObject({
    exit: 2,
    message: /^cannot read the fleet file here: EISDIR/,
  });
  writeFileSync(join(folder, "spot.yaml"), one("command: make"));
  expect((await loadFleetFile("spot.yaml", join(folder, "spot.yaml"), options)).specs[0]?.workdir).toBe(folder);
});

test("the schema for editors and the one that is obeyed have the same keys", () => {
  const keys = (schema: unknown): readonly string[] => Object.keys((schema as { properties: object }).properties).sort();
  const properties = fleetFileJsonSchema["properties"] as { defaults: unknown; instances: { items: unknown } };
  const { defaults, instances } = fleetFileSchema.entries;
  expect(keys(fleetFileJsonSchema)).toEqual(Object.keys(fleetFileSchema.entries).sort());
  expect(keys(properties.defaults)).toEqual(Object.keys(defaults.wrapped.entries).sort());
  expect(keys(properties.instances.items)).toEqual(Object.keys(instances.pipe[0].item.entries).sort());
});

test("settings below the file fill what it leaves open; a wrong flag is told as a flag", () => {
  const { specs } = parseFleetFile("spot.yaml", one("maxPrice: 2"), "/job", { ...options, below: { maxPrice: "9", gpu: "H100" } });
  expect(specs[0]).toMatchObject({ maxPrice: "2", gpu: { model: "H100", count: 1 } });
  expect(() => parse(one("maxPrice: 2"), { ttl: "soon" })).toThrow('--ttl: "soon" is not a duration (expected e.g. 90s, 30m, 8h)');
});
