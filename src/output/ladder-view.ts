import type { Rung } from "../fleet/deciding/ladder.ts";
import { durationText } from "../model/duration.ts";
import { type Money, moneyJson, moneyText } from "../model/money.ts";
import { listView } from "./list-view.ts";
import type { View } from "./view.ts";

const rate = (price: Money | null) => (price === null ? null : { ...moneyJson(price), per: "hour", of: "instance" });

/** One way back, for scripts. */
export function rungJson({ rung, isOpen, isDear, why, needs, offers, price, besides, expectedMs, copy }: Rung) {
  const [best] = offers;
  return {
    rung,
    open: isOpen,
    needsConsent: isDear,
    why,
    needs,
    place:
      best === undefined ? null : { provider: best.provider, region: best.region, zone: best.zone, type: best.type, billing: best.billing },
    price: rate(price),
    besides: besides === null ? null : { ...moneyJson(besides), per: "hour", of: "volume" },
    expectedSeconds: expectedMs === null ? null : Math.round(expectedMs / 1000),
    copy:
      copy === undefined
        ? null
        : { checkpoint: copy.checkpoint, place: copy.place, sealedAt: new Date(copy.sealedAt).toISOString(), behindMs: copy.behindMs },
  };
}

function standing({ isOpen, isDear }: Rung): string {
  if (isOpen) return "open";
  return isDear ? "to be agreed" : "closed";
}

/** The ways back of a sleeping instance in the order in which they are tried, for people. */
export function ladderView(rungs: readonly Rung[]): View {
  const numbered = rungs.map((rung, index) => ({ ...rung, nr: index + 1 }));
  return listView({
    schema: "spot.ladder/1",
    items: numbered,
    toJson: rungJson,
    columns: [
      { key: "nr", header: "#", value: ({ nr }) => String(nr) },
      { key: "rung", header: "WAY", value: ({ rung }) => rung, paint: (text, _, painter) => painter.bold(text) },
      { key: "standing", header: "STANDING", value: standing },
      {
        key: "where",
        header: "WHERE",
        value: ({ offers: [best] }) => (best === undefined ? "-" : `${best.provider} ${best.zone}`),
        drop: 2,
      },
      { key: "price", header: "$/HOUR", align: "right", value: ({ price }) => (price === null ? "-" : moneyText(price)) },
      {
        key: "expected",
        header: "TOOK",
        align: "right",
        value: ({ expectedMs }) => (expectedMs === null ? "?" : durationText(expectedMs)),
      },
      { key: "why", header: "WHY", value: ({ why, isOpen, needs }) => (isOpen ? [why, ...needs].join("; ") : why), drop: 1 },
    ],
    empty: "There is no way back.",
    footer: "Tried in this order, each after the one before had nothing. TOOK: the middle of its wakes so far.",
  });
}
