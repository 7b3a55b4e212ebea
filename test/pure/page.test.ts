import fc from "fast-check";
import { expect, test } from "vitest";
import { barChart } from "../../src/output/page/bar-chart.ts";
import { escaped, html } from "../../src/output/page/html.ts";
import { lineChart } from "../../src/output/page/line-chart.ts";
import { pageText } from "../../src/output/page/page.ts";
import { pageTable } from "../../src/output/page/page-table.ts";
import { axisSteps, percent } from "../../src/output/page/scale.ts";
import { STYLE } from "../../src/output/page/style.ts";
import { stripControl } from "../../src/platform/terminal.ts";

/** Every part of the kit, with one text wherever a text goes. */
function pageOf(text: string, value = 3): string {
  return pageText({
    title: text,
    footer: text,
    body: [
      html`<p>${text}</p>`,
      pageTable(
        text,
        [{ header: text }, { header: text, align: "right", isFigureOfMerit: true }],
        [{ cells: [text, text], kind: "best" }, { cells: [text, text] }],
      ),
      barChart(text, [{ label: text, text, value, parts: [{ value, series: 9 }] }]),
      lineChart({
        caption: text,
        lines: [
          {
            label: text,
            series: 12,
            points: [
              { x: 0, y: 0 },
              { x: 4, y: value },
            ],
          },
        ],
        x: { label: text, to: 4, text: () => text },
        y: { label: text, text: () => text },
        marks: [{ x: 2, text }],
      }),
    ],
  });
}

/** What a browser would take for tags and attributes: every tag without the texts between its quotes. */
function skeleton(page: string): readonly string[] {
  return [...page.replace(STYLE, "").matchAll(/<[^>]*>/g)].map(([tag]) => tag.replaceAll(/"[^"]*"/g, '""'));
}

const HOSTILE = [
  "<script>alert(1)</script>",
  '" onload="alert(1)',
  "' onmouseover='x",
  "</title><img src=x onerror=alert(1)>",
  "</style><script>",
  "&lt;b&gt; &amp; &#60;",
  "]]><!--",
  "\u202eevil\u2066",
  "\u001b[31mred\u0007",
  "`$" + "{1}`",
];

test.each(HOSTILE)("%j adds no tag and no attribute anywhere on a page", (text) => {
  const page = pageOf(text);
  expect(skeleton(page)).toEqual(skeleton(pageOf("plain")));
  expect(stripControl(page)).toBe(page);
});

test("no text at all adds a tag or an attribute", () => {
  const plain = skeleton(pageOf("plain"));
  const signs = fc.string({ unit: fc.constantFrom(..."<>&\"'=/ ab;#-!\u0000\u202e`") });
  fc.assert(
    fc.property(fc.oneof(signs, fc.string({ unit: "binary" })), (text) => {
      expect(skeleton(pageOf(text))).toEqual(plain);
    }),
  );
});

test("what is escaped reads as it was written", () => {
  expect(escaped(`a<b>&"c"'d'`)).toBe("a&lt;b&gt;&amp;&quot;c&quot;&#39;d&#39;");
  expect(html`<i>${"<b>"}${html`<b>${1}</b>`}${[html`x`, html`y`]}</i>`.html).toBe("<i>&lt;b&gt;<b>1</b>xy</i>");
});

test("a page loads nothing from anywhere", () => {
  const page = pageOf("https://example.com/x.js");
  expect(page).not.toMatch(/<(script|link|img|iframe|object|embed|base|form|a)\b|@import|url\(/i);
  expect(page).toContain("default-src 'none'");
});

test("an axis begins at zero, is evenly stepped and holds the most there is", () => {
  expect(axisSteps(0)).toEqual([0, 1]);
  expect(axisSteps(24, 4)).toEqual([0, 10, 20, 30]);
  expect(axisSteps(0.3)).toEqual([0, 0.1, 0.2, 0.3]);
  fc.assert(
    fc.property(fc.double({ min: 1e-6, max: 1e15, noNaN: true }), fc.integer({ min: 2, max: 8 }), (most, steps) => {
      const found = axisSteps(most, steps);
      expect(found[0]).toBe(0);
      expect(found.at(-1)).toBeGreaterThanOrEqual(most * (1 - 1e-6));
      expect(found.length).toBeLessThanOrEqual(steps + 2);
      const [, step = 0] = found;
      for (const [index, value] of found.entries()) expect(value).toBeCloseTo(index * step, Math.max(0, 6 - Math.ceil(Math.log10(most))));
    }),
  );
});

test("a place is never outside its axis", () => {
  expect([percent(1, 3), percent(-1, 3), percent(4, 3), percent(0, 0), percent(1.5, 3)]).toEqual(["33.333", "0", "100", "0", "50"]);
});

test("amounts that make no sense draw a chart all the same", () => {
  for (const value of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) expect(pageOf("x", value)).not.toMatch(/NaN|Infinity/);
  expect(barChart("nothing", []).html).toContain("<figure>");
});
