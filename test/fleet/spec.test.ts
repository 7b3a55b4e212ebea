import fc from "fast-check";
import { expect, test } from "vitest";
import { flagFault, specDifference, specsFromInput } from "../../src/fleet/spec/spec.ts";
import { type InputSource, mergeInput, type SpecInput } from "../../src/fleet/spec/spec-input.ts";
import { Problem } from "../../src/model/problem.ts";

const source: InputSource = {
  fault: flagFault,
  folder: "/home/me/job",
  providers: ["local"],
  knownProviders: ["local", "aws", "gcp"],
  fleet: null,
};
const read = (input: SpecInput, more: Partial<InputSource> = {}) => specsFromInput(input, { ...source, ...more });
const message = (input: SpecInput): string => {
  try {
    read(input);
  } catch (error) {
    if (error instanceof Problem && error.exit === 2) return error.message;
    throw error;
  }
  return "accepted";
};

test("a name is enough, and everything else has its default", () => {
  expect(read({ name: "train" })).toEqual([
    {
      name: "train",
      providers: ["local"],
      gpu: null,
      billing: "spot",
      maxPrice: null,
      regions: [],
      image: null,
      volume: { name: "train", sizeGb: 10, mount: "/data" },
      ttlMs: null,
      idleMs: null,
      idleBy: "exit",
      env: {},
      onReclaim: "replace",
      onRebalance: "log",
      fallbackAfterMs: null,
      returnToSpot: false,
      checkpointHook: null,
      checkpointEveryMs: null,
      readyHttp: null,
      readyCmd: null,
      command: [],
      workdir: null,
      ports: [],
      registryAuth: null,
      fleet: null,
      labels: {},
    },
  ]);
});

test("everything that can be said arrives", () => {
  const [spec] = read({
    name: "train",
    provider: "aws,gcp",
    gpu: "h100:8",
    billing: "auto",
    maxPrice: "02.50",
    region: ["us-east-1", "eu-west-1"],
    image: "ubuntu 24.04",
    volume: "disk:2TB:/mnt/data/",
    ttl: "8h",
    idle: "30m",
    idleBy: "gpu",
    env: { EPOCHS: 3, DEBUG: true, NAME: "it's" },
    onReclaim: "hibernate",
    onRebalance: "checkpoint",
    fallbackAfter: "15m",
    returnToSpot: false,
    checkpoint: { hook: "./save.sh", every: "10m" },
    ready: { http: ":8000/health", cmd: "test -f ready" },
    command: ["node", "train.mjs", "--lr", "0.1"],
    workdir: "sub",
    ports: ["9000/TCP", 8000],
    registryAuth: "my registry",
    labels: { team: "vision" },
  });
  expect(spec).toEqual({
    name: "train",
    providers: ["aws", "gcp"],
    gpu: { model: "H100", count: 8 },
    billing: "auto",
    maxPrice: "2.5",
    regions: ["us-east-1", "eu-west-1"],
    image: "ubuntu 24.04",
    volume: { name: "disk", sizeGb: 2048, mount: "/mnt/data" },
    ttlMs: 28_800_000,
    idleMs: 1_800_000,
    idleBy: "gpu",
    env: { EPOCHS: "3", DEBUG: "true", NAME: "it's" },
    onReclaim: "hibernate",
    onRebalance: "checkpoint",
    fallbackAfterMs: 900_000,
    returnToSpot: false,
    checkpointHook: "./save.sh",
    checkpointEveryMs: 600_000,
    readyHttp: ":8000/health",
    readyCmd: "test -f ready",
    command: ["node", "train.mjs", "--lr", "0.1"],
    workdir: "/home/me/job/sub",
    ports: [
      { port: 8000, protocol: "http" },
      { port: 9000, protocol: "tcp" },
    ],
    registryAuth: "my registry",
    fleet: null,
    labels: { team: "vision" },
  });
});

