import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { browser, seenPage } from "../browser.ts";
import { PACKAGE_ROOT, temporaryFolder } from "../world.ts";

const OWN = [
  "name=a rack with a long name that somebody in the cellar has given to it by the month,price=750/month",
  'name=spot <b>eu-north</b> & "more",price=1.6,billing=spot',
  "name=on demand,price=2.9",
  "name=租用的服务器,price=240000CNY/3years,plus=1500CNY/month,billing=owned",
];

const WORK = ["--profile", "14x1,6x3,4x6", "--tokens-per-day", "2B", "--throughput", "10000", "--token-price", "0.09"];

test("the page of a comparison fits a phone and a wide screen, light and dark, and loads nothing", () => {
  const program = browser("how the page of a comparison looks");
  if (program === undefined) return;
  const home = temporaryFolder();
  const file = join(home, "page.html");
  const argv = ["compare", "--no-offers", "--gpu", "H100", ...WORK, ...OWN.flatMap((row) => ["--own", row]), "--html", file];
  const made = spawnSync(process.execPath, [join(PACKAGE_ROOT, "bin", "spot"), ...argv], {
    env: { PATH: process.env["PATH"], HOME: home, SPOT_HOME: home, NO_COLOR: "1" },
    encoding: "utf8",
  });
  expect([made.status, made.stderr]).toEqual([0, `the page was written to ${file}\n`]);
  for (const scheme of ["light", "dark"] as const)
    for (const width of [400, 1400]) {
      const seen = seenPage(program, file, width, scheme);
      expect([scheme, width, seen.cut, seen.overlapping, seen.loaded]).toEqual([scheme, width, [], [], []]);
      expect(seen.width).toBe(width);
      expect(seen.scrollWidth).toBeLessThanOrEqual(seen.width);
      expect(seen.contrast).toBeGreaterThanOrEqual(4.5);
      expect(seen.background).toBe(scheme === "light" ? "rgb(255, 255, 255)" : "rgb(15, 19, 24)");
    }
});
