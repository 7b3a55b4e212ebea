import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { signature } from "../../src/commands/watch/webhook-message.ts";
import { webhookTarget } from "../../src/commands/watch/webhook-target.ts";
import { type FakeAnswer, type FakeRequest, type FakeServer, fakeServer } from "../clouds/fake-server.ts";
import { eventually } from "../guest/machine.ts";
import { startWatch } from "./watching.ts";

const SECRET = "k3y-of-this-test";

async function receiver(handle: (request: FakeRequest) => FakeAnswer = () => ({ status: 204 })): Promise<FakeServer> {
  const server = await fakeServer({ handle });
  onTestFinished(() => server.close());
  return server;
}

const attemptOf = (request: FakeRequest | undefined) => (request?.json() as { readonly attempt?: number } | undefined)?.attempt;

const arrived = (server: FakeServer, count: number) =>
  eventually(`${count} posts`, () => (server.requests.length >= count ? server.requests : undefined));

/** As a receiver would. */
function isSigned({ headers, body }: FakeRequest, secret: string): boolean {
  const [, time = "", sum = ""] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(headers["spot-signature"] ?? "") ?? [];
  return sum === createHmac("sha256", secret).update(`${time}.${body}`).digest("hex");
}

test("an event is posted in a signed, versioned envelope; nothing secret is said", async () => {
  const server = await receiver();
  const watch = await startWatch({ env: { SPOT_WEBHOOK_SECRET: SECRET } }, "--webhook", `${server.url}/hook/s3cret?token=s3cret2`);
  const deadline = watch.world.clock.now() + 60_000;
  await watch.write(
    { type: "state", instance: "train" },
    { type: "notice", instance: "train", provider: "aws", data: { kind: "reclaim", deadline } },
  );
  const [request] = await arrived(server, 1);
  if (request === undefined) throw new Error("nothing came");
  expect(request).toMatchObject({ method: "POST", path: "/hook/s3cret" });
  expect(request.query.get("token")).toBe("s3cret2");
  expect(request.headers).toMatchObject({ "content-type": "application/json; charset=utf-8", "user-agent": "spot-fleet" });
  expect(isSigned(request, SECRET)).toBe(true);
  expect(isSigned(request, "another")).toBe(false);
  expect(request.json()).toEqual({
    schema: "spot.webhook/1",
    id: request.headers["spot-event-id"],
    sentAt: expect.stringMatching(/^\d{4}-.*Z$/),
    attempt: 1,
    event: expect.objectContaining({
      schema: "spot.event/1",
      seq: 2,
      type: "notice",
      instance: "train",
      deadline: new Date(deadline).toISOString(),
    }),
  });
  const { stdout, stderr } = await watch.stop();
  for (const word of [SECRET, "s3cret", "s3cret2"]) expect(stdout + stderr).not.toContain(word);
});

test("the verifier in docs/watch.md takes what is signed, and nothing else", async () => {
  const page = readFileSync(new URL("../../docs/watch.md", import.meta.url), "utf8");
  const [, code = ""] = /```js\n([\s\S]*?)```/.exec(page) ?? [];
  const { isFromSpot } = await import(`data:text/javascript,${encodeURIComponent(code)}`);
  const now = 1_800_000_000_000;
  const header = signature(SECRET, "{}", now);
  expect([isFromSpot(header, "{}", SECRET, now), isFromSpot(header, "{}", SECRET, now + 290_000)]).toEqual([true, true]);
  const wrong = [
    [header, "{ }", SECRET, now],
    [header, "{}", "another", now],
    [header, "{}", SECRET, now + 310_000],
    [undefined, "{}", SECRET, now],
  ];
  expect(wrong.map((words) => isFromSpot(...words))).toEqual([false, false, false, false]);
});