test("a count gives each its own name and its own volume", () => {
  const names = (input: SpecInput) => read(input).map((spec) => [spec.name, spec.volume?.name]);
  expect(names({ name: "w", count: "2" })).toEqual([
    ["w-1", "w-1"],
    ["w-2", "w-2"],
  ]);
  expect(names({ name: "w", count: 2, volume: "disk" })).toEqual([
    ["w-1", "disk-1"],
    ["w-2", "disk-2"],
  ]);
  expect(names({ name: "w", volume: "none" })).toEqual([["w", undefined]]);
  expect(names({ name: "w", volume: null })).toEqual([["w", undefined]]);
});

test("a command on local runs from here, elsewhere from the machine's own home", () => {
  expect(read({ name: "a", command: "make" })[0]).toMatchObject({ command: ["/bin/sh", "-c", "make"], workdir: "/home/me/job" });
  expect(read({ name: "a", command: ["make"], provider: "aws" })[0]?.workdir).toBeNull();
});

const REFUSED: readonly (readonly [SpecInput, string])[] = [
  [{}, "the instance has no name"],
  [
    { name: "a b" },
    '--name: "a b" cannot be the name of an instance: a name has 1 to 40 lower-case letters, digits and hyphens, begins with a letter and does not end with a hyphen',
  ],
  [
    { name: "a\u001b[31m" },
    '--name: "a\\u001b[31m" cannot be the name of an instance: a name has 1 to 40 lower-case letters, digits and hyphens, begins with a letter and does not end with a hyphen',
  ],
  [{ name: "a", count: 0 }, "--count: 0 is not a number of instances (expected a whole number from 1 to 1000)"],
  [{ name: "a", count: "-3" }, '--count: "-3" is not a number of instances (expected a whole number from 1 to 1000)'],
  [{ name: "a", count: 1.5 }, "--count: 1.5 is not a number of instances (expected a whole number from 1 to 1000)"],
  [{ name: "a", count: "1e9" }, '--count: "1e9" is not a number of instances (expected a whole number from 1 to 1000)'],
  [{ name: "a", gpu: "H100:99" }, '--gpu: "H100:99" is not a GPU (expected MODEL or MODEL:COUNT with a count of 1 to 16, e.g. H100:1)'],
  [{ name: "a", maxPrice: "-1" }, '--max-price: "-1" is not a price per hour (expected more than 0 and at most 1000, e.g. 2.50)'],
  [{ name: "a", maxPrice: "0" }, '--max-price: "0" is not a price per hour (expected more than 0 and at most 1000, e.g. 2.50)'],
  [{ name: "a", maxPrice: 1001 }, "--max-price: 1001 is not a price per hour (expected more than 0 and at most 1000, e.g. 2.50)"],
  [{ name: "a", maxPrice: "1,5" }, '--max-price: "1,5" is not a price per hour (expected more than 0 and at most 1000, e.g. 2.50)'],
  [{ name: "a", maxPrice: "2EUR" }, '--max-price: "2EUR" is not a price per hour (expected more than 0 and at most 1000, e.g. 2.50)'],
  [
    { name: "a", maxPrice: "10001CNY" },
    '--max-price: "10001CNY" is not a price per hour (expected more than 0 and at most 10000 CNY, e.g. 18CNY)',
  ],
  [{ name: "a", billing: "sopt" }, '--billing: "sopt" is not one of spot, on-demand, auto; did you mean "spot"?'],
  [
    { name: "a", onReclaim: "replcae" },
    '--on-reclaim: "replcae" is not one of replace, hibernate, checkpoint, wait, let-go; did you mean "replace"?',
  ],
  [{ name: "a", provider: "asw" }, '--provider: "asw" is not a provider; did you mean "aws"?'],
  [{ name: "a", provider: "$(id)" }, '--provider: "$(id)" is not a provider (expected letters, digits, . _ -)'],
  [{ name: "a", region: "x;y" }, '--region: "x;y" is not a region (expected letters, digits, . _ -)'],
  [{ name: "a", ttl: "8 hours" }, '--ttl: "8 hours" is not a duration (expected e.g. 90s, 30m, 8h)'],
  [{ name: "a", idle: "-5m" }, '--idle: "-5m" is not a duration (expected e.g. 90s, 30m, 8h)'],
  [{ name: "a", checkpoint: { every: "0s" } }, '--checkpoint-every: "0s" is not a duration (expected e.g. 90s, 30m, 8h, or none)'],
  [{ name: "a", checkpoint: { hook: " " } }, '--checkpoint-hook: " " is not a shell command'],
  [{ name: "a", ready: { http: "8000" } }, '--ready-http: "8000" is not a port with a path (expected e.g. :8000/health)'],
  [{ name: "a", ready: { http: ":70000/" } }, '--ready-http: ":70000/" is not a port with a path (expected e.g. :8000/health)'],
  [{ name: "a", ports: ["0"] }, '--port: "0" is not a port (expected 1 to 65535 with /http or /tcp, e.g. 8000 or 9000/tcp)'],
  [{ name: "a", ports: [80, 65536] }, "--port: 65536 is not a port (expected 1 to 65535 with /http or /tcp, e.g. 8000 or 9000/tcp)"],
  [{ name: "a", ports: ["53/udp"] }, '--port: "53/udp" is not a port (expected 1 to 65535 with /http or /tcp, e.g. 8000 or 9000/tcp)'],
  [{ name: "a", ports: ["80", "80/tcp"] }, "--port: the port 80 is named twice"],
  [{ name: "a", registryAuth: "" }, '--registry-auth: "" is not the id or the name of registry credentials'],
  [{ name: "a", registryAuth: "a\nb" }, '--registry-auth: "a\\nb" is not the id or the name of registry credentials'],
  [{ name: "a", volume: "d:0" }, '--volume: "0" is not a size of a volume (expected 1 to 65536 gigabytes, e.g. 50 or 2TB)'],
  [{ name: "a", volume: "d:-5" }, '--volume: "-5" is not a size of a volume (expected 1 to 65536 gigabytes, e.g. 50 or 2TB)'],
  [{ name: "a", volume: "d:999999999" }, '--volume: "999999999" is not a size of a volume (expected 1 to 65536 gigabytes, e.g. 50 or 2TB)'],
  [{ name: "a", volume: "d:1:2" }, '--volume: "d:1:2" is not a volume (expected name[:size][:mount], e.g. data:50:/data, or none)'],
  [
    { name: "a", volume: "d:/data/../etc" },
    '--volume: "/data/../etc" is not a place for a volume (expected an absolute path outside the system\'s own folders, e.g. /data)',
  ],
  [
    { name: "a", volume: { mount: "data" } },
    '--volume: "data" is not a place for a volume (expected an absolute path outside the system\'s own folders, e.g. /data)',
  ],
  [
    { name: "a", volume: "../x" },
    '--volume: "../x" cannot be the name of a volume: a name has 1 to 40 lower-case letters, digits and hyphens, begins with a letter and does not end with a hyphen',
  ],
  [
    { name: "a", env: { "A-B": "1" } },
    '--env: "A-B" is not a name of a variable (expected letters, digits and _, not beginning with a digit)',
  ],
  [{ name: "a", env: { SPOT_HOME: "/" } }, '--env: "SPOT_HOME" is reserved: the agent sets the variables that begin with SPOT_'],
  [{ name: "a", labels: { "a b": "1" } }, '--label: "a b" is not a key of a label (expected at most 63 letters, digits, . _ / -)'],
  [
    { name: "a", command: [""] },
    'the command behind --: [""] is not a command (expected a shell command, or a list of a program and its arguments)',
  ],
];

