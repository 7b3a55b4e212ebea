import type { Clock } from "../../../src/platform/clock.ts";
import type { FakeAnswer, FakeRequest, FakeServer } from "../fake-server.ts";

export type MetadataKind = "aws" | "gcp" | "alibaba";

/** One request as the service answered it. `at`: epoch milliseconds of the clock. */
export interface MetadataRequest {
  readonly at: number;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** Null while it is not answered: a hanging read. */
  readonly status: number | null;
}

export interface MetadataOptions {
  readonly clock: Clock;
  /**
   * aws, alibaba: `required` refuses what carries no token (IMDSv2 only; Alibaba's hardened mode). `optional`: both ways work.
   * `none`: there is no way to get one. Default: `required`.
   */
  readonly tokens?: "required" | "optional" | "none";
  /** aws, alibaba: no token lives longer than this, in seconds, whatever was asked for. */
  readonly tokenSecondsAtMost?: number;
  /** aws: what the notice says will be done. Default: `terminate`. */
  readonly action?: "terminate" | "stop" | "hibernate";
  readonly instanceId?: string;
}

/** What a machine's metadata service shows of its cloud. Times are epoch milliseconds. */
export interface MetadataService {
  /** `http://127.0.0.1:PORT`: what stands for http://169.254.169.254 and its like. */
  readonly url: string;
  readonly requests: readonly MetadataRequest[];
  readonly server: FakeServer;
  /**
   * From now on the machine can hear it. `deadline` is told by aws and alibaba, in whole seconds; gcp only says that it will
   * happen: call it as long before as the cloud does.
   */
  giveNotice(deadline: number): void;
  /** aws: an "elevated risk", given now. */
  giveRebalance(): void;
  /** gcp: maintenance of the host that ends the machine. */
  giveMaintenance(): void;
  /** Takes back all of these. */
  withdraw(): void;
  /** aws, alibaba: none of the tokens that were given is good any more. */
  forgetTokens(): void;
  /** Also ends hanging reads. */
  close(): Promise<void>;
}

/** The part of the service that differs from cloud to cloud. */
export interface MetadataRows extends Omit<MetadataService, "url" | "requests" | "server" | "close"> {
  answer(request: FakeRequest, closed: AbortSignal): FakeAnswer | Promise<FakeAnswer>;
}

/** `2017-09-18T08:22:00Z`: to the second, as both clouds that tell a time write it. */
export function toTheSecond(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 19)}Z`;
}
