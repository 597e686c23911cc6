/** Values that front matter may hold. */
export type FrontMatterValue = string | boolean | number | null | readonly FrontMatterValue[] | { readonly [key: string]: FrontMatterValue };
export type FrontMatter = Readonly<Record<string, FrontMatterValue>>;

/** What is wrong, with the line of the file. */
export class FrontMatterError extends Error {
  constructor(
    readonly line: number,
    problem: string,
  ) {
    super(`line ${line}: ${problem}`);
  }
}

interface Line {
  readonly number: number;
  readonly indent: number;
  readonly text: string;
}

const MAX_LINES = 200;
const MAX_DEPTH = 6;
const KEY = /^(?:"([^"\\]{1,128})"|'([^']{1,128})'|([A-Za-z_][\w .-]{0,127}?))\s*:(?:\s+(.*))?$/;
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * Reads the front matter of a Markdown file: between two lines `---`, at its very beginning. The YAML that people write there is understood:
 * maps, lists, plain and quoted texts, `|` and `>` blocks, `[a, b]`. Anything else (anchors, tags, tabs, flow maps) is refused with its line
 * rather than guessed. Throws `FrontMatterError`.
 */
export function readFrontMatter(text: string): { readonly data: FrontMatter; readonly body: string } {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  if (lines[0]?.trimEnd() !== '---') throw new FrontMatterError(1, 'the file has to begin with a line ---');
  const end = lines.findIndex((line, index) => index > 0 && line.trimEnd() === '---');
  if (end < 0) throw new FrontMatterError(lines.length, 'the front matter has no end: a second line --- is missing');
  if (end > MAX_LINES) throw new FrontMatterError(end, `the front matter has more than ${MAX_LINES} lines`);
  const reader = new Reader(lines.slice(1, end));
  return { data: reader.document(), body: lines.slice(end + 1).join('\n') };
}

class Reader {
  private at = 0;

  constructor(private readonly raw: readonly string[]) {}

  document(): FrontMatter {
    const first = this.peek();
    if (first === undefined) return {};
    const data = this.map(first.indent, 0);
    const rest = this.peek();
    if (rest !== undefined) throw new FrontMatterError(rest.number, 'is indented like nothing before it');
    return data;
  }

  /** The next line that says something. */
  private peek(): Line | undefined {
    for (; this.at < this.raw.length; this.at++) {
      const text = this.raw[this.at] as string;
      const content = text.trim();
      if (content === '' || content.startsWith('#')) continue;
      if (/^\s*\t/.test(text)) throw new FrontMatterError(this.at + 2, 'is indented with a tab; use spaces');
      return { number: this.at + 2, indent: text.length - text.trimStart().length, text: content };
    }
    return undefined;
  }

  private map(indent: number, depth: number): FrontMatter {
    const data: Record<string, FrontMatterValue> = {};
    for (let line = this.peek(); line !== undefined && line.indent === indent && !isItem(line.text); line = this.peek()) {
      const match = KEY.exec(line.text);
      if (match === null) throw new FrontMatterError(line.number, 'is no `key: value`');
      const key = (match[1] ?? match[2] ?? match[3]) as string;
      if (Object.hasOwn(data, key) || FORBIDDEN_KEYS.has(key)) throw new FrontMatterError(line.number, `${JSON.stringify(key)} is there twice, or not allowed`);
      this.at += 1;
      data[key] = this.value(match[4] ?? '', line, depth);
    }
    return data;
  }

  private list(indent: number, depth: number): FrontMatterValue[] {
    const items: FrontMatterValue[] = [];
    for (let line = this.peek(); line !== undefined && line.indent === indent && isItem(line.text); line = this.peek()) {
      this.at += 1;
      items.push(scalar(line.text.slice(1).trim(), line.number));
    }
    if (depth > MAX_DEPTH) throw new FrontMatterError(this.at + 1, 'is nested too deeply');
    return items;
  }

  /** What stands behind `key:`, or below it. */
  private value(text: string, line: Line, depth: number): FrontMatterValue {
    const plain = withoutComment(text);
    if (/^[|>][+-]?$/.test(plain)) return this.block(line.indent, plain);
    if (plain !== '') return scalar(plain, line.number);
    const next = this.peek();
    // A list may stand as far left as its key.
    if (next !== undefined && isItem(next.text) && next.indent >= line.indent) return this.list(next.indent, depth + 1);
    if (next === undefined || next.indent <= line.indent) return null;
    if (depth >= MAX_DEPTH) throw new FrontMatterError(next.number, 'is nested too deeply');
    return this.map(next.indent, depth + 1);
  }

  private block(indent: number, style: string): string {
    const lines: string[] = [];
    let margin: number | undefined;
    for (; this.at < this.raw.length; this.at++) {
      const text = (this.raw[this.at] as string).trimEnd();
      const own = text.length - text.trimStart().length;
      if (text !== '' && own <= indent) break;
      if (text !== '') margin ??= own;
      lines.push(text.slice(Math.min(margin ?? 0, own)));
    }
    while (lines.at(-1) === '') lines.pop();
    const joined = style.startsWith('|') ? lines.join('\n') : lines.join('\n').replaceAll(/\n+/g, (breaks) => (breaks.length === 1 ? ' ' : breaks.slice(1)));
    return style.endsWith('-') || joined === '' ? joined : `${joined}\n`;
  }
}

function isItem(text: string): boolean {
  return text === '-' || text.startsWith('- ');
}

/** A `#` begins a comment behind a space, outside quotes. */
function withoutComment(text: string): string {
  const quoted = /^("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')\s*(?:#.*)?$/.exec(text);
  if (quoted !== null) return quoted[1] as string;
  return text.startsWith('"') || text.startsWith("'") ? text : text.replace(/(^|\s)#.*$/, '').trimEnd();
}

function scalar(source: string, line: number): FrontMatterValue {
  const text = withoutComment(source);
  if (text.startsWith('[')) return flowList(text, line);
  if (text.startsWith('"')) return doubleQuoted(text, line);
  if (text.startsWith("'")) {
    if (!/^'(?:[^']|'')*'$/.test(text)) throw new FrontMatterError(line, 'a quoted text has no end');
    return text.slice(1, -1).replaceAll("''", "'");
  }
  if (/^[{&*!%@`|>]/.test(text)) throw new FrontMatterError(line, `begins with ${text.charAt(0)}, which is not understood here; put the text into quotes`);
  if (/:\s|:$/.test(text)) throw new FrontMatterError(line, 'holds a colon; put the text into quotes');
  if (/^(true|false)$/.test(text)) return text === 'true';
  if (text === '' || text === 'null' || text === '~') return null;
  return /^-?(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : text;
}

function doubleQuoted(text: string, line: number): string {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'string') return value;
  } catch {
    // Said below.
  }
  throw new FrontMatterError(line, 'a text in double quotes has no end, or an escape that is not understood');
}

function flowList(source: string, line: number): FrontMatterValue[] {
  if (!source.endsWith(']')) throw new FrontMatterError(line, 'a list has no end: write it on one line, or one `- item` a line');
  const inside = source.slice(1, -1).trim();
  if (inside === '') return [];
  const items: string[] = [];
  const item = /\s*("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s,'"[\]{}][^,'"[\]{}]*)\s*(?:,|$)/y;
  while (item.lastIndex < inside.length) {
    const found = item.exec(inside);
    if (found === null) throw new FrontMatterError(line, 'is no plain list of texts');
    items.push(found[1] as string);
  }
  return items.map((text) => scalar(text.trim(), line));
}
