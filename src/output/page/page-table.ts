import { type Html, html } from "./html.ts";

export interface PageColumn {
  readonly header: string;
  /** Figures stand right, in one line. */
  readonly align?: "left" | "right";
  /** Shown green in a row that is the best. */
  readonly isFigureOfMerit?: boolean;
}

export interface PageRow {
  /** One text for each column; the first names the row. */
  readonly cells: readonly string[];
  readonly kind?: "best" | "sum";
}

function cell(text: string, column: PageColumn | undefined, isName: boolean): Html {
  const classes = [column?.align === "right" ? "number" : "", column?.isFigureOfMerit === true ? "good" : ""].filter((name) => name !== "");
  const attribute: Html = classes.length === 0 ? { html: "" } : html` class="${classes.join(" ")}"`;
  return isName ? html`<th scope="row"${attribute}>${text}</th>` : html`<td${attribute}>${text}</td>`;
}

/** A table; wider than the screen it scrolls within its own frame, by touch or by the keyboard. */
export function pageTable(caption: string, columns: readonly PageColumn[], rows: readonly PageRow[]): Html {
  const heads = columns.map(({ header, align }) =>
    align === "right" ? html`<th scope="col" class="number">${header}</th>` : html`<th scope="col">${header}</th>`,
  );
  const lines = rows.map(({ cells, kind }) => {
    const inner = cells.map((text, index) => cell(text, columns[index], index === 0));
    return kind === undefined ? html`<tr>${inner}</tr>\n` : html`<tr class="${kind}">${inner}</tr>\n`;
  });
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table>
<thead><tr>${heads}</tr></thead>
<tbody>
${lines}</tbody>
</table></div>`;
}
