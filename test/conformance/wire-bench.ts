import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { expect } from "vitest";
import { problemOf } from "../../src/fleet/faults.ts";
import { stripControl } from "../../src/platform/terminal.ts";
import { ProviderError } from "../../src/providers/errors.ts";
import type { ProviderInstance } from "../../src/providers/provider.ts";
import type { Disturbance, FakeRequest } from "../clouds/fake-server.ts";
import { type Bench, eventually } from "./bench.ts";
import type { WireControls } from "./suite.ts";

/** A provider whose wire can be disturbed. */
export interface Wired extends Bench {
  readonly wire: WireControls;
}

/** What a gateway says in a cloud's place: nothing that an adapter's own table could know. */
export const GATEWAY_PAGE = "<html><head><title>Bad Gateway</title></head><body><h1>nginx</h1></body></html>";

/** An answer in a cloud's place. */
export function answer(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Disturbance {
  return { do: "answer", answer: { status, body, headers } };
}

export function page(status: number, headers: Readonly<Record<string, string>> = {}): Disturbance {
  return answer(status, GATEWAY_PAGE, { "content-type": "text/html", ...headers });
}

const LONGEST_MESSAGE = 1500;

function causes(error: unknown): readonly unknown[] {
  const chain: unknown[] = [];
  for (let next = error; next !== undefined && next !== null && chain.length < 10; next = next instanceof Error ? next.cause : undefined)
    chain.push(next);
  return chain;
}

/** Everything that anybody could write down of an error, in one text. */
function everythingSaid(error: unknown): string {
  const each = causes(error).map((one) => [
    String(one),
    one instanceof Error ? one.stack : "",
    JSON.stringify(one),
    inspect(one, { depth: 8, showHidden: true }),
  ]);
  return [...each.flat(), inspect(problemOf(error), { depth: 8, showHidden: true })].join("\n");
}

/** Whether a text gives the credential away, in any of the forms in which it travels. */
export function shows(text: string, credential: string): boolean {
  if (credential === "") return false;
  const forms = [credential, encodeURIComponent(credential), Buffer.from(credential).toString("base64").replace(/=+$/, "")];
  return forms.some((form) => text.includes(form));
}

/** The fault that a call ends with. What it says must be short, harmless and without the credential. */
export async function faultOf({ provider, wire }: Wired, call: Promise<unknown>, what: string): Promise<ProviderError> {
  const error = await call.then(
    (value) => {
      throw new Error(`${what} ended well: ${inspect(value, { depth: 2 }).slice(0, 300)}`);
    },
    (failure: unknown) => failure,
  );
  if (!(error instanceof ProviderError)) throw error;
  expect(error.provider, what).toBe(provider.id);
  expect(error.message.length, `the length of what ${what} says`).toBeLessThan(LONGEST_MESSAGE);
  expect(stripControl(error.message), what).toBe(error.message);
  expect(shows(everythingSaid(error), wire.credential), `${what} shows the credential`).toBe(false);
  return error;
}

/** Strikes every request of a kind until it is over, and then lets everything pass again. */
export async function struck<Value>(
  { wire }: Wired,
  what: Disturbance,
  match: (request: FakeRequest) => boolean,
  work: () => Promise<Value>,
): Promise<Value> {
  wire.server.disturb({ what, match, times: Number.POSITIVE_INFINITY });
  try {
    return await work();
  } finally {
    wire.server.calm();
  }
}

export const everything = (): boolean => true;
export const readsOf =
  ({ wire }: Wired) =>
  (request: FakeRequest): boolean =>
    !wire.isChange(request);
export const changesOf =
  ({ wire }: Wired) =>
  (request: FakeRequest): boolean =>
    wire.isChange(request);

/** Every way to ask. `get` asks for a machine that there is. */
export function reads({ provider, context }: Wired, providerId: string): readonly (readonly [string, () => Promise<unknown>])[] {
  const { volumes } = provider;
  return [
    ["offers", () => provider.offers({}, context)],
    ["list", () => provider.list(context)],
    ["get", () => provider.get(providerId, context)],
    ...(volumes === undefined ? [] : [["volumes.list", () => volumes.list(context)] as const]),
  ];
}

/** The kinds of change: each makes what it needs, and gives the call that is to be struck and which of its requests counts. */
export interface Change {
  readonly name: "launch" | "destroy" | "volume create";
  readonly send: () => Promise<unknown>;
  readonly isIt: (request: FakeRequest) => boolean;
}

export interface DryLaunch {
  /** Of the machine that it made. */
  readonly token: string;
  readonly isIt: (request: FakeRequest) => boolean;
}

/** Learns from a launch that goes well which of a launch's requests is the launch itself; what it prepares is then there. */
export async function launchRequest({ provider, wire, context, spec }: Wired): Promise<DryLaunch> {
  const before = wire.server.requests.length;
  const token = fresh();
  await provider.launch(spec(token), context);
  const made = wire.server.requests.slice(before).filter((request) => wire.isChange(request));
  const launch = made.findLast(({ body, path, query }) => `${path}?${query} ${body}`.includes(token)) ?? made.at(-1);
  if (launch === undefined) throw new Error("a launch changed nothing");
  return { token, isIt: (request) => wire.isChange(request) && request.method === launch.method && request.path === launch.path };
}

export function volumeSpec({ offer }: Bench, token: string) {
  return { name: `disk-${token}`, token, sizeGb: 10, region: offer.region, zone: offer.zone };
}

/** A token that nothing else has. */
export function fresh(): string {
  return `t-${randomBytes(5).toString("hex")}`;
}

export async function changes(wired: Wired): Promise<readonly Change[]> {
  const { provider, context, spec, reach } = wired;
  const { isIt } = await launchRequest(wired);
  const { providerId } = await provider.launch(spec(fresh()), context);
  await reach(providerId, "running");
  const { volumes } = provider;
  return [
    { name: "launch", send: () => provider.launch(spec(fresh()), context), isIt },
    { name: "destroy", send: () => provider.destroy(providerId, context), isIt: changesOf(wired) },
    ...(volumes === undefined
      ? []
      : [{ name: "volume create" as const, send: () => volumes.create(volumeSpec(wired, fresh()), context), isIt: changesOf(wired) }]),
  ];
}

/** Everything that is alive, by its token. */
export async function alive({ provider, context }: Wired): Promise<readonly ProviderInstance[]> {
  return (await provider.list(context)).filter(({ state }) => state !== "gone");
}

/** How many of a token are there, once there is one. */
export function foundBy(wired: Wired, token: string): Promise<number> {
  return eventually(async () => {
    const found = (await alive(wired)).filter((one) => one.token === token);
    return found.length === 0 ? undefined : found.length;
  }, `${token} in the list`);
}
