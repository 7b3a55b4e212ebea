import { durationText } from "../../model/duration.ts";
import { detailView } from "../../output/detail-view.ts";
import type { View } from "../../output/view.ts";
import type { LocalControl } from "../../providers/local-control.ts";

const LIVING = ["pending", "running", "reclaiming", "restoring", "hibernating"];

/** `spot.local/1`: whether the embedded cloud runs, and what runs in it. */
export async function runningView(control: LocalControl, now: number, signal: AbortSignal): Promise<View> {
  const health = await control.health(signal);
  const instances = (await control.instances(signal)).filter(({ state }) => state !== "terminated");
  const counts: Record<string, number> = {};
  for (const { state } of instances) counts[state] = (counts[state] ?? 0) + 1;
  const { simulated } = health;
  const words = Object.entries(counts).map(([state, count]) => `${count} ${state}`);
  return detailView({
    schema: "spot.local/1",
    data: { running: true, ...health, instances: counts },
    blocks: [
      {
        rows: [
          { label: "local cloud", value: "serving", paint: (text, painter) => painter.green(text) },
          { label: "process", value: String(health.pid) },
          { label: "for", value: durationText(now - Date.parse(health.startedAt)) },
          { label: "instances", value: words.length === 0 ? "none" : words.join(", ") },
          { label: "behaves like", value: health.profile },
          { label: "provisioning", value: durationText(simulated.provisioningMs) },
          { label: "reclaims", value: simulated.hazardPerHour === 0 ? "only on request" : `${simulated.hazardPerHour} per instance-hour` },
          { label: "metadata", value: `127.0.0.1:${health.metadataPort}` },
        ],
      },
    ],
  });
}

/** The same when nothing serves. */
export function stoppedView(): View {
  return detailView({
    schema: "spot.local/1",
    data: { running: false },
    blocks: [{ rows: [{ label: "local cloud", value: "not running; the first command that needs it starts it" }] }],
  });
}

/** True when this instance is held for somebody now. */
export function isLiving({ state }: { readonly state: string }): boolean {
  return LIVING.includes(state);
}
