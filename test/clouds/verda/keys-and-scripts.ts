import type { FakeAnswer } from "../fake-server.ts";
import { idAnswer, invalid, notFound, objectBody, requiredText, textList } from "./answers.ts";
import { type Call, type NamedText, timeText, type VerdaState } from "./state.ts";

interface Shelf {
  /** The field that holds the text. */
  readonly field: "key" | "script";
  readonly all: (state: VerdaState) => Map<string, NamedText>;
  readonly check: (text: string) => boolean;
}

const SHELVES: Readonly<Record<string, Shelf>> = {
  "ssh-keys": { field: "key", all: ({ sshKeys }) => sshKeys, check: (text) => /^(ssh|ecdsa)-[a-z0-9-]+ [A-Za-z0-9+/=]{40,}/.test(text) },
  scripts: { field: "script", all: ({ scripts }) => scripts, check: (text) => text.startsWith("#!") },
};

function shelfOf(kind: string | undefined): Shelf {
  const shelf = SHELVES[kind ?? ""];
  if (shelf === undefined) throw notFound("Not found");
  return shelf;
}

const wire = (state: VerdaState, { field }: Shelf, { id, name, text, createdAt }: NamedText) => ({
  id,
  name,
  [field]: text,
  created_at: timeText(state, createdAt),
});

export function listTexts({ state, rest: [kind] }: Call): FakeAnswer {
  const shelf = shelfOf(kind);
  return { status: 200, body: [...shelf.all(state).values()].map((one) => wire(state, shelf, one)) };
}

/** By its id, and yet in an array. */
export function getText({ state, rest: [kind, id = ""] }: Call): FakeAnswer {
  const shelf = shelfOf(kind);
  const found = shelf.all(state).get(id);
  if (found === undefined) throw notFound("Not found");
  return { status: 200, body: [wire(state, shelf, found)] };
}

export function createText({ state, request, rest: [kind] }: Call): FakeAnswer {
  const shelf = shelfOf(kind);
  const body = objectBody(request.json());
  const text = requiredText(body, shelf.field);
  if (!shelf.check(text)) throw invalid(`${shelf.field} is not valid`);
  const made = { id: state.nextId(), name: requiredText(body, "name"), text, createdAt: state.clock.now() };
  shelf.all(state).set(made.id, made);
  return idAnswer(state, 201, made.id);
}

export function deleteText({ state, rest: [kind, id = ""] }: Call): FakeAnswer {
  if (!shelfOf(kind).all(state).delete(id)) throw notFound("Not found");
  return { status: 204 };
}

export function deleteTexts({ state, request, rest: [kind] }: Call): FakeAnswer {
  const shelf = shelfOf(kind);
  for (const id of textList(objectBody(request.json())[kind === "scripts" ? "scripts" : "keys"], "ids")) shelf.all(state).delete(id);
  return { status: 204 };
}