test.each(REFUSED)("refused: %j", (input, expected) => {
  expect(message(input)).toBe(expected);
});

test.each([
  "/",
  "/etc",
  "/etc/x",
  "/proc",
  "/tmp/a",
  "/home",
  "/root",
  "/usr/lib",
  "/var/lib/spot",
  "/a//b",
  "/a/../b",
  "/.",
  "/a b",
  "/a;b",
])("no volume at %s", (mount) => {
  expect(message({ name: "a", volume: { mount } })).toContain("is not a place for a volume");
});

test("the same words are the same spec, other words are told apart", () => {
  const [before, same, other] = [
    read({ name: "a", maxPrice: "2.50", ttl: "90m", gpu: "h100", env: { A: "1", B: "2" }, ports: [1, 2] }),
    read({ name: "a", maxPrice: 2.5, ttl: "1h30m", gpu: "H100:1", env: { B: 2, A: 1 }, ports: ["2/http", "1"] }),
    read({
      name: "a",
      maxPrice: "3",
      ttl: "91m",
      gpu: "A100:2",
      env: { A: "1", C: "3" },
      volume: "none",
      command: ["echo", "a b"],
      ports: ["1", "2/tcp"],
    }),
  ].flat();
  if (before === undefined || same === undefined || other === undefined) throw new Error("no spec");
  expect(specDifference(before, same)).toEqual([]);
  expect(specDifference(before, other)).toEqual([
    "gpu: H100 → A100×2",
    "max price: 2.5 → 3",
    "volume: a:10:/data → none",
    "ttl: 1h 30m → 1h 31m",
    'command: none → echo "a b"',
    "workdir: none → /home/me/job",
    "ports: 1/http,2/http → 1/http,2/tcp",
    "env: B, C changed",
  ]);
});

