import type { FakeAnswer } from "../fake-server.ts";
import type { Tag, VerdaState } from "./state.ts";

/** A refusal, thrown where it is found and answered by the server. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;
  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

export const invalid = (message: string) => new Refusal(400, "invalid_request", message);
export const notFound = (message: string) => new Refusal(404, "not_found", message);

export function refused(state: VerdaState, { status, code, message, headers }: Refusal): FakeAnswer {
  return { status, headers, body: state.switches.errorsAsText ? `${code}: ${message}` : { code, message } };
}

/** The answer to a create: an id, in whichever form the server is in the mood for. */
export function idAnswer(state: VerdaState, status: number, id: string): FakeAnswer {
  switch (state.switches.idForm) {
    case "plain":
      return { status, body: id };
    case "quoted":
      return { status, body: `"${id}"\n` };
    case "object":
      return { status, body: { id } };
  }
}

export function objectBody(body: unknown): Readonly<Record<string, unknown>> {
  if (typeof body !== "object" || body === null || Array.isArray(body)) throw invalid("request body is not valid JSON");
  return body as Readonly<Record<string, unknown>>;
}

export function requiredText(body: Readonly<Record<string, unknown>>, field: string): string {
  const value = body[field];
  if (typeof value !== "string" || value === "") throw invalid(`${field} is required`);
  return value;
}

/** An array of strings; absent is empty, null is refused where the vendor says so. */
export function textList(value: unknown, field: string): readonly string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.some((item) => typeof item !== "string")) throw invalid(`${field} must be an array of strings`);
  return value as readonly string[];
}

const MOST_TAGS = 10;

/** Tags as they are kept: keys in lower case, each key once, at most ten. */
export function tagsOf(state: VerdaState, value: unknown): Tag[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw invalid("tags must be an array");
  if (value.length > MOST_TAGS) throw invalid(`at most ${MOST_TAGS} tags are allowed`);
  const tags: Tag[] = [];
  for (const item of value) {
    const { key, value: text = "" } = objectBody(item);
    if (typeof key !== "string" || key.length < 1 || key.length > 63) throw invalid("a tag's key has 1 to 63 characters");
    if (typeof text !== "string" || text.length > 127) throw invalid("a tag's value has at most 127 characters");
    if (tags.some((tag) => tag.key === key.toLowerCase())) throw new Refusal(409, "conflict", "a tag with this key already exists");
    tags.push({ id: state.nextId(), key: key.toLowerCase(), value: text });
  }
  return tags;
}
