import { createHash } from "node:crypto";
import { usageProblem } from "../../model/problem.ts";
import { safeLine } from "../../platform/terminal.ts";
import { WEBHOOK_FORMATS, type WebhookFormat } from "./webhook-message.ts";

/** Where events are posted to. */
export interface WebhookTarget {
  readonly origin: string;
  /** With its query: it may hold a secret, and is never shown. */
  readonly path: string;
  /** All of the address that is ever shown. */
  readonly host: string;
  readonly format: WebhookFormat;
  /** Under which the state keeps how far it has come; tells nothing of the address. */
  readonly cursor: string;
}

/**
 * Reads `https://…`, `http://…` or `slack+https://…`.
 * @throws Problem (usage), without the address, which may hold a secret.
 */
export function webhookTarget(text: string, format: string | undefined): WebhookTarget {
  const wanted = WEBHOOK_FORMATS.find((known) => known === (format ?? "json"));
  if (wanted === undefined)
    throw usageProblem(`--webhook-format: ${JSON.stringify(format)} is no format`, `known are ${WEBHOOK_FORMATS.join(" and ")}`);
  const isSlack = text.startsWith("slack+");
  const url = URL.canParse(isSlack ? text.slice("slack+".length) : text)
    ? new URL(isSlack ? text.slice("slack+".length) : text)
    : undefined;
  if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:"))
    throw usageProblem(
      "--webhook wants an address that begins with https://, http:// or slack+https://",
      "it is not repeated here: it may hold a secret",
    );
  if (url.username !== "" || url.password !== "")
    throw usageProblem(
      `--webhook: the address at ${safeLine(url.host)} holds a name or a password`,
      "a receiver knows us by the signature: set SPOT_WEBHOOK_SECRET",
    );
  const digest = createHash("sha256").update(url.href).digest("hex").slice(0, 32);
  return {
    origin: url.origin,
    path: `${url.pathname}${url.search}`,
    host: url.host,
    format: isSlack ? "slack" : wanted,
    cursor: `webhook:${digest}`,
  };
}
