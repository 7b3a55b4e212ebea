/** Colours that can be told apart with any eyes, on light and on dark (after Okabe and Ito, 2008; lightened for dark). */
const LIGHT = ["#0067a5", "#b8500a", "#00795a", "#9c4a84", "#7a6400", "#3f6fd1", "#a03030", "#555f6b"];
const DARK = ["#5cb3ea", "#f0954a", "#3fc39b", "#e08cc4", "#e0c34a", "#93b0ff", "#f08080", "#aab4c0"];

/** How many series of a chart have a colour of their own; the next ones begin again, with another line. */
export const SERIES_COLOURS = LIGHT.length;

function variables(colours: readonly string[], rest: string): string {
  return `${colours.map((colour, index) => `--c${index}:${colour};`).join("")}${rest}`;
}

const LIGHT_VARIABLES = variables(
  LIGHT,
  "--paper:#fff;--ink:#1b1f24;--dim:#59636e;--line:#d5dae0;--band:#f4f6f8;--good:#0a6b2d;color-scheme:light;",
);
const DARK_VARIABLES = variables(
  DARK,
  "--paper:#0f1318;--ink:#e8ecf1;--dim:#9aa6b2;--line:#313942;--band:#181e25;--good:#6fd08c;color-scheme:dark;",
);

const SERIES_CLASSES = LIGHT.map((_, index) => `.f${index}{fill:var(--c${index})}.s${index}{stroke:var(--c${index})}`).join("");

/** Everything a page looks like. On paper it is light, whatever the screen, and nothing is cut off that could be scrolled to. */
export const STYLE = `
:root{${LIGHT_VARIABLES}}
@media (prefers-color-scheme:dark){:root{${DARK_VARIABLES}}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;-webkit-text-size-adjust:100%}
main{max-width:1120px;margin:0 auto;padding:24px 16px 48px}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 4px}
h2{font-size:1.2rem;line-height:1.3;margin:40px 0 8px}
h3{font-size:1rem;margin:24px 0 4px}
p{margin:8px 0;max-width:75ch;overflow-wrap:break-word}
ul{margin:8px 0;padding-left:1.2em;max-width:75ch}
.lead{font-size:1.05rem}
.dim,footer{color:var(--dim)}
footer{margin-top:48px;border-top:1px solid var(--line);padding-top:8px;font-size:.85rem;overflow-wrap:anywhere}
.scroll{overflow-x:auto;margin:12px 0}
table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{padding:6px 12px 6px 0;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}
th:last-child,td:last-child{padding-right:0}
thead th{color:var(--dim);font-weight:600;white-space:nowrap}
tbody th{font-weight:600;min-width:9em}
td,.number{white-space:nowrap}
.number{text-align:right}
tr.best td,tr.best th{background:var(--band)}
tr.best .good{color:var(--good);font-weight:700}
tr.sum td,tr.sum th{font-weight:700;border-top:2px solid var(--line)}
figure{margin:16px 0}
figure>svg,.bar,.legend{break-inside:avoid}
.bar,.legend{break-after:avoid}
figcaption{font-weight:600;margin-bottom:4px}
svg{display:block;width:100%;overflow:visible}
svg text{fill:var(--ink);font-size:13px;font-family:inherit;font-variant-numeric:tabular-nums}
svg text.dim{fill:var(--dim);font-size:12px}
svg .grid{stroke:var(--line);stroke-width:1}
svg .track{fill:var(--band)}
svg .series{fill:none;stroke-width:2;vector-effect:non-scaling-stroke;stroke-linejoin:round}
svg .mark{stroke:var(--dim);stroke-width:1;stroke-dasharray:2 3}
${SERIES_CLASSES}
.bar{display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 12px;margin:8px 0 2px;font-size:.85rem;overflow-wrap:anywhere}
.legend li{overflow-wrap:anywhere}
.legend{display:flex;flex-wrap:wrap;gap:2px 20px;list-style:none;padding:0;margin:6px 0;font-size:.85rem;max-width:none}
.legend svg{display:inline-block;width:26px;height:10px;margin-right:6px;vertical-align:middle}
@media print{
:root{${LIGHT_VARIABLES}}
body{font-size:11pt}
main{max-width:none;padding:0}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
.scroll{overflow:visible}
table{font-size:8.5pt}
th,td{padding-right:8px}
td:not(.number),thead th{white-space:normal}
thead{display:table-header-group}
tr,h2,h3{break-inside:avoid}
h2,h3,figcaption{break-after:avoid}
}`;
