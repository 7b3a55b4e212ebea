import { randomUUID } from "node:crypto";
import type { FakeAnswer } from "../fake-server.ts";
import type { MotoAnswer } from "./moto.ts";
import { type Content, child, element, parseXml, printXml, textAt } from "./xml.ts";

const NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/";
const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';
const XML = { "content-type": "text/xml;charset=UTF-8" };

/** An error in EC2's words. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** The body of errors has `RequestID`, that of successes `requestId`. */
export function errorAnswer(status: number, code: string, message: string): FakeAnswer {
  const body = element("Response", { Errors: { Error: { Code: code, Message: message } }, RequestID: randomUUID() });
  return { status, headers: XML, body: DECLARATION + printXml(body) };
}

/** What a load balancer in front of EC2 says, and moto where it breaks. */
export function htmlAnswer(status: number): FakeAnswer {
  const body = `<html><head><title>${status}</title></head><body><h1>Http/1.1 Service Unavailable</h1></body></html>`;
  return { status, headers: { "content-type": "text/html" }, body };
}

export function answer(action: string, content: Readonly<Record<string, Content>>): FakeAnswer {
  const xml = printXml(element("X", { requestId: randomUUID(), ...content })).slice("<X>".length, -"</X>".length);
  return { status: 200, headers: XML, body: `${DECLARATION}<${action}Response xmlns="${NAMESPACE}">${xml}</${action}Response>` };
}

/** moto's words for some errors are not EC2's. */
const REAL_CODES: Readonly<Record<string, string>> = { AccessDenied: "UnauthorizedOperation" };

/** An answer of moto's as EC2 would have given it; only the wrapping of errors and some of their codes differ. */
export function fromMoto({ status, text }: MotoAnswer): FakeAnswer {
  if (status < 400) return { status, headers: XML, body: text };
  if (!text.includes("<Errors>")) return { status, headers: { "content-type": "text/html" }, body: text };
  const error = child(child(parseXml(text), "Errors"), "Error");
  const code = textAt(error, "Code");
  return errorAnswer(status, REAL_CODES[code] ?? code, textAt(error, "Message"));
}

/** @throws Refusal where moto refuses. */
export function orRefuse(given: MotoAnswer): MotoAnswer {
  if (given.status < 400) return given;
  if (!given.text.includes("<Errors>")) throw new Error(`moto broke with ${given.status}: ${given.text.slice(0, 300)}`);
  const error = child(child(parseXml(given.text), "Errors"), "Error");
  const code = textAt(error, "Code");
  throw new Refusal(given.status, REAL_CODES[code] ?? code, textAt(error, "Message"));
}
