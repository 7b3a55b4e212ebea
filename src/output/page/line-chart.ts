import { type Html, html } from "./html.ts";
import { axisSteps, percent } from "./scale.ts";
import { SERIES_COLOURS } from "./style.ts";

export interface Line {
  readonly label: string;
  /** From left to right. */
  readonly points: readonly { readonly x: number; readonly y: number }[];
  readonly series: number;
}

export interface LineChartParts {
  readonly caption: string;
  readonly lines: readonly Line[];
  /** Named below the axis; it begins at zero and ends at `to`, and is stepped in round numbers unless `steps` says others. */
  readonly x: {
    readonly label: string;
    readonly to: number;
    readonly text: (value: number) => string;
    readonly steps?: readonly number[];
  };
  /** What the lines mean, and how a step of the axis is written. */
  readonly y: { readonly label: string; readonly text: (value: number) => string };
  /** Places on the axis that are pointed out; told below the chart. */
  readonly marks?: readonly { readonly x: number; readonly text: string }[];
}

const TOP = 24;
const HEIGHT = 240;
const BELOW = 44;
const DASHES = ["", "7 4", "2 3", "9 3 2 3"];

/** Lines of one colour and one pattern; when the colours are used up, they begin again with another pattern. */
function stroke(series: number): Html {
  const dashes = DASHES[Math.floor(series / SERIES_COLOURS) % DASHES.length] ?? "";
  return dashes === "" ? { html: "" } : html` stroke-dasharray="${dashes}"`;
}

/** The lines over the axis; in a frame of its own in which lengths are shares, so that it fits every width. */
function plot(lines: readonly Line[], xMost: number, yMost: number): Html {
  const drawn = lines.map(({ points, series }) => {
    const path = points.map(({ x, y }) => `${percent(x, xMost)},${(100 - Number(percent(y, yMost))).toFixed(3)}`).join(" ");
    return html`<polyline class="series s${series % SERIES_COLOURS}" points="${path}"${stroke(series)}/>`;
  });
  return html`<svg x="0" y="${TOP}" width="100%" height="${HEIGHT}" viewBox="0 0 100 100" preserveAspectRatio="none">${drawn}</svg>`;
}

function anchor(value: number, most: number): string {
  if (value <= 0) return "start";
  return value >= most * 0.97 ? "end" : "middle";
}

/** Lines over an axis that begins at zero, with a legend in words. Letters keep their size, whatever the width. */
export function lineChart({ caption, lines, x, y, marks = [] }: LineChartParts): Html {
  const seen = lines.flatMap(({ points }) => points.map((point) => point.y)).filter(Number.isFinite);
  const ySteps = axisSteps(Math.max(0, ...seen), 4);
  const yMost = ySteps.at(-1) ?? 1;
  const across = ySteps.map((step) => {
    const at = TOP + HEIGHT - (step / yMost) * HEIGHT;
    // The axis below says zero already.
    if (step === 0) return html`<line class="grid" x1="0" x2="100%" y1="${at}" y2="${at}"/>`;
    return html`<line class="grid" x1="0" x2="100%" y1="${at}" y2="${at}"/><text class="dim" x="0" y="${at - 4}">${y.text(step)}</text>`;
  });
  const foot = (x.steps ?? axisSteps(x.to, 4))
    .filter((step) => step <= x.to)
    .map(
      (step) =>
        html`<text class="dim" x="${percent(step, x.to)}%" y="${TOP + HEIGHT + 16}" text-anchor="${anchor(step, x.to)}">${x.text(step)}</text>`,
    );
  const pointed = marks
    .filter((mark) => mark.x >= 0 && mark.x <= x.to)
    .map(
      (mark) => html`<line class="mark" x1="${percent(mark.x, x.to)}%" x2="${percent(mark.x, x.to)}%" y1="${TOP}" y2="${TOP + HEIGHT}"/>`,
    );
  const legend = lines.map(
    ({ label, series }) =>
      html`<li><svg viewBox="0 0 26 10" aria-hidden="true"><line class="series s${series % SERIES_COLOURS}" x1="0" x2="26" y1="5" y2="5"${stroke(series)}/></svg>${label}</li>`,
  );
  const told = marks.length === 0 ? { html: "" } : html`${marks.map(({ text }) => html`<p class="dim">${text}</p>`)}`;
  return html`<figure><figcaption>${caption}</figcaption>
<ul class="legend">${legend}</ul>
<svg height="${TOP + HEIGHT + BELOW}" role="img" aria-label="${caption}: ${lines.map(({ label }) => label).join(", ")}">
<text class="dim" x="100%" y="12" text-anchor="end">${y.label}</text>
${across}${pointed}${plot(lines, x.to, yMost)}${foot}
<text class="dim" x="100%" y="${TOP + HEIGHT + 36}" text-anchor="end">${x.label}</text>
</svg>${told}</figure>`;
}