test("a receiver that hangs, fails, redirects or is not there keeps neither the watch nor another receiver waiting", async () => {
  const good = await receiver();
  const elsewhere = await receiver();
  const redirects = await receiver(() => ({ status: 307, headers: { location: `${elsewhere.url}/` } }));
  const busy = await receiver(() => (busy.requests.length === 1 ? { status: 429, headers: { "retry-after": "1" } } : { status: 200 }));
  const hangs = await receiver();
  hangs.disturb({ what: { do: "stall", ms: 60_000 }, times: 100 });
  const urls = [hangs.url, redirects.url, "http://127.0.0.1:9", busy.url, good.url].flatMap((url) => ["--webhook", `${url}/`]);
  const watch = await startWatch({}, ...urls);
  expect(watch.world.said()).toBe("");
  await watch.write({ type: "notice", instance: "train", data: { kind: "reclaim" } });
  await arrived(good, 1);
  await eventually("the event on stdout", () => watch.events().find(({ type }) => type === "notice"));
  const [first, second] = await arrived(busy, 2);
  expect([first, second].map((request) => attemptOf(request))).toEqual([1, 2]);
  expect(first?.headers["spot-event-id"]).toBe(second?.headers["spot-event-id"]);
  await eventually("a word about the redirect", () => watch.events().find(({ message }) => String(message).includes("redirects")));
  expect(elsewhere.requests).toEqual([]);
  await watch.write({ type: "notice", instance: "other" });
  await arrived(good, 2);
  expect(good.requests.every(({ headers }) => headers["spot-signature"] === undefined)).toBe(true);
  const { code } = await watch.stop();
  expect(code).toBe(130);
});

test("a watch that is started again tells what happened meanwhile; --since begins elsewhere", async () => {
  const server = await receiver();
  const first = await startWatch({}, "--webhook", server.url);
  await first.write({ type: "notice", instance: "one" });
  await arrived(server, 1);
  // What nobody has noted as told is told again.
  const { cursor } = webhookTarget(server.url, undefined);
  await eventually("that it is noted", async () => ((await first.state.cursor(cursor))?.seq === 1 ? true : undefined));
  await first.stop();
  const { home } = first.world;
  const second = await startWatch({ home, before: [{ type: "notice", instance: "meanwhile" }], plain: true }, "--webhook", server.url);
  await arrived(server, 2);
  await second.stop();
  const third = await startWatch({ home }, "--webhook", server.url, "--since", "1");
  await arrived(server, 3);
  await third.stop();
  expect(server.requests.map((request) => (request.json() as { event: { seq: number } }).event.seq)).toEqual([1, 2, 2]);
});

test("Slack gets a text that one wants to read at night, in which a name cannot do anything", async () => {
  const server = await receiver();
  const watch = await startWatch(
    { env: { SPOT_WEBHOOK_SECRET: SECRET } },
    "--webhook",
    `slack+${server.url}/services/T/B/X`,
    "--on",
    "notice,warning",
  );
  await watch.write(
    {
      type: "notice",
      instance: "<!channel>&co",
      provider: "aws",
      data: { kind: "reclaim", source: "guest", policy: "hibernate", deadline: watch.world.clock.now() + 119_500 },
    },
    { type: "warning", instance: null, provider: "gcp", data: { message: "slow <b>" } },
    { type: "notice", instance: "train", provider: "aws", data: { withdrawn: true } },
  );
  const requests = await arrived(server, 3);
  const texts = requests.map((request) => (request.json() as { text: string }).text).toSorted();
  expect(texts).toEqual([
    expect.stringMatching(
      /^:rotating_light: \*&lt;!channel&gt;&amp;co\* \(aws\) will be taken back in 1m \d+s \(\d\d:\d\d:\d\d UTC\); its agent heard it\. Then: it is put to sleep with its work\.$/,
    ),
    ":warning: *gcp*: slow &lt;b&gt;",
    ":white_check_mark: *train* (aws): the notice was withdrawn",
  ]);
  expect(requests[0]?.headers["spot-signature"]).toBeUndefined();
  await watch.stop();
});

test("the state keeps how far each address has come under a name that does not tell it", () => {
  const one = webhookTarget("https://example.test/s3cret", undefined);
  const other = webhookTarget("https://example.test/other", undefined);
  expect(one.cursor).toMatch(/^webhook:[0-9a-f]{32}$/);
  expect(one.cursor).not.toBe(other.cursor);
  expect(webhookTarget("slack+https://example.test/s3cret", undefined)).toMatchObject({ format: "slack", cursor: one.cursor });
});
