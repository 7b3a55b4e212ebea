import { createHash } from "node:crypto";
import { join } from "node:path";
import * as v from "valibot";
import type { Clock } from "../platform/clock.ts";
import { ensurePrivateFolder, readFileIfThere, writeFileAtomic } from "../platform/files.ts";
import { CLOUD_ACCESS } from "./credentials.ts";

/** An answer and when it was given, in epoch milliseconds. */
export interface Kept<Value> {
  readonly value: Value;
  readonly observedAt: number;
}

export interface KeptAnswers {
  /**
   * What `ask` answers, or what it answered at most `maxAgeMs` ago, also to another process. When asking fails, an older
   * answer of at most `staleMs` stands in, with its own time; without one the failure is thrown.
   */
  recent<Schema extends v.GenericSchema>(
    name: string,
    schema: Schema,
    age: { readonly maxAgeMs: number; readonly staleMs: number },
    ask: () => Promise<v.InferInput<Schema>>,
  ): Promise<Kept<v.InferOutput<Schema>>>;
}

interface KeepersWorld {
  readonly home: string;
  readonly clock: Clock;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Something short that is another one for every address to which the provider was moved; nothing where it was not. */
function movedTo(provider: string, env: NonNullable<KeepersWorld["env"]>): string {
  const endpoint = CLOUD_ACCESS.find((access) => access.provider === provider)?.endpoint.variable;
  const own = `SPOT_${provider.toUpperCase()}_`;
  const moved = Object.entries(env)
    .filter(([name]) => (endpoint !== undefined && name.startsWith(endpoint)) || (name.startsWith(own) && name.endsWith("_URL")))
    .flatMap(([name, value]) => (value === undefined || value.trim() === "" ? [] : [`${name}=${value.trim()}`]))
    .toSorted();
  return moved.length === 0 ? "" : `-${createHash("sha256").update(moved.join("\n")).digest("hex").slice(0, 8)}`;
}

/**
 * `recent` must be JSON and hold no secret: it lies as `cache/<provider>-<name>.json` below `home`. What an endpoint that was
 * moved answered (a test server, say) is kept apart from what the cloud itself did.
 */
export function keptAnswers(provider: string, { home, clock, env = {} }: KeepersWorld): KeptAnswers {
  const folder = join(home, "cache");
  const place = `${provider}${movedTo(provider, env)}`;
  const inMemory = new Map<string, Kept<unknown>>();
  const read = async (file: string): Promise<Kept<unknown> | undefined> => {
    try {
      const kept: unknown = JSON.parse((await readFileIfThere(file)) ?? "null");
      const found = v.safeParse(v.object({ observedAt: v.number(), value: v.unknown() }), kept);
      return found.success ? found.output : undefined;
    } catch {
      // A damaged copy is no copy.
      return undefined;
    }
  };
  return {
    async recent(name, schema, { maxAgeMs, staleMs }, ask) {
      const file = join(folder, `${place}-${name.replaceAll(/[^A-Za-z0-9._-]+/g, "-")}.json`);
      const now = clock.now();
      const usable = (kept: Kept<unknown> | undefined) => {
        const known = kept === undefined || kept.observedAt > now ? undefined : v.safeParse(schema, kept.value);
        return kept !== undefined && known?.success === true
          ? { kept, answer: { value: known.output, observedAt: kept.observedAt } }
          : undefined;
      };
      const ageOf = (found: ReturnType<typeof usable>) => (found === undefined ? Number.POSITIVE_INFINITY : now - found.kept.observedAt);
      let found = usable(inMemory.get(file));
      if (ageOf(found) > maxAgeMs) {
        // Another process may have asked since.
        const written = usable(await read(file));
        if (ageOf(written) < ageOf(found)) found = written;
      }
      if (found !== undefined && ageOf(found) <= maxAgeMs) {
        inMemory.set(file, found.kept);
        return found.answer;
      }
      try {
        const value = await ask();
        const answer = { value: v.parse(schema, value), observedAt: now };
        inMemory.set(file, { value, observedAt: now });
        // A full disk must not cost the answer.
        await ensurePrivateFolder(folder)
          .then(() => writeFileAtomic(file, JSON.stringify({ observedAt: now, value })))
          .catch(() => undefined);
        return answer;
      } catch (error) {
        if (found !== undefined && ageOf(found) <= staleMs) return found.answer;
        throw error;
      }
    },
  };
}
