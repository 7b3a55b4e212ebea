import type { View } from "../../output/view.ts";
import type { Keeper } from "../../platform/service-plan.ts";
import { stripControl } from "../../platform/terminal.ts";
import type { Unreachable } from "./environment.ts";

export interface Installation {
  readonly keeper: Pick<Keeper, "kind" | "name" | "path">;
  readonly text: string;
  /** What was there before; null for nothing. */
  readonly previous: string | null;
  readonly done: "planned" | "installed" | "replaced" | "unchanged";
  /** What was run to make it so, as it would be typed. */
  readonly ran: readonly string[];
  readonly warnings: readonly string[];
  readonly unreachable: readonly Unreachable[];
  /** systemd: whether it outlives the last login; null where that is no question or nobody says. */
  readonly lingers: boolean | null;
}

const DONE = {
  planned: "would write",
  installed: "wrote",
  replaced: "changed",
  unchanged: "nothing to change in",
} as const;

/** What was written, whole, and what was run: `spot.service-install/1`. */
export function installationView(installation: Installation): View & { readonly said: readonly string[] } {
  const { keeper, text, previous, done, ran, warnings, unreachable, lingers } = installation;
  const { kind, name, path } = keeper;
  return {
    schema: "spot.service-install/1",
    data: { done, kind, name, path, text, previous, ran, warnings, unreachable, lingers },
    said: [...unreachable.map(unreachableText), ...warnings],
    render(painter) {
      const isChange = previous !== null && previous !== text;
      const body = isChange ? differenceText(previous, text) : text;
      return [
        `${DONE[done]} ${painter.bold(path)}`,
        "",
        ...stripControl(body)
          .trimEnd()
          .split("\n")
          .map((line) => (line === "" ? "" : `    ${line}`)),
        "",
        ...ran.map((line) => `${painter.dim("ran")}  ${stripControl(line)}`),
        `${painter.dim("next:")} ${done === "planned" ? `spot service install --${kind} --yes` : "spot service status"}`,
      ].join("\n");
    },
  };
}

function unreachableText({ provider, variables, next }: Unreachable): string {
  const where = variables.length === 0 ? "" : ` (${variables.join(", ")})`;
  return `the service cannot use ${provider}: its credentials stand only in this shell${where}; ${next}, or --environment-file FILE (0600)`;
}

/** The lines of both texts in order, what goes behind a minus and what comes behind a plus. */
export function differenceText(before: string, after: string): string {
  const [old, fresh] = [before.trimEnd().split("\n"), after.trimEnd().split("\n")];
  // common[i][j]: how many lines the rest of `old` from i and the rest of `fresh` from j have in common, in order.
  const common = Array.from({ length: old.length + 1 }, () => new Array<number>(fresh.length + 1).fill(0));
  const at = (i: number, j: number) => common[i]?.[j] ?? 0;
  for (let i = old.length - 1; i >= 0; i--)
    for (let j = fresh.length - 1; j >= 0; j--)
      (common[i] as number[])[j] = old[i] === fresh[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  const lines: string[] = [];
  for (let i = 0, j = 0; i < old.length || j < fresh.length; ) {
    if (i < old.length && j < fresh.length && old[i] === fresh[j]) {
      lines.push(`  ${old[i]}`);
      i++;
      j++;
    } else if (j >= fresh.length || (i < old.length && at(i + 1, j) >= at(i, j + 1))) lines.push(`- ${old[i++]}`);
    else lines.push(`+ ${fresh[j++]}`);
  }
  return lines.join("\n");
}
