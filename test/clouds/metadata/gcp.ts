import { createHash } from "node:crypto";
import type { FakeAnswer, FakeRequest } from "../fake-server.ts";
import type { MetadataOptions, MetadataRows } from "./service.ts";

const ROOT = "/computeMetadata/v1/";

function page(status: number, title: string, text: string): FakeAnswer {
  return {
    status,
    headers: { "content-type": "text/html; charset=UTF-8", server: "Metadata Server for VM", "metadata-flavor": "Google" },
    body: `<!DOCTYPE html>\n<html lang=en>\n  <title>Error ${status} (${title})!!1</title>\n  <p><b>${status}.</b> <ins>That’s an error.</ins>\n  <p>${text}\n</html>\n`,
  };
}

/**
 * The metadata server of Compute Engine. Written from its documentation ("About VM metadata", "Query VM metadata"): no request
 * is answered without `Metadata-Flavor: Google`, and a read with `wait_for_change` hangs until the value has another ETag than
 * `last_etag` (or than at the beginning), or until `timeout_sec` is over; then it returns the value as it is.
 */
export function gcpMetadata({ clock, instanceId = "4520031799277581759" }: MetadataOptions): MetadataRows {
  const values: Record<string, string> = {
    "instance/id": instanceId,
    "instance/preempted": "FALSE",
    "instance/maintenance-event": "NONE",
    "instance/scheduling/preemptible": "TRUE",
    "instance/scheduling/on-host-maintenance": "TERMINATE",
  };
  const waiting: (() => void)[] = [];
  const etagOf = (path: string) => createHash("sha256").update(`${path}=${values[path]}`).digest("hex").slice(0, 16);
  const set = (path: string, value: string) => {
    values[path] = value;
    for (const wake of waiting.splice(0)) wake();
  };

  const changed = async (path: string, last: string, seconds: number | null, closed: AbortSignal): Promise<void> => {
    const over = new AbortController();
    const stop = () => over.abort();
    closed.addEventListener("abort", stop);
    const limit = seconds === null ? undefined : clock.sleep(seconds * 1000, over.signal).then(stop, () => undefined);
    while (etagOf(path) === last && !over.signal.aborted && !closed.aborted) {
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
        over.signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
    over.abort();
    closed.removeEventListener("abort", stop);
    await limit;
  };

  const answer = async (request: FakeRequest, closed: AbortSignal): Promise<FakeAnswer> => {
    if (request.headers["x-forwarded-for"] !== undefined || request.headers["metadata-flavor"] !== "Google")
      return page(403, "Forbidden", "Your client does not have permission to get URL from this server.");
    const path = request.path.startsWith(ROOT) ? request.path.slice(ROOT.length) : "";
    if (request.method !== "GET" || !Object.hasOwn(values, path))
      return page(404, "Not Found", "The requested URL was not found on this server.");
    if (request.query.get("wait_for_change")?.toLowerCase() === "true") {
      const seconds = request.query.get("timeout_sec");
      await changed(path, request.query.get("last_etag") ?? etagOf(path), seconds === null ? null : Number(seconds), closed);
    }
    return {
      status: 200,
      headers: { "content-type": "application/text", "metadata-flavor": "Google", server: "Metadata Server for VM", etag: etagOf(path) },
      body: values[path] ?? "",
    };
  };

  return {
    answer,
    giveNotice: () => set("instance/preempted", "TRUE"),
    giveMaintenance: () => set("instance/maintenance-event", "TERMINATE_ON_HOST_MAINTENANCE"),
    giveRebalance() {
      throw new Error("not of this cloud");
    },
    withdraw() {
      set("instance/preempted", "FALSE");
      set("instance/maintenance-event", "NONE");
    },
    forgetTokens: () => undefined,
  };
}
