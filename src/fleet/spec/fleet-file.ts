import { dirname } from "node:path";
import * as v from "valibot";
import { type Document, isMap, isScalar, LineCounter, type Node, parseDocument } from "yaml";
import { requireName } from "../../model/ids.ts";
import { suggestion } from "../../model/nearest.ts";
import { type Problem, usageProblem } from "../../model/problem.ts";
import { readFileIfThere } from "../../platform/files.ts";
import type { InstanceSpec } from "../../state/records.ts";
import { type BudgetWish, budgetWishes } from "./fleet-file-budget.ts";
import { type FleetFileInput, fleetFileSchema } from "./fleet-file-schema.ts";
import { flagFault, specsFromInput } from "./spec.ts";
import { type InputPath, type InputSource, mergeInput, type SpecInput, shown } from "./spec-input.ts";

export interface FleetFile {
  readonly fleet: string;
  readonly specs: readonly InstanceSpec[];
  /** What the fleet may spend; none where the file says nothing of it. */
  readonly budgets: readonly BudgetWish[];
}

export interface FleetFileOptions extends Pick<InputSource, "providers" | "providersOf" | "knownProviders"> {
  /** What flags and environment say: it wins over every instance of the file. */
  readonly overrides?: SpecInput;
  /** What the settings say: the file wins over it. */
  readonly below?: SpecInput;
}

const LARGEST_FILE_CHARACTERS = 1_000_000;

/** A parsed file that knows where everything stands in it. */
interface Places {
  readonly file: string;
  readonly document: Document;
  readonly lines: LineCounter;
}

function positioned({ file, lines }: Places, offset: number, message: string, hint?: string): Problem {
  const { line, col } = lines.linePos(offset);
  return usageProblem(`${file}:${line}:${col}: ${message}`, hint ?? "spot schema prints what a fleet file may hold");
}

/** `instances[0].ttl` */
function pathText(path: InputPath): string {
  return path.map((part, index) => (typeof part === "number" ? `[${part}]` : index === 0 ? part : `.${part}`)).join("");
}

/** Where the value at `path` begins; of its nearest parent when it is not there. */
function offsetOf(document: Document, path: InputPath): number {
  for (let length = path.length; length >= 0; length--) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    const range = (node as Node | null | undefined)?.range;
    if (range !== null && range !== undefined) return range[0];
  }
  return 0;
}

/** Where the key itself stands, rather than its value. */
function offsetOfKey(document: Document, path: InputPath): number {
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const pair = isMap(parent) ? parent.items.find(({ key }) => isScalar(key) && key.value === path.at(-1)) : undefined;
  return isScalar(pair?.key) && pair.key.range !== undefined && pair.key.range !== null ? pair.key.range[0] : offsetOf(document, path);
}

function parseYaml(file: string, text: string): Places {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const places = { file, document, lines };
  const [error] = document.errors;
  if (error !== undefined) throw positioned(places, error.pos[0], error.message, "this is not YAML");
  if (text.length > LARGEST_FILE_CHARACTERS) throw positioned(places, 0, "the file is larger than 1 MB");
  return places;
}

function plainContent(places: Places): unknown {
  try {
    return places.document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    // An alias without its anchor, or anchors that unfold without end.
    throw positioned(places, 0, error instanceof Error ? error.message : String(error));
  }
}

function firstIssue(places: Places, issue: v.BaseIssue<unknown>): Problem {
  // A union tells about the member that fitted best, where one did.
  const inner = issue.issues?.find((candidate) => (candidate.path?.length ?? 0) > 0);
  const own = (issue.path ?? []).map((item) => item.key as string | number);
  const path = [...own, ...(inner?.path ?? []).map((item) => item.key as string | number)];
  const told = inner ?? issue;
  if (told.type === "strict_object" && told.expected === "never") return unknownKey(places, path);
  if (told.type === "strict_object" && told.received === "undefined") {
    const missing = String(path.at(-1));
    const parent = path.slice(0, -1);
    return positioned(
      places,
      offsetOf(places.document, parent),
      `${parent.length === 0 ? "the file" : pathText(parent)} has no ${missing}`,
    );
  }
  const message = `${shown(told.input)} is not ${told.message}`;
  return positioned(places, offsetOf(places.document, path), path.length === 0 ? message : `${pathText(path)}: ${message}`);
}

