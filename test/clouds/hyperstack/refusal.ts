/** An answer of the cloud that says no. */
export class Refusal extends Error {
  readonly status: number;
  readonly reason: string | null;
  readonly headers: Readonly<Record<string, string>>;
  constructor(status: number, reason: string | null, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.headers = headers;
  }
}

export const badRequest = (message: string): Refusal => new Refusal(400, "bad_request", message);
export const notFound = (message: string): Refusal => new Refusal(404, "not_found", message);
export const alreadyExists = (message: string): Refusal => new Refusal(409, "already_exist", message);

/** The fields of a body that the cloud reads, checked: another field is refused, and so is a missing or a wrong one. */
export function checkedBody(
  body: unknown,
  fields: Readonly<Record<string, "string" | "number" | "boolean" | "string[]" | "number[]" | "object[]">>,
  required: readonly string[],
): Readonly<Record<string, unknown>> {
  if (typeof body !== "object" || body === null || Array.isArray(body)) throw badRequest("The request body is not valid JSON.");
  const given = body as Readonly<Record<string, unknown>>;
  for (const name of required)
    if (given[name] === undefined || given[name] === "") throw badRequest(`${name}: Missing data for required field.`);
  for (const [name, value] of Object.entries(given)) {
    const kind = fields[name];
    if (kind === undefined) throw badRequest(`${name}: Unknown field.`);
    const isRight = kind.endsWith("[]")
      ? Array.isArray(value) && value.every((one) => typeof one === kind.slice(0, -2) && one !== null)
      : typeof value === kind && (kind !== "number" || Number.isInteger(value));
    if (!isRight) throw badRequest(`${name}: Not a valid ${kind}.`);
  }
  return given;
}

/** @throws Refusal for a name that is longer than the cloud keeps. */
export function checkedName(name: unknown): string {
  const text = String(name);
  if (text.length > 50) throw badRequest("name: Longer than maximum length 50.");
  return text;
}
