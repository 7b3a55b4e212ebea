import type { Asleep } from "../model/asleep.ts";
import { asleepBlock, asleepJson } from "./asleep-text.ts";
import { detailText } from "./detail-view.ts";
import type { InstanceRow } from "./instances-view.ts";
import { instanceJson } from "./json.ts";
import type { View } from "./view.ts";

/** Instances as `spot.instances/1`, each with what its sleep would be; for people that alone, with its sources. */
export function asleepView(rows: readonly InstanceRow[], asleep: readonly Asleep[]): View {
  return {
    schema: "spot.instances/1",
    data: rows.map(({ record, cost, guard }, index) => {
      const own = asleep[index];
      return { ...instanceJson(record, cost, guard), ...(own === undefined ? {} : { asleep: asleepJson(own) }) };
    }),
    render(painter, width) {
      const blocks = rows.flatMap(({ record }, index) => {
        const own = asleep[index];
        return own === undefined ? [] : [asleepBlock(own, `${record.name}, asleep`)];
      });
      return detailText(blocks, painter, width);
    },
  };
}
