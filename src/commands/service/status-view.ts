import { durationText } from "../../model/duration.ts";
import { detailView } from "../../output/detail-view.ts";
import type { View } from "../../output/view.ts";
import type { Keeper, ServiceState } from "../../platform/service-plan.ts";
import type { Pulse } from "../../platform/service-pulse.ts";

/** `silent`: it is said to run, and yet it looks after nothing. */
export type ServiceHealth = "alive" | "dead" | "silent" | "absent";

export interface ServiceStatus {
  readonly keeper: Pick<Keeper, "kind" | "name" | "path" | "log"> | null;
  /** What else is installed for this home. */
  readonly also: readonly Pick<Keeper, "kind" | "path">[];
  readonly state: ServiceState;
  readonly health: ServiceHealth;
  readonly pulse: Pulse | null;
  readonly everyMs: number | null;
  readonly lingers: boolean | null;
  readonly controller: {
    readonly host: string;
    readonly pid: number | null;
    readonly since: number | null;
    readonly expiresAt: number;
  } | null;
  readonly now: number;
}

const HEALTH = {
  alive: "installed and alive",
  dead: "installed, does not run",
  silent: "installed, and makes no passes",
  absent: "not installed",
} as const;

const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString());

/** `spot.service/1` */
export function statusView(status: ServiceStatus): View {
  const { keeper, also, state, health, pulse, everyMs, lingers, controller, now } = status;
  const ago = (at: number) => `${durationText(Math.max(0, Math.round((now - at) / 1000) * 1000))} ago`;
  const passBy = pulse === null ? "" : `, by spot ${pulse.by} (process ${pulse.pid})`;
  const running = keeper === null || state.running === null ? null : state.running ? "yes" : "no";
  const next = { alive: "", dead: "spot service install", silent: keeper?.log ?? "", absent: "spot service install" }[health];
  return detailView({
    schema: "spot.service/1",
    data: {
      installed: keeper !== null,
      alive: health === "alive",
      health,
      kind: keeper?.kind ?? null,
      name: keeper?.name ?? null,
      path: keeper?.path ?? null,
      running: state.running,
      pid: state.pid,
      since: iso(state.since),
      restarts: state.restarts,
      everySeconds: everyMs === null ? null : everyMs / 1000,
      lingers,
      lastPass: pulse === null ? null : { at: iso(pulse.at), by: pulse.by, pid: pulse.pid },
      lastError: state.trouble ?? pulse?.trouble ?? null,
      controller: controller === null ? null : { ...controller, since: iso(controller.since), expiresAt: iso(controller.expiresAt) },
      log: keeper?.log ?? null,
      also,
    },
    blocks: [
      {
        rows: [
          {
            label: "service",
            value: HEALTH[health],
            paint: (text, painter) => (health === "alive" ? painter.green(text) : painter.yellow(text)),
          },
          { label: "kept by", value: keeper === null ? null : `${keeper.kind}: ${keeper.path}` },
          { label: "also", value: also.map(({ kind, path }) => `${kind}: ${path}`) },
          { label: "running", value: running === null ? null : `${running}${state.pid === null ? "" : `, process ${state.pid}`}` },
          { label: "since", value: state.since === null ? null : `${iso(state.since)} (${ago(state.since)})` },
          { label: "every", value: everyMs === null ? null : durationText(everyMs) },
          { label: "restarts", value: state.restarts === null || state.restarts === 0 ? null : String(state.restarts) },
          { label: "last pass", value: pulse === null ? "none yet" : `${ago(pulse.at)}${passBy}` },
          { label: "last error", value: state.trouble ?? pulse?.trouble ?? null },
          {
            label: "controller",
            value: controller === null ? "nobody" : `${controller.host}${controller.pid === null ? "" : `, process ${controller.pid}`}`,
          },
          { label: "after logout", value: lingers === null ? null : lingers ? "goes on" : "ends (loginctl enable-linger)" },
          { label: "log", value: keeper?.log ?? null },
          { label: "next", value: next },
        ],
      },
    ],
  });
}
