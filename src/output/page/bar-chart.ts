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

const ROW = 46;

/**
 * Bars one below the other, each under its own words, so that it fits a phone as well as a wall. Nothing is scaled but the
 * bars' lengths: they are in percent, and letters keep their size.
 */
export function barChart(caption: string, bars: readonly Bar[]): Html {
  const most = Math.max(0, ...bars.map(({ value }) => value).filter(Number.isFinite));
  const rows = bars.map((bar, index) => {
    const top = index * ROW;
    const parts = bar.parts ?? [{ value: bar.value, series: bar.series ?? 0 }];
    let from = 0;
    const drawn = parts.map(({ value, series }) => {
      const start = from;
      from += Math.max(0, value);
      return html`<rect class="f${series % SERIES_COLOURS}" x="${percent(start, most)}%" y="${top + 22}" width="${percent(from - start, most)}%" height="14"/>`;
    });
    return html`<g><text x="0" y="${top + 15}">${bar.label}</text><text x="100%" y="${top + 15}" text-anchor="end">${bar.text}</text>
<rect class="track" x="0" y="${top + 22}" width="100%" height="14"/>${drawn}</g>\n`;
  });
  return html`<figure><figcaption>${caption}</figcaption>
<svg height="${Math.max(1, bars.length * ROW - 8)}" role="img" aria-label="${caption}: ${bars.map(({ label, text }) => `${label} ${text}`).join(", ")}">
${rows}</svg></figure>`;
}
