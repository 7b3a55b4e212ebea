import { EC2Client } from "@aws-sdk/client-ec2";
import { type CloudAnswer, type CloudHttp, type CloudRequest, cloudHttp, type Effect, quoted } from "../cloud-http.ts";
import { ProviderError } from "../errors.ts";
import { type AwsWorld, bodyText, type Chain, originOf, type SdkHandler, type SdkRequest, sdkResponse } from "./chain.ts";
import { PROVIDER, refusalOf, saysWrongTime } from "./codes.ts";
import { gate } from "./gate.ts";

/** One action of one service in one region. */
export interface Ask {
  readonly service: "ec2" | "pricing" | "sqs" | "sts";
  readonly region: string;
  /** `https://ec2.us-east-1.amazonaws.com` */
  readonly origin: string;
  readonly path: string;
  readonly action: string;
  readonly effect: Effect;
  readonly content: Pick<CloudRequest, "form" | "body" | "headers">;
  readonly signal: AbortSignal;
}

/** Everything that is said to AWS goes through here: signed by us, with a fresh signature for each time that it is sent. */
export interface Wire {
  /** @throws ProviderError for everything that is no success. */
  send(ask: Ask): Promise<CloudAnswer>;
  /** Through which a client of the SDK speaks. */
  handler(service: Ask["service"], region: string): SdkHandler;
  /** How far the cloud's clock is ahead of ours, in milliseconds. */
  clockOffsetMs(): number;
}

/** Of all regions together: what a person's laptop and a region's quota both stand. */
const AT_ONCE = 8;
/** A signature is good for five minutes of difference; less than this is none. */
const SAME_CLOCK_MS = 5_000;

/** What changes nothing, or nothing that counts: a message that was received and not deleted comes back by itself. */
function effectOf(action: string): Effect {
  return /^(?:Describe|Get|List|ReceiveMessage$)/.test(action) ? "read" : "change";
}

/** EC2 answers an action with an element of its name. Anything else, and half of one, is no answer. */
function requireAnswerOf(action: string, answer: CloudAnswer): void {
  const text = answer.text.replace(/^\s*<\?xml[^>]*\?>/, "").trim();
  const root = `${action}Response`;
  const [, opened, rest = ""] = /^<([\w:.-]+)([^>]*)>/.exec(text) ?? [];
  const isWhole = rest.endsWith("/") ? text.endsWith("/>") : text.endsWith(`</${root}>`);
  if (opened === root && isWhole) return;
  throw new ProviderError(
    PROVIDER,
    { kind: "protocol" },
    `${answer.asked} was answered with something other than a whole <${root}>: ${quoted(answer.text.slice(0, 200))}`,
    `http-${answer.status}`,
  );
}

/** A name for messages: `DescribeInstances (us-east-1)`. */
const nameOf = ({ action, region }: Ask) => `${action} (${region})`;

/** The HTTP's own words name a method and a path, which here are the same for everything. */
function named(error: unknown, ask: Ask): unknown {
  if (!(error instanceof ProviderError)) return error;
  const said = error.message.replace(`POST ${ask.path}`, nameOf(ask));
  return new ProviderError(PROVIDER, error.fault, said.includes(ask.action) ? said : `${nameOf(ask)}: ${said}`, error.rawCode, error.cause);
}

/** The action and the content of a request that the SDK has written. */
function contentOf(request: SdkRequest): Pick<Ask, "action" | "content"> {
  const text = bodyText(request.body);
  const header = (name: string) => Object.entries(request.headers).find(([key]) => key.toLowerCase() === name)?.[1];
  const target = header("x-amz-target");
  if (target === undefined) {
    const form = Object.fromEntries(new URLSearchParams(text));
    return { action: form["Action"] ?? "", content: { form, headers: { accept: "text/xml" } } };
  }
  const headers = { "x-amz-target": target, "content-type": header("content-type") ?? "application/x-amz-json-1.0" };
  return { action: target.split(".").at(-1) ?? "", content: { body: JSON.parse(text === "" ? "{}" : text) as unknown, headers } };
}

export function awsWire(world: AwsWorld, chain: Chain): Wire {
  const { clock, env } = world;
  const turns = gate(AT_ONCE);
  const open = new Map<string, CloudHttp>();
  let offsetMs = 0;
  // Only its signer is used; it never sends anything.
  const signer = new EC2Client({ region: "us-east-1", credentials: chain.provider }).config.signer;
  const signed = async (ask: Pick<Ask, "service" | "region" | "origin">, request: CloudRequest) => {
    const { host, hostname, protocol, port } = new URL(ask.origin);
    const isForm = request.form !== undefined;
    const own = isForm ? { "content-type": "application/x-www-form-urlencoded" } : { ...request.headers };
    const unsigned = {
      method: request.method,
      protocol,
      hostname,
      ...(port === "" ? {} : { port: Number(port) }),
      path: request.path,
      query: {},
      headers: { host, ...own },
      body: isForm ? new URLSearchParams(request.form).toString() : JSON.stringify(request.body),
    };
    const options = { signingDate: new Date(clock.now() + offsetMs), signingRegion: ask.region, signingService: ask.service };
    const { headers } = await (await signer()).sign(unsigned, options);
    return Object.fromEntries(Object.entries(headers).filter(([name]) => /^(?:authorization|x-amz-(?!target))/i.test(name)));
  };
  const httpOf = (ask: Pick<Ask, "service" | "region" | "origin">): CloudHttp => {
    const key = `${ask.service} ${ask.region} ${ask.origin}`;
    const known =
      open.get(key) ??
      cloudHttp({
        provider: PROVIDER,
        baseUrl: ask.origin,
        clock,
        env,
        headers: (_, request) => signed(ask, request),
        secrets: () => chain.secrets(),
      });
    open.set(key, known);
    return known;
  };
  const once = async (ask: Ask): Promise<CloudAnswer> => {
    const http = httpOf(ask);
    const { path, content, effect, signal } = ask;
    try {
      const answer = await http.send({ method: "POST", path, ...content, effect, signal });
      offsetMs = http.clockOffsetMs();
      return { ...answer, asked: nameOf(ask) };
    } catch (error) {
      throw named(error, ask);
    }
  };
  const send = async (ask: Ask): Promise<CloudAnswer> => {
    // Found before anything is sent, so that a search for keys is never taken for a request that was lost.
    await chain.identity(ask.signal);
    return turns.through(ask.signal, async () => {
      const before = offsetMs;
      const first = await once(ask);
      // A signature whose time was not believed: nothing was done, and now we know the cloud's time.
      const again = first.status >= 400 && saysWrongTime(first) && Math.abs(offsetMs - before) > SAME_CLOCK_MS;
      const answer = again ? await once(ask) : first;
      if (answer.status < 200 || answer.status > 299) throw refusalOf(answer, clock.now() + offsetMs);
      return answer;
    });
  };
  return {
    send,
    handler(service, region) {
      const handle = async (request: SdkRequest, { signal }: { readonly signal: AbortSignal }) => {
        const { action, content } = contentOf(request);
        const ask = { service, region, origin: originOf(request), path: request.path, action, effect: effectOf(action), content, signal };
        const answer = await send(ask);
        if (service === "ec2") requireAnswerOf(action, answer);
        return sdkResponse(answer.status, answer.headers, answer.text);
      };
      return { handle } as unknown as SdkHandler;
    },
    clockOffsetMs: () => offsetMs,
  };
}
