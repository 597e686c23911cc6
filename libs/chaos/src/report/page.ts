import { escapeXml } from './svg.js';

/** One self-contained page: no script, nothing to load. */
export function page(title: string, sections: readonly string[]): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${escapeXml(title)}</title>
<style>
:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:960px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}table{border-collapse:collapse;font-size:13px}td,th{padding:.25rem .6rem;border-bottom:1px solid #8884;text-align:left;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}svg{max-width:100%;height:auto}.good{color:#2c8a4b;font-weight:600}.bad{color:#c33;font-weight:600}details{margin:.5rem 0}code{font-size:12px}
</style></head><body>
<h1>${escapeXml(title)}</h1>
${sections.join('\n')}
</body></html>
`;
}

export const section = (title: string, ...body: readonly string[]): string => `<h2>${escapeXml(title)}</h2>\n${body.join('\n')}`;

/** A table; cells of columns named in `numeric` stand to the right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[], numeric: readonly number[] = []): string {
  const cell = (tag: string, value: string | number, at: number): string =>
    `<${tag}${numeric.includes(at) ? ' class="n"' : ''}>${escapeXml(String(value))}</${tag}>`;
  const line = (tag: string, cells: readonly (string | number)[]): string => `<tr>${cells.map((value, at) => cell(tag, value, at)).join('')}</tr>`;
  return `<table>${line('th', head)}${rows.map((row) => line('td', row)).join('')}</table>`;
}
