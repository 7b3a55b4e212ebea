import * as v from "valibot";
import type { Reach } from "../providers/provider.ts";
import { notUnderstood } from "./protocol.ts";
import { requireSuccess, runAgentVerb, type VerbOptions } from "./run-verb.ts";

const frozenSchema = v.object({ frozen: v.boolean(), synced: v.literal(true) });
const thawedSchema = v.object({ thawed: v.literal(true), held: v.boolean() });

function said<Schema extends v.GenericSchema>(verb: string, schema: Schema, stdout: string): v.InferOutput<Schema> {
  try {
    return v.parse(schema, JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? ""));
  } catch {
    throw notUnderstood(verb, stdout);
  }
}

/** What `freeze` has come to: everything is on the disk; `frozen`: and nothing is written to it until it is let go. */
export type Frozen = v.InferOutput<typeof frozenSchema>;

/**
 * Writes to the machine's volume what is still in its memory, and holds its file system still where that can be done. It lets
 * go by itself after `seconds` (1 to 60), and at once when a notice comes or a checkpoint is sealed.
 * @throws Problem when the machine cannot be reached, has no volume there, or holds it still for somebody else.
 */
export async function guestFreeze(reach: Reach, seconds: number, options: VerbOptions): Promise<Frozen> {
  return said("freeze", frozenSchema, requireSuccess("freeze", await runAgentVerb(reach, ["freeze", String(seconds)], options)));
}

/** Lets go of it. @returns whether it stood still until now. @throws Problem when the machine cannot be reached. */
export async function guestThaw(reach: Reach, options: VerbOptions): Promise<boolean> {
  return said("thaw", thawedSchema, requireSuccess("thaw", await runAgentVerb(reach, ["thaw"], options))).held;
}
