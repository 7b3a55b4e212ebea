import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { isMissing } from "./missing-program.ts";
import { temporaryFolder } from "./world.ts";

/** What a browser makes of a page. */
export interface SeenPage {
  /** Of what can be seen. */
  readonly width: number;
  /** How wide the page is with what has to be scrolled to. */
  readonly scrollWidth: number;
  readonly background: string;
  /** What stands beyond the left or the right edge, but for what scrolls in a frame of its own. */
  readonly cut: readonly string[];
  /** Texts of a chart that lie upon each other. */
  readonly overlapping: readonly string[];
  /** The least contrast of any text to the page (WCAG 2: 4.5 is asked for). */
  readonly contrast: number;
  readonly loaded: readonly string[];
}

const PROBE = `
const width = document.documentElement.clientWidth;
const name = (e) => (e.textContent.trim() || e.outerHTML).slice(0, 60);
const all = (what) => [...document.querySelectorAll(what)].filter((e) => !e.closest('.scroll'));
const box = (e) => e.getBoundingClientRect();
const cut = all('h1,h2,h3,p,li,figcaption,footer,.bar span,svg text,svg rect,svg line').filter((e) => box(e).right > width + 1 || box(e).left < -1).map(name);
const overlapping = [];
for (const group of document.querySelectorAll('figure > svg, .bar')) {
  const texts = [...group.querySelectorAll(':scope > text, :scope > span')];
  for (const [i, a] of texts.entries()) for (const b of texts.slice(i + 1)) {
    const [p, q] = [box(a), box(b)];
    if (p.left < q.right - 1 && q.left < p.right - 1 && p.top < q.bottom - 2 && q.top < p.bottom - 2) overlapping.push(name(a) + ' / ' + name(b));
  }
}
const parts = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map((one) => { const c = Number(one) / 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; });
const light = (colour) => { const [r, g, b] = parts(colour); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const background = getComputedStyle(document.body).backgroundColor;
const contrastOf = (colour) => { const [a, b] = [light(colour), light(background)].sort((x, y) => y - x); return (a + 0.05) / (b + 0.05); };
const contrast = Math.min(...[...document.querySelectorAll('h1,p,li,th,td,footer,.bar span,svg text')].map((e) => contrastOf(e.closest('svg') ? getComputedStyle(e).fill : getComputedStyle(e).color)));
const loaded = performance.getEntriesByType('resource').map((entry) => entry.name);
document.body.dataset.seen = JSON.stringify({ width, scrollWidth: document.documentElement.scrollWidth, background, cut, overlapping, contrast, loaded });
`;

/** Debian's and Google's names of it; undefined, and said, where there is none. */
export function browser(what: string): string | undefined {
  const found = ["chromium", "google-chrome", "chromium-browser"].find((name) => spawnSync(name, ["--version"]).status === 0);
  if (found === undefined) isMissing("chromium", what);
  return found;
}

/** A window has a least width of its own, a frame in it has not. */
function framed(page: string, width: number): string {
  const source = page.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
  const copy = "document.body.dataset.seen = document.querySelector('iframe').contentDocument.body.dataset.seen";
  const frame = `<iframe style="border:0;width:${width}px;height:900px" srcdoc="${source}"></iframe>`;
  return `<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark"><body onload="${copy}">${frame}</body>`;
}

/** Opens a page at a width, light or dark, and measures it. Its policy forbids scripts: that of the copy that is opened does not. */
export function seenPage(program: string, file: string, width: number, scheme: "light" | "dark"): SeenPage {
  const folder = temporaryFolder("spot-page-");
  const copy = join(folder, "page.html");
  const page = readFileSync(file, "utf8").replace(/<meta http-equiv="Content-Security-Policy"[^>]*>/, "");
  writeFileSync(
    copy,
    framed(
      page.replace("</body>", () => `<script>${PROBE}</script></body>`),
      width,
    ),
  );
  const dark = scheme === "dark" ? ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"] : [];
  const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", `--user-data-dir=${join(folder, "profile")}`, ...dark];
  const { stdout, stderr } = spawnSync(program, [...flags, `--window-size=${width + 100},1000`, "--dump-dom", pathToFileURL(copy).href], {
    encoding: "utf8",
    timeout: 60_000,
    maxBuffer: 64 * 1024 * 1024,
  });
  const [, seen] = /data-seen="([^"]*)"/.exec(stdout) ?? [];
  if (seen === undefined) throw new Error(`the browser showed nothing: ${stderr.slice(0, 2000)}`);
  const plain = seen.replaceAll("&quot;", '"').replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
  return JSON.parse(plain) as SeenPage;
}
