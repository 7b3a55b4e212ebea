import * as v from "valibot";
import { VOLUME_POLICIES } from "../../model/volume-policy.ts";
import { AT_CAP } from "../../pricing/budget-scope.ts";
import { BILLING_MODES, IDLE_SIGNS, REBALANCE_POLICIES, RECLAIM_POLICIES } from "./spec.ts";
import { LARGEST_VOLUME_GB, MOST_INSTANCES } from "./spec-fields.ts";

// Messages are what the value was expected to be; fleet-file.ts says the rest: place, value, "is not".
const text = v.string("a text");
const textOrNumber = v.union([v.string(), v.number()], "a text or a number");
const texts = v.array(text, "a list of texts");
const textOrTexts = v.union([v.string(), v.array(v.string())], "a text or a list of texts");
const scalars = v.record(v.string(), v.union([v.string(), v.number(), v.boolean()], "a text, a number or a boolean"), "a map of texts");

const entries = {
  count: v.optional(textOrNumber),
  provider: v.optional(textOrTexts),
  gpu: v.optional(text),
  billing: v.optional(text),
  maxPrice: v.optional(textOrNumber),
  region: v.optional(textOrTexts),
  regions: v.optional(texts),
  image: v.optional(text),
  volume: v.optional(
    v.union(
      [
        v.string(),
        v.null(),
        v.strictObject({ name: v.optional(text), size: v.optional(textOrNumber), mount: v.optional(text), atDown: v.optional(text) }),
      ],
      "a volume (expected name, size, mount and atDown, or none)",
    ),
  ),
  ttl: v.optional(textOrNumber),
  idle: v.optional(textOrNumber),
  idleBy: v.optional(text),
  env: v.optional(scalars),
  onReclaim: v.optional(text),
  onRebalance: v.optional(text),
  fallbackAfter: v.optional(textOrNumber),
  returnToSpot: v.optional(v.boolean("true or false")),
  checkpoint: v.optional(v.strictObject({ hook: v.optional(text), every: v.optional(textOrNumber) }, "a map with hook and every")),
  ready: v.optional(v.strictObject({ http: v.optional(text), cmd: v.optional(text) }, "a map with http and cmd")),
  command: v.optional(textOrTexts),
  workdir: v.optional(text),
  caches: v.optional(v.boolean("true or false")),
  ports: v.optional(v.array(v.union([v.string(), v.number()], "a port (expected e.g. 8000 or 9000/tcp)"), "a list of ports")),
  registryAuth: v.optional(text),
  labels: v.optional(scalars),
} as const;

export const fleetFileSchema = v.strictObject(
  {
    fleet: v.string("a text, the name of the fleet"),
    budget: v.optional(
      v.union(
        [
          v.string(),
          v.number(),
          v.strictObject({ amount: v.optional(textOrNumber), perDay: v.optional(textOrNumber), atCap: v.optional(text) }),
        ],
        "a budget (expected an amount, or amount, perDay and atCap)",
      ),
    ),
    defaults: v.optional(v.strictObject(entries, "a map of settings")),
    instances: v.pipe(
      v.array(
        v.strictObject({ name: v.string("a text, the name of the instance"), ...entries }, "a map of settings"),
        "a list of instances",
      ),
      v.minLength(1, "a list of at least one instance"),
    ),
  },
  "a fleet file (expected a map with fleet and instances)",
);

export type FleetFileInput = v.InferOutput<typeof fleetFileSchema>;

type JsonSchema = Readonly<Record<string, unknown>>;

const described = (description: string, schema: JsonSchema): JsonSchema => ({ description, ...schema });
const string: JsonSchema = { type: "string" };
const stringOrNumber: JsonSchema = { type: ["string", "number"] };
const oneOrMany: JsonSchema = { oneOf: [{ type: "string" }, { type: "array", items: { type: "string" } }] };
const map: JsonSchema = { type: "object", additionalProperties: { type: ["string", "number", "boolean"] } };
const name: JsonSchema = { type: "string", pattern: "^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$" };
const duration: JsonSchema = {
  type: "string",
  pattern: "^\\s*(\\d+(\\.\\d+)?(ms|s|m|h|d))+\\s*$",
  examples: ["90s", "30m", "8h", "1h30m"],
};
const object = (properties: Readonly<Record<string, JsonSchema>>, required: readonly string[] = []): JsonSchema => ({
  type: "object",
  additionalProperties: false,
  ...(required.length === 0 ? {} : { required }),
  properties,
});

