/** What was asked for, as it was typed: in flags or in a fleet file. Nothing in here has been checked. */
export interface SpecInput {
  readonly name?: string;
  readonly count?: string | number;
  readonly provider?: string | readonly string[];
  readonly gpu?: string;
  readonly billing?: string;
  /** A decimal, per machine and hour. */
  readonly maxPrice?: string | number;
  readonly region?: string | readonly string[];
  readonly image?: string;
  /** `name[:size][:mount]`, `none`, or the parts; null for no volume. */
  readonly volume?:
    | string
    | null
    | { readonly name?: string; readonly size?: string | number; readonly mount?: string; readonly atDown?: string };
  readonly ttl?: string | number;
  readonly idle?: string | number;
  readonly idleBy?: string;
  readonly env?: Readonly<Record<string, string | number | boolean>>;
  readonly onReclaim?: string;
  readonly onRebalance?: string;
  readonly fallbackAfter?: string | number;
  readonly returnToSpot?: boolean;
  readonly checkpoint?: { readonly hook?: string; readonly every?: string | number };
  readonly ready?: { readonly http?: string; readonly cmd?: string };
  /** One text is a shell command; a list is run as it stands. */
  readonly command?: string | readonly string[];
  readonly workdir?: string;
  /** False leaves it to the frameworks where their caches are. */
  readonly caches?: boolean;
  /** `8000`, `8000/http` or `9000/tcp`, each. */
  readonly ports?: readonly (string | number)[];
  readonly registryAuth?: string;
  readonly labels?: Readonly<Record<string, string | number | boolean>>;
}

export type InputPath = readonly (string | number)[];

/** Where the input comes from, and how an error about it is told. */
export interface InputSource {
  /** Makes the error: `path` is the place in `SpecInput`, `what` for example `"8 hours" is not a duration (…)`. */
  readonly fault: (path: InputPath, what: string) => Error;
  /** Relative folders are meant from here. */
  readonly folder: string;
  /** Asked for when the input names none. */
  readonly providers: readonly string[];
  /**
   * What the instance of that name was asked for with, where it lives: an input that names no provider means the same again,
   * whatever has been configured since.
   */
  readonly providersOf?: (name: string) => readonly string[] | undefined;
  /** When given, any other provider is refused, with the nearest one named. */
  readonly knownProviders?: readonly string[];
  /** Name of the fleet file's fleet; null for flags. */
  readonly fleet: string | null;
}

/** Two inputs as one: what `above` says wins; maps (env, labels, volume, checkpoint, ready) are joined. */
export function mergeInput(below: SpecInput, above: SpecInput): SpecInput {
  const merged: Record<string, unknown> = { ...below };
  for (const [key, value] of Object.entries(above)) {
    if (value === undefined) continue;
    const base = merged[key];
    merged[key] = isMap(base) && isMap(value) ? { ...base, ...value } : value;
  }
  return merged;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `2.5` → `2.5`, `"8 hours"` → `"8 hours"` in quotes: a value as an error shows it, not longer than a line. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
