import { diffLines } from 'diff';

export interface DiffRow {
  readonly kind: 'added' | 'removed' | 'same' | 'gap';
  readonly text: string;
  readonly key: number;
}

/** Two texts line by line; of what is the same only `context` lines around changes. Equal texts give no rows. */
export function diffRows(before: string, after: string, context = 3): readonly DiffRow[] {
  const rows = diffLines(ended(before), ended(after)).flatMap(({ value, added, removed }) =>
    value
      .replace(/\n$/, '')
      .split('\n')
      .map((text) => ({ kind: added ? ('added' as const) : removed ? ('removed' as const) : ('same' as const), text })),
  );
  const changed = rows.flatMap(({ kind }, place) => (kind === 'same' ? [] : [place]));
  if (changed.length === 0) return [];
  const near = new Set(changed.flatMap((place) => Array.from({ length: 2 * context + 1 }, (_, step) => place - context + step)));
  const shown: { kind: DiffRow['kind']; text: string }[] = [];
  rows.forEach((row, place) => {
    if (near.has(place)) shown.push(row);
    else if (shown.at(-1)?.kind !== 'gap') shown.push({ kind: 'gap', text: '…' });
  });
  return shown.map((row, key) => ({ ...row, key }));
}

const ended = (text: string) => (text.endsWith('\n') || text === '' ? text : `${text}\n`);