const settings: Readonly<Record<string, JsonSchema>> = {
  count: described("How many; NAME-1 and so on when more than one.", { type: "integer", minimum: 1, maximum: MOST_INSTANCES }),
  provider: described("One provider or several; the configured ones when not given.", oneOrMany),
  gpu: described("MODEL or MODEL:COUNT; any when not given.", { ...string, examples: ["H100:1", "RTX4090"] }),
  billing: described("spot by default; auto tries spot first.", { enum: BILLING_MODES }),
  maxPrice: described("Never rent above this, per machine and hour: 2.5 is USD, or 18CNY.", stringOrNumber),
  region: described("A region or zone, or several.", oneOrMany),
  regions: described("The same as region.", { type: "array", items: string }),
  image: described("The image to boot, where the cloud has images.", string),
  volume: described("The disk that outlives the machine; none for no disk.", {
    oneOf: [
      { type: "string", description: "name[:size][:mount], or none" },
      { type: "null" },
      object({
        name: described("The instance's name when not given.", name),
        size: described(`Gigabytes, at most ${LARGEST_VOLUME_GB}; 10 when not given.`, stringOrNumber),
        mount: described("Absolute; /data when not given.", { ...string, pattern: "^/" }),
        atDown: described("What becomes of it when its instance is ended by down; kept when not given.", { enum: VOLUME_POLICIES }),
      }),
    ],
  }),
  ttl: described("Ends by itself after this time.", duration),
  idle: described("Ends by itself when for so long its workload is over, no GPU works and nobody is logged in.", duration),
  idleBy: described("gpu: a workload that runs counts as idle too while no GPU works; exit by default.", { enum: IDLE_SIGNS }),
  env: described("Variables for the workload.", map),
  onReclaim: described("What follows a reclaim; replace by default.", { enum: RECLAIM_POLICIES }),
  onRebalance: described("What follows a hint that a reclaim is likelier than usual; it is only logged by default.", {
    enum: REBALANCE_POLICIES,
  }),
  fallbackAfter: described("Rent on demand when spot has been refused for so long; never when not given.", duration),
  returnToSpot: described("Go back to spot once it has been on offer for a while; true with fallbackAfter, false without.", {
    type: "boolean",
  }),
  checkpoint: described("How checkpoints are made.", {
    ...object({
      hook: described("Shell command run before a checkpoint is sealed, with SPOT_DEADLINE and SPOT_REASON.", string),
      every: described("Seal a checkpoint at this interval as well; as often as pays when not given, none for never.", {
        oneOf: [duration, { const: "none" }],
      }),
    }),
  }),
  ready: described("When the instance counts as ready.", {
    ...object({
      http: described("It is ready when this answers.", { ...string, examples: [":8000/health"] }),
      cmd: described("It is ready when this ends well, on the machine.", string),
    }),
  }),
  command: described("What to run: a shell command, or a list that is run as it stands.", oneOrMany),
  caches: described("Model weights and compile caches lie on the volume, where frameworks can be told so; true when not given.", {
    type: "boolean",
  }),
  workdir: described("Where the command runs, from the fleet file's folder.", string),
  ports: described("Ports that shall be reachable from outside, where the cloud has to be told: PORT, PORT/http or PORT/tcp.", {
    type: "array",
    uniqueItems: true,
    items: {
      oneOf: [
        { type: "integer", minimum: 1, maximum: 65_535 },
        { type: "string", pattern: "^\\d{1,5}(/(http|tcp))?$" },
      ],
    },
    examples: [[8000, "9000/tcp"]],
  }),
  registryAuth: described("Id or name of the registry credentials that the cloud keeps for a private image.", string),
  labels: described("For your own books.", map),
};

/** The fleet file for editors: JSON Schema, draft 2020-12. */
export const fleetFileJsonSchema: JsonSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "spot fleet file",
  ...object(
    {
      fleet: described("Name of the fleet.", name),
      budget: described("What the fleet may spend: an amount in total, or a map. 250 is USD, or 1800CNY.", {
        oneOf: [
          { type: ["string", "number"] },
          object({
            amount: described("In total.", stringOrNumber),
            perDay: described("For each calendar day in UTC.", stringOrNumber),
            atCap: described("At the cap: rent nothing more (refuse, the default), put to sleep what runs as well, or only say so.", {
              enum: AT_CAP,
            }),
          }),
        ],
      }),
      defaults: described("What holds for every instance that does not say otherwise.", object(settings)),
      instances: {
        type: "array",
        minItems: 1,
        items: object({ name: described("1 to 40 lower-case letters, digits and hyphens.", name), ...settings }, ["name"]),
      },
    },
    ["fleet", "instances"],
  ),
};
