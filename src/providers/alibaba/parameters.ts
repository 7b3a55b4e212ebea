/** A parameter of a call; undefined is not sent. A list becomes `Name.1`, `Name.2`, …, an object in it `Name.1.Key`. */
export type Parameter = string | number | boolean | undefined | readonly string[] | readonly Readonly<Record<string, string | undefined>>[];

export type Parameters = Readonly<Record<string, Parameter>>;

function entriesOf(name: string, value: Parameter): readonly (readonly [string, string])[] {
  if (value === undefined) return [];
  if (typeof value !== "object") return [[name, String(value)]];
  return value.flatMap((one, index): readonly (readonly [string, string])[] => {
    const numbered = `${name}.${index + 1}`;
    if (typeof one === "string") return [[numbered, one]];
    return Object.entries(one).flatMap(([key, text]) => (text === undefined ? [] : [[`${numbered}.${key}`, text] as const]));
  });
}

/** As ECS takes them on the wire. Three parameters want a list as JSON in one string instead: see `jsonList`. */
export function wireParameters(parameters: Parameters): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(parameters).flatMap(([name, value]) => entriesOf(name, value)));
}

/** `InstanceIds`, `DiskIds` and `SnapshotIds`: at most 100 ids. */
export function jsonList(ids: readonly string[]): string {
  return JSON.stringify(ids);
}
