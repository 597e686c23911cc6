import { CommandFailure, EXIT } from './exit-code.js';

export interface CsvRow {
  /** Where it begins in the file, from 1. */
  readonly line: number;
  /** By the names of the first row; empty cells are left out. */
  readonly cells: Readonly<Record<string, string>>;
}

/**
 * Rows of a CSV file (RFC 4180: commas, quotes doubled inside quotes) whose first row names the columns. `lines` are all lines of the file
 * without their ends; a quoted cell may go over several of them.
 */
export async function* csvRows(lines: AsyncIterable<string>, columns: readonly string[]): AsyncGenerator<CsvRow> {
  let names: string[] | undefined;
  let open = '';
  let begun = 1;
  let line = 0;
  for await (const text of lines) {
    line += 1;
    if (open === '') begun = line;
    open = open === '' ? text : `${open}\n${text}`;
    // An odd number of quotes: a cell is not closed yet.
    if ((open.split('"').length - 1) % 2 === 1) continue;
    const cells = cellsOf(open, begun);
    open = '';
    if (names === undefined) names = header(cells, columns);
    else if (cells.some((cell) => cell !== '')) yield { line: begun, cells: named(names, cells, begun) };
  }
  if (open !== '') throw broken(begun, 'a quote is not closed');
}

function cellsOf(text: string, line: number): string[] {
  const cells: string[] = [];
  const cell = /("(?:[^"]|"")*"|[^",]*)(,|$)/gy;
  for (let done = false; !done; ) {
    const match = cell.exec(text);
    if (match === null) throw broken(line, 'a quote stands inside of a cell that is not quoted');
    const [, raw = '', end] = match;
    cells.push(raw.startsWith('"') ? raw.slice(1, -1).replaceAll('""', '"') : raw);
    done = end === '';
  }
  return cells;
}

function header(cells: readonly string[], columns: readonly string[]): string[] {
  const names = cells.map((name, place) => (place === 0 ? name.replace(/^\uFEFF/, '') : name).trim());
  const unknown = names.find((name) => !columns.includes(name));
  if (unknown === undefined) return names;
  throw new CommandFailure(`The column ${JSON.stringify(unknown)} is none of ${columns.join(', ')}.`, EXIT.usage, undefined, 'INVALID_CSV');
}

function named(names: readonly string[], cells: readonly string[], line: number): Record<string, string> {
  if (cells.length !== names.length) throw broken(line, `${cells.length} cells under ${names.length} columns`);
  return Object.fromEntries(names.map((name, place) => [name, cells[place] ?? ''] as const).filter(([, cell]) => cell !== ''));
}

function broken(line: number, what: string): CommandFailure {
  return new CommandFailure(`Line ${line}: ${what}.`, EXIT.usage, undefined, 'INVALID_CSV');
}