function unknownKey(places: Places, path: InputPath): Problem {
  const key = String(path.at(-1));
  const known = knownKeys(path);
  return positioned(
    places,
    offsetOfKey(places.document, path),
    `${pathText(path)}: there is no key ${shown(key)} (${suggestion(key, known)})`,
  );
}

const NESTED: Readonly<Record<string, readonly string[]>> = {
  volume: ["name", "size", "mount", "atDown"],
  checkpoint: ["hook", "every"],
  ready: ["http", "cmd"],
  budget: ["amount", "perDay", "atCap"],
};

function knownKeys(path: InputPath): readonly string[] {
  if (path.length === 1) return Object.keys(fleetFileSchema.entries);
  const parent = String(path.at(-2));
  if (NESTED[parent] !== undefined) return NESTED[parent];
  const { defaults, instances } = fleetFileSchema.entries;
  return Object.keys(path[0] === "defaults" ? defaults.wrapped.entries : instances.pipe[0].item.entries);
}

function toInput(settings: NonNullable<FleetFileInput["defaults"]>): SpecInput {
  const { regions, ...rest } = settings;
  const known = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)) as SpecInput;
  return regions === undefined ? known : { ...known, region: regions };
}

/**
 * Reads a fleet file's text.
 * @throws Problem (usage) that names file, line, column, the value and what was expected.
 */
export function parseFleetFile(file: string, text: string, folder: string, options: FleetFileOptions): FleetFile {
  const places = parseYaml(file, text);
  const parsed = v.safeParse(fleetFileSchema, plainContent(places));
  if (!parsed.success) throw firstIssue(places, parsed.issues[0]);
  const content = parsed.output;
  fleetName(places, content.fleet);
  const budgets = budgetWishes(content, (path, what) => positioned(places, offsetOf(places.document, path), `${pathText(path)}: ${what}`));
  // First by themselves, so that what is wrong with a flag is said of the flag and not of a line in the file.
  specsFromInput({ name: "flags", ...options.overrides }, { ...options, folder, fleet: null, fault: flagFault });
  const specs: InstanceSpec[] = [];
  for (const [index, instance] of content.instances.entries()) {
    const fault = (path: InputPath, what: string) => faultAt(places, index, path, what);
    const source: InputSource = { ...options, folder, fleet: content.fleet, fault };
    const layers = [toInput(content.defaults ?? {}), toInput(instance), options.overrides ?? {}];
    const input = layers.reduce(mergeInput, options.below ?? {});
    for (const spec of specsFromInput(input, source)) {
      if (specs.some((other) => other.name === spec.name)) throw fault(["name"], `the name ${shown(spec.name)} is used twice`);
      specs.push(spec);
    }
  }
  return { fleet: content.fleet, specs, budgets };
}

function fleetName(places: Places, name: string): void {
  try {
    requireName("a fleet", name);
  } catch (error) {
    const { message, hint } = error as Problem;
    throw positioned(places, offsetOf(places.document, ["fleet"]), `fleet: ${message}`, hint);
  }
}

/** The instance's own line, or the one in `defaults` that it got the value from. */
function faultAt(places: Places, index: number, path: InputPath, what: string): Problem {
  const { document } = places;
  const spellings = path[0] === "region" ? [path, ["regions", ...path.slice(1)]] : [path];
  const candidates = [["instances", index] as const, ["defaults"] as const].flatMap((at) =>
    spellings.map((spelling) => [...at, ...spelling]),
  );
  const found = candidates.find((candidate) => document.hasIn(candidate)) ?? ["instances", index, ...path];
  return positioned(places, offsetOf(document, found), `${pathText(found)}: ${what}`);
}

/**
 * Reads a fleet file from disk; folders in it are meant from where it lies.
 * @throws Problem (usage) when it is not there or wrong.
 */
export async function loadFleetFile(file: string, path: string, options: FleetFileOptions): Promise<FleetFile> {
  let text: string | undefined;
  try {
    text = await readFileIfThere(path);
  } catch (error) {
    throw usageProblem(`cannot read the fleet file ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (text === undefined) throw usageProblem(`there is no fleet file ${file}`, "spot init writes one", ["spot init"]);
  return parseFleetFile(file, text, dirname(path), options);
}