test.each([
  ["2.50", "2.5"],
  ["$2.5", "2.5"],
  ["2.5usd", "2.5"],
  [3, "3"],
  ["1000", "1000"],
  ["18 cny", "18CNY"],
  ["¥9999.99", "9999.99CNY"],
])("a most of %j is kept as %s", (maxPrice, kept) => {
  expect(read({ name: "a", maxPrice })[0]?.maxPrice).toBe(kept);
});

test("times that read the same but differ are told apart", () => {
  const [a] = read({ name: "a", ttl: "8h" });
  const [b] = read({ name: "a", ttl: "8h0m20s" });
  if (a === undefined || b === undefined) throw new Error("no spec");
  expect(specDifference(a, b)).toEqual(["ttl: 8h → 28820s"]);
});

test("what is merged from above wins, and maps are joined", () => {
  const below: SpecInput = { name: "a", gpu: "H100", env: { A: "1", B: "2" }, volume: { size: 5 } };
  expect(mergeInput(below, { gpu: "A100", env: { B: "3" }, volume: { mount: "/x" }, command: ["x"] })).toEqual({
    name: "a",
    gpu: "A100",
    env: { A: "1", B: "3" },
    volume: { size: 5, mount: "/x" },
    command: ["x"],
  });
  expect(mergeInput(below, { volume: "none" }).volume).toBe("none");
});

test("whatever is typed, it is accepted whole or refused as a usage problem", () => {
  const word = fc.string({ unit: "binary", maxLength: 20 });
  const value = fc.oneof(word, fc.constantFrom("1", "8h", "/data", "spot", "a:1:/b", ":80/", "H100"));
  const input = fc.record(
    {
      name: fc.constantFrom("a", "b-1", "A", ""),
      count: value,
      gpu: value,
      billing: value,
      maxPrice: value,
      region: value,
      volume: value,
      ttl: value,
      env: fc.dictionary(value, value),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(input, (made) => {
      const said = message(made);
      if (said !== "accepted") return;
      for (const spec of read(made)) {
        expect(spec.name).toMatch(/^[a-z][a-z0-9-]*$/);
        expect(spec.volume?.mount ?? "/data").toMatch(/^(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$/);
        expect(JSON.parse(JSON.stringify(spec))).toEqual(spec);
      }
    }),
    { numRuns: 300 },
  );
});

test("what becomes of a volume at down, and that nothing is sealed by the clock, are told apart from what is usual", () => {
  const spec = (input: SpecInput) => specsFromInput({ name: "a", ...input }, source)[0];
  expect(spec({ volume: { atDown: "snapshot-and-delete" } })?.volume).toEqual({
    name: "a",
    sizeGb: 10,
    mount: "/data",
    atDown: "snapshot-and-delete",
  });
  // Whoever keeps it by default has asked for the same machine before this could be said.
  expect(spec({ volume: { atDown: "keep" } })?.volume).toEqual({ name: "a", sizeGb: 10, mount: "/data" });
  expect(spec({ checkpoint: { every: "none" } })?.checkpointEveryMs).toBe(0);
  const [usual, none] = [spec({}), spec({ checkpoint: { every: "none" }, volume: { atDown: "delete" } })];
  if (usual === undefined || none === undefined) throw new Error("no spec");
  expect(specDifference(usual, none)).toEqual(["volume at down: keep → delete", "checkpoint every: as often as pays → none"]);
});
