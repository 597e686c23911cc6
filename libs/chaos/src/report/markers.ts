/** Replaces what stands between `<!-- name:begin -->` and `<!-- name:end -->`; throws when the markers are not there. */
export function replaceBetween(text: string, name: string, content: string): string {
  const { from, to } = placeOf(text, name);
  return `${text.slice(0, from)}\n${content.trim()}\n${text.slice(to)}`;
}

/** What stands between the markers, without the line breaks around it. */
export function between(text: string, name: string): string {
  const { from, to } = placeOf(text, name);
  return text.slice(from, to).trim();
}

function placeOf(text: string, name: string): { from: number; to: number } {
  const [begin, end] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`there are no markers ${begin} … ${end}`);
  return { from: from + begin.length, to };
}

/** A table in Markdown; columns named in `numeric` stand to the right. */
export function markdownTable(head: readonly string[], rows: readonly (readonly (string | number)[])[], numeric: readonly number[] = []): string {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), `|${head.map((_, at) => (numeric.includes(at) ? '---:' : '---')).join('|')}|`, ...rows.map(line)].join('\n');
}
