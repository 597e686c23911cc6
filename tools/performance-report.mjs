// docs/performance.md as text: what was measured is written between markers, one pair for each benchmark and one for the head; everything outside of them was
// written by people and stays as it is, wherever it stands.

/** The markers of a generated part. */
const begin = (name) => `<!-- measured: ${name} -->`;
const END = '<!-- /measured -->';

/**
 * The report with the parts that were measured now in place of older ones of the same name; those that are new come at the end.
 * @param {string} text the report as it is; empty when there is none
 * @param {readonly {name: string, lines: readonly string[]}[]} parts
 */
export function updateReport(text, parts) {
  let report = text === '' ? '# Measured performance\n' : text;
  for (const { name, lines } of parts) {
    const block = [begin(name), '', ...lines, '', END].join('\n');
    const from = report.indexOf(begin(name));
    if (from < 0) {
      report = `${report.trimEnd()}\n\n${block}\n`;
      continue;
    }
    const end = report.indexOf(END, from);
    if (end < 0) throw new Error(`the part "${name}" of the report has no end: ${END} is missing`);
    report = report.slice(0, from) + block + report.slice(end + END.length);
  }
  return report;
}

/** `met`, `missed` or nothing, with the goal. */
export function verdict({ value, goal }) {
  const [, comparison, limit] = /^([<>]=?)\s*(-?[\d.]+)/.exec(goal ?? '') ?? [];
  if (limit === undefined) return '';
  const met = comparison.startsWith('>') ? value >= Number(limit) : value <= Number(limit);
  return `${met ? 'met' : 'missed'} (goal ${goal})`;
}

export function number(value) {
  return Math.abs(value) >= 1_000 ? Math.round(value).toLocaleString('en') : String(Math.round(value * 1_000) / 1_000);
}

/** The part of one benchmark: its heading and a table of its figures. */
export function sectionOf(title, figures, note) {
  const lines = [`## ${title}`, '', ...(note === undefined ? [] : [note, '']), '| figure | median | min–max | against | goal |', '|---|---:|---:|---|---|'];
  for (const figure of figures) {
    const range = figure.runs > 1 ? `${number(figure.min)}–${number(figure.max)}` : '';
    lines.push(`| ${figure.name} | ${number(figure.value)} ${figure.unit} | ${range} | ${figure.ratioTo ?? ''} | ${verdict(figure)} |`);
  }
  return { name: title, lines };
}
