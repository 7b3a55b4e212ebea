import { dirname } from "node:path";
import * as v from "valibot";
import { EXIT } from "../../model/exit-codes.ts";
import { INSTANCE_STATES } from "../../model/instance.ts";
import { type Money, moneyFromDecimal, moneyToDecimal } from "../../model/money.ts";
import { Problem, usageProblem } from "../../model/problem.ts";
import { hasErrorCode, isFile, isFolder, readFileIfThere, writeFileAtomic } from "../../platform/files.ts";
import { safeJson, safeLine } from "../../platform/terminal.ts";
import { type Orphan, WHYS } from "./orphans.ts";

/** What is to be ended, as it was when somebody looked. */
export interface ReapPlan {
  /** Epoch milliseconds. */
  readonly madeAt: number;
  readonly rows: readonly Orphan[];
}

const SCHEMA = "spot.reap-plan/1";
/** What lies around changes: an older plan is asked about before it is done. */
const OLDEST_MS = 24 * 3_600_000;
/** Another computer's clock may be ahead by so much. */
const AHEAD_MS = 300_000;
const MOST_BYTES = 64 * 1024 * 1024;

const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
/** A rate, and of what: only a machine's is one of an instance. */
const rateJson = (price: Money | null, kind: Orphan["kind"]) =>
  price === null
    ? null
    : {
        amount: moneyToDecimal(price),
        currency: price.currency,
        per: "hour" as const,
        ...(kind === "machine" ? { of: "instance" as const } : {}),
      };

/** One row as `spot.orphans/1` promises it. Names are a cloud's words: what could steer a terminal is taken out. */
export function orphanJson(orphan: Orphan) {
  return {
    provider: orphan.provider,
    kind: orphan.kind,
    class: orphan.class,
    providerId: orphan.providerId,
    name: safeLine(orphan.name),
    region: orphan.region,
    zone: orphan.zone,
    state: orphan.state,
    rawState: safeLine(orphan.rawState),
    token: orphan.token,
    createdAt: iso(orphan.createdAt),
    price: rateJson(orphan.price, orphan.kind),
    sizeGb: orphan.sizeGb,
    why: orphan.why,
    instance: orphan.instance,
    attachedTo: orphan.attachedTo,
  };
}

const time = v.pipe(
  v.string(),
  v.isoTimestamp(),
  v.transform(Date.parse),
  // ISO 8601 knows an offset of hours alone, `Date.parse` does not; and nothing is older or younger than NaN.
  v.finite("it is no moment in time that is known here"),
);
const word = v.pipe(v.string(), v.maxLength(4096));
const money = v.pipe(
  v.object({ amount: v.pipe(v.string(), v.regex(/^-?\d{1,12}(\.\d{1,12})?$/)), currency: v.pipe(v.string(), v.regex(/^[A-Z]{3}$/)) }),
  v.transform(({ amount, currency }) => moneyFromDecimal(amount, currency)),
);
const KINDS = [
  "machine",
  "volume",
  "snapshot",
  "spot-request",
  "root-disk",
  "trashed-volume",
  "startup-script",
  "key-pair",
  "security-group",
  "firewall-rule",
] as const satisfies readonly Orphan["kind"][];

const rowSchema = v.pipe(
  v.object({
    provider: v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{0,31}$/)),
    kind: v.picklist(KINDS),
    class: v.picklist(["bills", "respawns", "harmless"]),
    providerId: v.pipe(word, v.minLength(1)),
    name: word,
    region: word,
    zone: word,
    state: v.nullable(v.picklist(INSTANCE_STATES)),
    rawState: word,
    token: v.nullable(word),
    createdAt: v.nullable(time),
    price: v.nullable(money),
    sizeGb: v.nullable(v.pipe(v.number(), v.finite(), v.minValue(0))),
    why: v.picklist(WHYS),
    instance: v.nullable(word),
    attachedTo: v.nullable(word),
  }),
  v.transform((row): Orphan => ({ ...row, shared: row.token === null })),
);
const planSchema = v.object({ schema: v.literal(SCHEMA), madeAt: time, rows: v.array(rowSchema) });

