import { escaped, type Html } from "./html.ts";
import { STYLE } from "./style.ts";

export interface PageParts {
  readonly title: string;
  /** What stands below the title, in order. */
  readonly body: readonly Html[];
  /** The last line: which command made it, and when. */
  readonly footer: string;
}

/**
 * A whole page in one text: no script, no font, no picture and nothing else that is not in it. Its own policy forbids whoever
 * shows it to load anything.
 */
export function pageText({ title, body, footer }: PageParts): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escaped(title)}</h1>
${body.map((piece) => piece.html).join("\n")}
<footer>${escaped(footer)}</footer>
</main>
</body>
</html>
`;
}
