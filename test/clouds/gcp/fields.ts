import { badRequest } from "./refusal.ts";

/** A partial response: which fields; null for all that is below. */
type Mask = Map<string, Mask | null>;

/**
 * The standard parameter `fields`: names, `a/b`, `a(b,c)`, and `*` for any name.
 * @throws Refusal for what is none
 */
function maskOf(text: string): Mask {
  let at = 0;
  const bad = () => badRequest(`Invalid field selection ${text}`);
  const list = (): Mask => {
    const mask: Mask = new Map();
    for (;;) {
      const name = /^[A-Za-z][\w]*|^\*/.exec(text.slice(at))?.[0];
      if (name === undefined) throw bad();
      at += name.length;
      mask.set(name, below());
      if (text[at] !== ",") return mask;
      at += 1;
    }
  };
  const below = (): Mask | null => {
    if (text[at] === "/") {
      at += 1;
      const name = /^[A-Za-z][\w]*|^\*/.exec(text.slice(at))?.[0];
      if (name === undefined) throw bad();
      at += name.length;
      return new Map([[name, below()]]);
    }
    if (text[at] !== "(") return null;
    at += 1;
    const inner = list();
    if (text[at] !== ")") throw bad();
    at += 1;
    return inner;
  };
  const mask = list();
  if (at !== text.length) throw bad();
  return mask;
}

function masked(value: unknown, mask: Mask): unknown {
  if (Array.isArray(value)) return value.map((one) => masked(one, mask));
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).flatMap(([name, one]) => {
    const inner = mask.has(name) ? mask.get(name) : mask.get("*");
    if (inner === undefined) return [];
    return [[name, inner === null ? one : masked(one, inner)] as const];
  });
  return Object.fromEntries(kept);
}

/** An answer cut down to what `fields` names. */
export function partial(body: unknown, fields: string | null): unknown {
  return fields === null || fields === "" || fields === "*" ? body : masked(body, maskOf(fields));
}
