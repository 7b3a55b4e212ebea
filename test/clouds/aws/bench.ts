import { onTestFinished } from "vitest";
import { type HandClock, handClock } from "../../local-cloud/hand-clock.ts";
import type { MachineRoom } from "../machine-room.ts";
import { type FakeAws, fakeAws } from "./aws.ts";
import { imagesOf } from "./catalogue.ts";
import { type Keys, signedHeaders } from "./sigv4.ts";
import type { AwsDelays, AwsSwitches } from "./switches.ts";
import { type Element, itemsAt, parseXml, textAt } from "./xml.ts";

export const REGION = "us-east-1";
export const ZONE = "us-east-1a";
export const IMAGE = imagesOf(REGION)[1]?.id ?? "";
export const START = Date.UTC(2026, 10, 21, 8);

export interface Asked {
  readonly status: number;
  readonly text: string;
  /** Of the XML; undefined for what is none. */
  readonly document: Element | undefined;
  /** The code of an error, "" for a success. */
  readonly code: string;
  readonly message: string;
}

export type Parameters = Readonly<Record<string, string>>;

export interface AskOptions {
  readonly region?: string;
  readonly keys?: Keys;
  /** When the client thinks it is. */
  readonly at?: number;
  /** In the place of what a signature would need. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Of temporary credentials. */
  readonly token?: string;
}

/** The fake as a bare client sees it, without our adapter between. */
export interface AwsBench {
  readonly clock: HandClock;
  readonly cloud: FakeAws;
  readonly keys: Keys;
  ask(action: string, parameters?: Parameters, options?: AskOptions): Promise<Asked>;
  /** An order for one spot machine. */
  order(change?: Parameters): Parameters;
  /** Launches one, and lets it come to run. @returns its id */
  launch(change?: Parameters): Promise<string>;
  instance(id: string): Promise<Element | undefined>;
  stateOf(id: string): Promise<string>;
  /** What everything in a list is called, page by page. */
  pages(action: string, set: string, id: string, parameters?: Parameters): Promise<readonly (readonly string[])[]>;
  requestOf(id: string): Promise<Element | undefined>;
}

export const PERSISTENT: Parameters = {
  "InstanceMarketOptions.SpotOptions.SpotInstanceType": "persistent",
  "InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior": "stop",
};

export async function awsBench(
  switches: Partial<AwsSwitches> = {},
  delays: Partial<AwsDelays> = {},
  machines?: MachineRoom,
): Promise<AwsBench> {
  const clock = handClock(START);
  const cloud = await fakeAws({ clock, switches, delays, ...(machines === undefined ? {} : { machines }) });
  onTestFinished(() => cloud.close());
  const keys = { accessKeyId: cloud.env["AWS_ACCESS_KEY_ID"] ?? "", secretAccessKey: cloud.env["AWS_SECRET_ACCESS_KEY"] ?? "" };
  const ask: AwsBench["ask"] = async (action, parameters = {}, options = {}) => {
    const body = new URLSearchParams({ Action: action, Version: "2016-11-15", ...parameters }).toString();
    const plain = {
      host: new URL(cloud.url).host,
      "content-type": "application/x-www-form-urlencoded; charset=utf-8",
      ...(options.token === undefined ? {} : { "x-amz-security-token": options.token }),
    };
    const scope = { region: options.region ?? REGION, service: "ec2" };
    const signed = signedHeaders({ path: "/", headers: plain, body }, scope, options.keys ?? keys, options.at ?? clock.now());
    const answer = await fetch(cloud.url, { method: "POST", headers: options.headers ?? signed, body });
    const text = await answer.text();
    const document = text.startsWith("<?xml") ? parseXml(text) : undefined;
    const [code, message] = [textAt(document, "Errors", "Error", "Code"), textAt(document, "Errors", "Error", "Message")];
    return { status: answer.status, text, document, code, message };
  };
  const order = (change: Parameters = {}) => ({
    ImageId: IMAGE,
    InstanceType: "g4dn.xlarge",
    MinCount: "1",
    MaxCount: "1",
    "Placement.AvailabilityZone": ZONE,
    "InstanceMarketOptions.MarketType": "spot",
    ...change,
  });
  const instance = async (id: string) => {
    const { document } = await ask("DescribeInstances", { "InstanceId.1": id });
    return itemsAt(itemsAt(document, "reservationSet")[0], "instancesSet")[0];
  };
  return {
    clock,
    cloud,
    keys,
    ask,
    order,
    instance,
    async launch(change) {
      const made = await ask("RunInstances", order(change));
      if (made.status !== 200) throw new Error(`no launch: ${made.status} ${made.text}`);
      clock.advance(1000);
      return textAt(itemsAt(made.document, "instancesSet")[0], "instanceId");
    },
    stateOf: async (id) => textAt(await instance(id), "instanceState", "name"),
    async pages(action, set, id, parameters = {}) {
      const pages: string[][] = [];
      for (let token: string | undefined; token !== ""; ) {
        const { document } = await ask(action, { ...parameters, ...(token === undefined ? {} : { NextToken: token }) });
        pages.push(itemsAt(document, set).map((item) => textAt(item, id) || textAt(itemsAt(item, "instancesSet")[0], id)));
        token = textAt(document, "nextToken");
      }
      return pages;
    },
    async requestOf(id) {
      const { document } = await ask("DescribeSpotInstanceRequests", { "Filter.1.Name": "instance-id", "Filter.1.Value.1": id });
      return itemsAt(document, "spotInstanceRequestSet")[0];
    },
  };
}
