/**
 * A page in one file: no scripts, nothing fetched, readable in a mail's attachment and in ten years. It follows the reader's light or dark
 * theme, and nothing is told by colour alone.
 */

/** Text that stands for itself in HTML, also within quotes. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

/** What a page's parts are made of; each text is HTML already. */
interface HtmlPage {
  readonly title: string;
  /** Elements one below the other. */
  readonly body: readonly string[];
}

export interface HtmlColumn<Row> {
  readonly head: string;
  /** Text, not HTML. */
  readonly cell: (row: Row) => string;
  readonly left?: boolean;
}

export function htmlTable<Row>(
  columns: readonly HtmlColumn<Row>[],
  rows: readonly Row[],
  caption = '',
): string {
  const cells = (tag: 'td' | 'th', texts: readonly string[]) =>
    texts
      .map((text, i) => {
        const side = columns[i]!.left === true ? ' class="left"' : '';
        return `<${tag}${side}${tag === 'th' ? ' scope="col"' : ''}>${escapeHtml(text)}</${tag}>`;
      })
      .join('');
  const lines = rows.map(
    (row) =>
      `<tr>${cells(
        'td',
        columns.map(({ cell }) => cell(row)),
      )}</tr>`,
  );
  return [
    '<div class="table"><table>',
    caption === '' ? '' : `<caption>${escapeHtml(caption)}</caption>`,
    `<thead><tr>${cells(
      'th',
      columns.map(({ head }) => head),
    )}</tr></thead>`,
    `<tbody>\n${lines.join('\n')}\n</tbody>`,
    '</table></div>',
  ].join('');
}

export const heading = (text: string) => `<h2>${escapeHtml(text)}</h2>`;
export const paragraph = (text: string) => `<p>${escapeHtml(text)}</p>`;
export const note = (text: string) => `<p class="note">${escapeHtml(text)}</p>`;
export const command = (text: string) => `<pre><code>${escapeHtml(text)}</code></pre>`;
/** Parts that a reader opens when they want them. */
export const folded = (title: string, parts: readonly string[]) =>
  `<details><summary>${escapeHtml(title)}</summary>\n${parts.join('\n')}\n</details>`;

export function htmlPage({ title, body }: HtmlPage): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="slablab">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(title)}</title>
<style>
${STYLE}
</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
${body.join('\n')}
</main>
</body>
</html>
`;
}

/** Of each line, of its name, of its band. */
const LINE_STYLES = Array.from({ length: 8 }, (_, i) =>
  [
    `svg .c${i} { stroke: var(--l${i}); }`,
    `svg .name.c${i}, svg .band.c${i} { fill: var(--l${i}); stroke: none; }`,
  ].join(' '),
).join('\n');

/** Colours of Okabe and Ito's set, lighter ones on dark; lines differ in their dashes too. */
const STYLE = `:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1c1e21; --faint: #5b6067; --rule: #d7dae0; --panel: #f5f6f8;
  --l0: #1c1e21; --l1: #0072b2; --l2: #b34700; --l3: #00795a; --l4: #9a4880; --l5: #7a6000; --l6: #2f7fb5; --l7: #6a6a6a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15171a; --ink: #e6e8eb; --faint: #a0a6ae; --rule: #363b42; --panel: #1e2125;
    --l0: #e6e8eb; --l1: #5cb8f0; --l2: #ff9d57; --l3: #3fd0a5; --l4: #e39bcb; --l5: #e3c64f; --l6: #9fd4f5; --l7: #b0b0b0;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 24px 20px 64px; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .4em; }
h2 { font-size: 1.15rem; margin: 2em 0 .5em; }
summary { font-size: 1.15rem; font-weight: 600; margin: 1.2em 0 .2em; cursor: pointer; }
details h2 { margin-top: 1.2em; font-size: 1.02rem; }
@media print { details::details-content { content-visibility: visible; block-size: auto; } }
p { max-width: 75ch; margin: .4em 0; }
.note, caption, figcaption { color: var(--faint); font-size: .9rem; }
.words { padding-left: 1.2em; max-width: 75ch; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; }
caption { text-align: left; padding-bottom: .3em; }
th, td { padding: .22em .8em .22em 0; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); }
th { color: var(--faint); font-weight: 600; }
.left { text-align: left; }
pre { background: var(--panel); padding: .7em .9em; overflow-x: auto; }
figure { margin: 1em 0; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--faint); font: 12px system-ui, sans-serif; }
svg .name { font-weight: 600; }
svg .grid { stroke: var(--rule); stroke-width: 1; }
svg .line { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
svg .band { stroke: none; opacity: .16; }
svg .mark { stroke: var(--faint); stroke-width: 1; stroke-dasharray: 2 3; }
${LINE_STYLES}`;
