import { type Html, html } from "./html.ts";
import { percent } from "./scale.ts";
import { SERIES_COLOURS } from "./style.ts";

export interface Bar {
  readonly label: string;
  /** What stands at the end of the line: the amount, with its unit. */
  readonly text: string;
  /** In one unit for all bars; what is below zero is drawn as none. */
  readonly value: number;
  /** The parts of it that are drawn one after the other, each in a colour of its own; one part when not given. */
  readonly parts?: readonly { readonly value: number; readonly series: number }[];
  readonly series?: number;
}

/**
 * Bars one below the other, each under its own words, so that it fits a phone as well as a wall: words wrap, letters keep their
 * size, and the bars' lengths are in percent.
 */
export function barChart(caption: string, bars: readonly Bar[]): Html {
  const most = Math.max(0, ...bars.map(({ value }) => value).filter(Number.isFinite));
  const rows = bars.map((bar) => {
    let from = 0;
    const drawn = (bar.parts ?? [{ value: bar.value, series: bar.series ?? 0 }]).map(({ value, series }) => {
      const start = from;
      from += Math.max(0, value);
      return html`<rect class="f${series % SERIES_COLOURS}" x="${percent(start, most)}%" width="${percent(from - start, most)}%" height="14"/>`;
    });
    return html`<div class="bar"><span>${bar.label}</span><span class="number">${bar.text}</span></div>
<svg height="14" aria-hidden="true"><rect class="track" width="100%" height="14"/>${drawn}</svg>\n`;
  });
  return html`<figure><figcaption>${caption}</figcaption>
${rows}</figure>`;
}
