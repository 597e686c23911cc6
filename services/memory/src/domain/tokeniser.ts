import { toStorableText } from '@plexus/kernel';

/** Version of the rules below, stored with every memory: terms of different versions are not comparable. */
export const LEX_VERSION = 1;

/** A longer word is cut, the same way for texts and queries: Postgres takes lexemes of at most 2 KiB. */
const MAX_WORD_CHARACTERS = 64;
/** A longer identifier is indexed as a whole and by its first parts. */
const MAX_PARTS = 16;

const CJK = '[[\\p{sc=Han}\\p{sc=Hiragana}\\p{sc=Katakana}\\p{sc=Hangul}\\p{sc=Bopomofo}ー]&&[\\p{L}\\p{N}]]';
const LETTER = `[[\\p{L}\\p{N}]--${CJK}]`;
const CONTINUED = `${LETTER}[${LETTER}\\p{M}]*`;
/** Either a run of CJK characters, or a word: letters and digits, joined by - and _, and by a point between digits (3.14, 1.2.3). */
const RUN = new RegExp(`(?<cjk>${CJK}+)|${CONTINUED}(?:(?:[\\-_]+|(?<=\\p{Nd})\\.(?=\\p{Nd}))${CONTINUED})*`, 'gv');

/** Where one identifier holds several words: `a-b`, `a_b`, `1.2`, `camelCase`, `HTTPServer`. */
const PART_BORDER = /[-_.]+|(?<=[\p{Ll}\p{N}])(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})/u;
/** Joiners, variation selectors, soft hyphens, direction marks: they change how a text looks, not what it says. */
const IGNORABLE = /\p{Default_Ignorable_Code_Point}/gu;

/** One stretch of text as the tokeniser sees it. */
export type Run =
  | { readonly kind: 'cjk'; readonly characters: readonly string[]; readonly at: number }
  | { readonly kind: 'word'; readonly whole: string; readonly parts: readonly string[]; readonly at: number };

/** The form in which texts are compared: NFKC, without what is invisible. Case is kept; words are lowered when they are split. */
export function foldText(text: string): string {
  return toStorableText(text).normalize('NFKC').replace(IGNORABLE, '').replaceAll('\u2010', '-');
}

/** Splits an already folded text into runs. `at` is the position of the run in it. Never throws. */
export function* runsOf(folded: string): Generator<Run> {
  for (const match of folded.matchAll(RUN)) {
    const run = match[0];
    if (match.groups?.cjk !== undefined) yield { kind: 'cjk', characters: [...run], at: match.index };
    else yield { kind: 'word', whole: term(run), parts: partsOf(run), at: match.index };
  }
}

/** Every term under which a text can be found, each once: the content of its `tsvector`. */
export function documentTerms(text: string): string[] {
  const terms = new Set<string>();
  for (const run of runsOf(foldText(text))) {
    if (run.kind === 'word') {
      terms.add(run.whole);
      for (const part of run.parts) terms.add(part);
    } else {
      for (const bigram of bigramsOf(run.characters)) terms.add(bigram);
      // The last single makes a one-character query findable as a prefix wherever the character stands.
      terms.add(run.characters.at(-1) as string);
    }
  }
  return [...terms];
}

/** Overlapping pairs; none for a single character. */
export function bigramsOf(characters: readonly string[]): string[] {
  return characters.slice(1).map((character, index) => `${characters[index]}${character}`);
}

/** The words inside an identifier, each once; none when it is one word. */
function partsOf(run: string): string[] {
  const parts = run.split(PART_BORDER).filter((part) => part !== '');
  return parts.length < 2 ? [] : [...new Set(parts.slice(0, MAX_PARTS).map(term))];
}

function term(word: string): string {
  const lowered = word.toLowerCase();
  if (lowered.length <= MAX_WORD_CHARACTERS) return lowered;
  return [...lowered].slice(0, MAX_WORD_CHARACTERS).join('');
}
