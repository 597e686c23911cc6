#!/usr/bin/env node
// Usage: node profile.mjs <file>. Prints a profile of a CSV or TSV file as JSON.
import { readFileSync } from 'node:fs';

const file = process.argv[2];
if (file === undefined) {
  console.error('usage: node profile.mjs <file>');
  process.exit(2);
}
const text = readFileSync(file, 'utf8').replace(/^\uFEFF/, '');
const firstLine = text.slice(0, text.search(/\r?\n|$/));
const separator = [',', ';', '\t'].sort((a, b) => firstLine.split(b).length - firstLine.split(a).length)[0];

/** Rows with the line on which each begins; quoted fields may hold separators, line breaks and doubled quotes. */
function* rows() {
  let fields = [];
  let field = '';
  let quoted = false;
  let line = 1;
  let begin = 1;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '\n') line++;
    if (quoted) {
      if (char !== '"') field += char;
      else if (text[at + 1] === '"') field += text[++at];
      else quoted = false;
    } else if (char === '"' && field === '') quoted = true;
    else if (char === separator) {
      fields.push(field);
      field = '';
    } else if (char === '\n') {
      fields.push(field.replace(/\r$/, ''));
      if (fields.length > 1 || fields[0] !== '') yield { fields, line: begin };
      fields = [];
      field = '';
      begin = line;
    } else field += char;
  }
  if (field !== '' || fields.length > 0) yield { fields: [...fields, field], line: begin };
}

const kinds = [
  ['integer', /^[+-]?(0|[1-9]\d*)$/],
  ['decimal', /^[+-]?\d+\.\d+([eE][+-]?\d+)?$/],
  ['date', /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?$/],
  ['boolean', /^(true|false|yes|no)$/i],
];
const kindOf = (value) => kinds.find(([, pattern]) => pattern.test(value))?.[0] ?? 'text';

const [header, ...body] = rows();
const names = header?.fields ?? [];
const broken = body.filter(({ fields }) => fields.length !== names.length);
const sound = body.filter(({ fields }) => fields.length === names.length);
const columns = names.map((name, index) => {
  const counts = new Map();
  for (const { fields } of sound) counts.set(fields[index].trim(), (counts.get(fields[index].trim()) ?? 0) + 1);
  const empty = counts.get('') ?? 0;
  counts.delete('');
  const values = [...counts.keys()];
  const found = new Set(values.map(kindOf));
  const isNumber = found.size > 0 && [...found].every((kind) => kind === 'integer' || kind === 'decimal');
  const type = found.size === 0 ? 'empty' : found.size === 1 ? [...found][0] : isNumber ? 'decimal' : 'mixed';
  const ordered = values.sort((a, b) => (isNumber ? Number(a) - Number(b) : a < b ? -1 : a > b ? 1 : 0));
  const frequent = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 5);
  return { name, type, empty, distinct: counts.size, min: ordered[0] ?? null, max: ordered.at(-1) ?? null, frequent };
});
console.log(JSON.stringify({ file, separator, rows: body.length, brokenRows: broken.map(({ line }) => line).slice(0, 50), columns }, null, 2));
