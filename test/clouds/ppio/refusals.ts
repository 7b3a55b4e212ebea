import type { FakeAnswer } from "../fake-server.ts";
import type { PpioSettings } from "./settings.ts";

/** A request that this cloud says no to. */
export class Refusal extends Error {
  readonly status: number;
  readonly reason: string;
  constructor(status: number, reason: string, message = reason.toLowerCase().replaceAll("_", " ")) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

export function invalid(what: string): Refusal {
  return new Refusal(400, "VALIDATOR_PARAM", `validator param: ${what}`);
}

const CHINESE: Readonly<Record<string, string>> = {
  INSUFFICIENT_RESOURCE: "资源不足",
  RESOURCE_NOT_FOUND: "资源不存在",
  BALANCE_NOT_ENOUGH: "余额不足",
  UNAUTHORIZED: "未授权",
};

/** No document shows an error's body, so it comes in each shape that a client of this API was seen to read. */
export function refusalAnswer(refusal: Refusal, { refusals, vendor }: PpioSettings): FakeAnswer {
  const { status, reason } = refusal;
  const message = vendor === "ppio" ? (CHINESE[reason] ?? refusal.message) : refusal.message;
  switch (refusals) {
    case "full":
      return { status, body: { code: status, reason, message, metadata: {} } };
    case "message":
      return { status, body: { message } };
    case "error":
      return { status, body: { error: reason } };
    case "text":
      return { status, body: `${reason}: ${message}` };
    case "empty":
      return { status };
  }
}
