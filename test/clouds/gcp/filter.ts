import { invalid } from "./refusal.ts";

type Row = Readonly<Record<string, unknown>>;
type Test = (row: Row) => boolean;

const bad = (text: string): Error => invalid(`Invalid value for field 'filter': '${text}'. Invalid list filter expression.`);

function valuesAt(row: unknown, path: readonly string[]): readonly unknown[] {
  const [first, ...rest] = path;
  if (first === undefined) return row === undefined || row === null ? [] : [row];
  if (Array.isArray(row)) return row.flatMap((one) => valuesAt(one, path));
  if (typeof row !== "object" || row === null) return [];
  return valuesAt((row as Row)[first], rest);
}

/** Words, quoted literals, operators and parentheses. */
function tokens(text: string): readonly string[] {
  const found: string[] = [];
  let rest = text.trim();
  while (rest !== "") {
    const match = /^(?:[()]|!=|<=|>=|[=<>:]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s()=<>:!"']+)/.exec(rest);
    if (match === null) throw bad(text);
    found.push(match[0]);
    rest = rest.slice(match[0].length).trimStart();
  }
  return found;
}

const OPERATORS = new Set(["=", "!=", "<", ">", "<=", ">=", ":"]);

function plain(token: string): string {
  return /^["']/.test(token) ? token.slice(1, -1).replace(/\\(.)/g, "$1") : token;
}

function compare(values: readonly unknown[], operator: string, wanted: string): boolean {
  if (operator === ":" && wanted === "*") return values.length > 0;
  const texts = values.map(String);
  const pattern = new RegExp(
    `^${wanted
      .split("*")
      .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"))
      .join(".*")}$`,
  );
  switch (operator) {
    case "=":
      return texts.some((text) => pattern.test(text));
    case "!=":
      return !texts.some((text) => pattern.test(text));
    case ":":
      return texts.some((text) => text.includes(wanted));
    default: {
      const number = Number(wanted);
      const order = (text: string) => (Number.isNaN(number) ? (text < wanted ? -1 : text > wanted ? 1 : 0) : Number(text) - number);
      const isRight = { "<": (n: number) => n < 0, ">": (n: number) => n > 0, "<=": (n: number) => n <= 0, ">=": (n: number) => n >= 0 }[
        operator
      ];
      return texts.some((text) => isRight?.(order(text)) === true);
    }
  }
}

/** AIP-160: comparisons, AND, OR, NOT, parentheses; expressions side by side are joined by AND, which binds less than OR. */
function aip(text: string): Test {
  const all = tokens(text);
  let at = 0;
  const one = (): Test => {
    const token = all[at++];
    if (token === undefined) throw bad(text);
    if (token === "NOT" || token === "-") {
      const inner = one();
      return (row) => !inner(row);
    }
    if (token === "(") {
      const inner = and();
      if (all[at++] !== ")") throw bad(text);
      return inner;
    }
    const operator = all[at++];
    const wanted = all[at++];
    if (operator === undefined || !OPERATORS.has(operator) || wanted === undefined || OPERATORS.has(wanted) || !/^[a-zA-Z]/.test(token))
      throw bad(text);
    const path = plain(token).split(".");
    return (row) => compare(valuesAt(row, path), operator, plain(wanted));
  };
  const or = (): Test => {
    const tests = [one()];
    while (all[at] === "OR") {
      at += 1;
      tests.push(one());
    }
    return (row) => tests.some((test) => test(row));
  };
  const and = (): Test => {
    const tests = [or()];
    while (at < all.length && all[at] !== ")") {
      if (all[at] === "AND") at += 1;
      tests.push(or());
    }
    return (row) => tests.every((test) => test(row));
  };
  const whole = and();
  if (at !== all.length) throw bad(text);
  return whole;
}

const REGEXP_ONE = /^\(?\s*([a-zA-Z][\w.-]*)\s+(eq|ne)\s+("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^()]+?)\s*\)?$/;

/** The older form: a field, `eq` or `ne`, and a regular expression that must match the whole field. */
function regexp(text: string): Test {
  const parts = /^\s*\(/.test(text) ? text.match(/\([^()]*(?:\([^()]*\)[^()]*)*\)/g) : [text.trim()];
  const tests = (parts ?? []).map((part): Test => {
    const match = REGEXP_ONE.exec(part.trim());
    if (match === null) throw bad(text);
    const [, field = "", operator, literal = ""] = match;
    const quoted = /^["']/.test(literal) ? literal.slice(1, -1) : literal;
    let pattern: RegExp;
    try {
      pattern = new RegExp(`^(?:${quoted})$`);
    } catch {
      throw bad(text);
    }
    return (row) => valuesAt(row, field.split(".")).some((value) => pattern.test(String(value))) === (operator === "eq");
  });
  if (tests.length === 0) throw bad(text);
  return (row) => tests.every((test) => test(row));
}

/**
 * The two forms of a list's filter, which cannot be mixed.
 * @throws Refusal for anything else
 */
export function filterOf(text: string | null): Test {
  if (text === null || text.trim() === "") return () => true;
  const unquoted = text.replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g, "''");
  const isOld = /\s(?:eq|ne)\s/.test(unquoted);
  if (isOld && /[=<>:]/.test(unquoted)) throw bad(text);
  return isOld ? regexp(text) : aip(text);
}
