import { randomBytes } from "node:crypto";
import type { FakeAnswer, FakeRequest } from "../fake-server.ts";
import type { MetadataOptions } from "./service.ts";

export interface Tokens {
  /** The answer to a PUT for a token. */
  give(request: FakeRequest): FakeAnswer;
  /** Undefined when the request may pass. */
  refusal(request: FakeRequest): FakeAnswer | undefined;
  forget(): void;
}

interface TokenWords {
  readonly lifeHeader: string;
  readonly tokenHeader: string;
  /** The vendor's page for this status. */
  page(status: number): FakeAnswer;
  /** What a request without any token, and one with a token that is not good, is refused with. */
  readonly without: number;
  readonly bad: number;
}

/** Session tokens as AWS (IMDSv2) and Alibaba (hardened mode) give them: 1 to 21,600 seconds, never through a proxy. */
export function tokens(words: TokenWords, { clock, tokens: mode = "required", tokenSecondsAtMost = 21_600 }: MetadataOptions): Tokens {
  const endsAt = new Map<string, number>();
  return {
    give(request) {
      if (mode === "none") return words.page(404);
      if (request.headers["x-forwarded-for"] !== undefined) return words.page(403);
      const life = request.headers[words.lifeHeader];
      const seconds = life !== undefined && /^\d+$/.test(life) ? Number(life) : 0;
      if (seconds < 1 || seconds > 21_600) return words.page(400);
      const token = `${randomBytes(40).toString("base64url")}==`;
      endsAt.set(token, clock.now() + Math.min(seconds, tokenSecondsAtMost) * 1000);
      return { status: 200, headers: { [words.lifeHeader]: life ?? "" }, body: token };
    },
    refusal(request) {
      const token = request.headers[words.tokenHeader];
      if (token === undefined) return mode === "required" ? words.page(words.without) : undefined;
      // A service that knows of no tokens takes no notice of them.
      if (mode === "none" || (endsAt.get(token) ?? 0) > clock.now()) return undefined;
      return words.page(words.bad);
    },
    forget: () => endsAt.clear(),
  };
}

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
};

/** An error of either service is a page for a browser, whatever was asked for. */
export function xhtmlPage(status: number): FakeAnswer {
  const title = `${status} - ${TITLES[status] ?? "Error"}`;
  return {
    status,
    headers: { "content-type": "text/html" },
    body: [
      '<?xml version="1.0" encoding="iso-8859-1"?>',
      '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"',
      '\t"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">',
      '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">',
      " <head>",
      `  <title>${title}</title>`,
      " </head>",
      " <body>",
      `  <h1>${title}</h1>`,
      " </body>",
      "</html>",
      "",
    ].join("\n"),
  };
}

export function plain(body: string): FakeAnswer {
  return { status: 200, headers: { "content-type": "text/plain" }, body };
}
