/** Where the score of a memory comes from; numbers are 0..1 or null where a signal did not count. */
export interface ScoreParts {
  readonly lex: number;
  readonly sem: number | null;
  readonly cos: number | null;
  readonly floor: number | null;
  readonly decay: number | null;
  readonly importance: number | null;
}

export interface ScoreBar {
  readonly name: 'words' | 'meaning' | 'decay' | 'importance' | 'score';
  /** 0..1. */
  readonly value: number;
}

/** The bars of a hit: what each signal adds (`0.9·sem`, `0.8·lex`), what changes the order, and the score. */
export function scoreBars(score: number, parts: ScoreParts): readonly ScoreBar[] {
  return [
    { name: 'words', value: 0.8 * parts.lex },
    ...(parts.sem === null ? [] : [{ name: 'meaning' as const, value: 0.9 * parts.sem }]),
    ...(parts.decay === null ? [] : [{ name: 'decay' as const, value: parts.decay }]),
    ...(parts.importance === null ? [] : [{ name: 'importance' as const, value: parts.importance }]),
    { name: 'score', value: score },
  ];
}

/** A text cut where one of the words stands in it, whatever its case; `hit` pieces are the words. */
export function highlight(text: string, words: readonly string[]): readonly { readonly text: string; readonly hit: boolean; readonly at: number }[] {
  const wanted = words.filter((word) => word.trim() !== '').sort((a, b) => b.length - a.length);
  if (wanted.length === 0) return [{ text, hit: false, at: 0 }];
  const pattern = new RegExp(wanted.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'), 'giu');
  const pieces: { text: string; hit: boolean; at: number }[] = [];
  let at = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index > at) pieces.push({ text: text.slice(at, match.index), hit: false, at });
    pieces.push({ text: match[0], hit: true, at: match.index });
    at = match.index + match[0].length;
  }
  if (at < text.length) pieces.push({ text: text.slice(at), hit: false, at });
  return pieces;
}