/** Before any cloud is asked: whether a plan could be kept there. @throws Problem (usage) when there is no such place. */
export async function requirePlanPlace(path: string): Promise<void> {
  const again = ["spot orphans --save plan.json"];
  if (await isFolder(path)) throw usageProblem(`--save: ${path} is a folder`, "name the file that is to be written", again);
  if (!(await isFolder(dirname(path)))) throw usageProblem(`--save: there is no folder ${dirname(path)}`, undefined, again);
}

/**
 * Writes the plan for its owner alone. What is still being made is left out: nobody may end that.
 * @returns how many rows it has.
 * @throws Problem when the file cannot be written.
 */
export async function writePlan(path: string, { madeAt, rows }: ReapPlan): Promise<number> {
  const kept = rows.filter(({ why }) => why !== "in-flight");
  try {
    await writeFileAtomic(path, `${safeJson({ schema: SCHEMA, madeAt: iso(madeAt), rows: kept.map(orphanJson) }, 2)}\n`);
  } catch (error) {
    throw new Problem({
      code: "SPOT_E_SYSTEM",
      message: `the plan was not written to ${path}: ${unwrittenWhy(error)}`,
      exit: EXIT.failed,
      hint: "nothing was ended; a file of that name is as it was",
      next: ["spot orphans"],
      cause: error,
    });
  }
  return kept.length;
}

function unwrittenWhy(error: unknown): string {
  if (hasErrorCode(error, "ENOSPC", "EDQUOT")) return "the disk is full";
  if (hasErrorCode(error, "EACCES", "EPERM")) return "its folder may not be written to";
  if (hasErrorCode(error, "EROFS")) return "the file system is read-only";
  return error instanceof Error ? error.message : String(error);
}

/** @throws Problem (usage) when there is none, it is none, or it is another version's or too old. */
export async function readPlan(path: string, { now, anyAge }: { readonly now: number; readonly anyAge: boolean }): Promise<ReapPlan> {
  const again = ["spot orphans --save plan.json"];
  if (await isFolder(path)) throw usageProblem(`${path} is a folder, and no plan`, undefined, again);
  // A pipe that nobody writes into would keep us for ever, whatever signal came.
  const text = (await isFile(path)) ? await readFileIfThere(path) : undefined;
  if (text === undefined) throw usageProblem(`there is no file ${path}`, undefined, again);
  if (text.length > MOST_BYTES) throw usageProblem(`${path} is too long for a plan`, undefined, again);
  const plan = parsedPlan(path, text);
  const age = now - plan.madeAt;
  if (age < -AHEAD_MS)
    throw usageProblem(`the plan ${path} was made in the future (${iso(plan.madeAt)})`, "look at this computer's clock", again);
  if (age > OLDEST_MS && !anyAge)
    throw usageProblem(
      `the plan ${path} is older than a day (${iso(plan.madeAt)})`,
      "look again; or --yes-old, since each row is looked at once more before it is ended",
      again,
    );
  return plan;
}

function parsedPlan(path: string, text: string): ReapPlan {
  const again = ["spot orphans --save plan.json"];
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw usageProblem(`${path} is no plan: it is not JSON`, undefined, again);
  }
  const schema = typeof value === "object" && value !== null && "schema" in value ? value.schema : undefined;
  if (schema !== SCHEMA)
    throw usageProblem(
      typeof schema === "string" && schema.startsWith("spot.reap-plan/")
        ? `${path} is a plan of another version of spot (${JSON.stringify(schema)}, and this one reads ${SCHEMA})`
        : `${path} is no plan: its schema is not ${SCHEMA}`,
      undefined,
      again,
    );
  const result = v.safeParse(planSchema, value);
  if (result.success) return { madeAt: result.output.madeAt, rows: result.output.rows };
  const [issue] = result.issues;
  throw usageProblem(`${path} is no plan: ${v.getDotPath(issue) ?? ""}: ${issue.message}`, undefined, again);
}

/** A row as a promise keeps it; undefined for what is none. */
export function rowFromJson(value: unknown): Orphan | undefined {
  const result = v.safeParse(rowSchema, value);
  return result.success ? result.output : undefined;
}
