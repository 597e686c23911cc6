import fc from 'fast-check';
import { probesOf, weigh } from './evidence.js';
import { readQuery } from './query.js';
import { documentTerms, foldText, runsOf } from './tokeniser.js';

/** What the database does: which probes are among the terms of a text. */
function lexOf(query: string, text: string): number {
  const units = readQuery(query);
  const probes = probesOf(units);
  const terms = documentTerms(text);
  const found = probes.flatMap(({ term, prefix }, position) => (terms.some((t) => (prefix ? t.startsWith(term) : t === term)) ? [position] : []));
  return weigh(units, probes, new Set(found)).lex;
}

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.string({
    unit: fc.constantFrom(
      '数',
      '据',
      '库',
      'カ',
      'ﾞ',
      'が',
      '한',
      '😀',
      '\u200d',
      '\ufe0f',
      'a',
      'B',
      '9',
      '-',
      '_',
      '.',
      ' ',
      '"',
      "'",
      '\\',
      '\0',
      '\ud800',
      '\udc00',
      'é',
      'ﬁ',
      '²',
    ),
  }),
  fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
);

describe('the tokeniser', () => {
  it.each<[string, string[]]>([
    ['用户偏好', ['用户', '户偏', '偏好', '好']],
    ['数', ['数']],
    ['GitHub备份失败', ['github', 'git', 'hub', '备份', '份失', '失败', '败']],
    ['a-b', ['a-b', 'a', 'b']],
    ['snake_case and kebab-case', ['snake_case', 'snake', 'case', 'and', 'kebab-case', 'kebab']],
    ['HTTPServer', ['httpserver', 'http', 'server']],
    ['version 1.2.3, port 8080.', ['version', '1.2.3', '1', '2', '3', 'port', '8080']],
    ['ＰｏｓｔｇｒｅＳＱＬ', ['postgresql', 'postgre', 'sql']],
    ['--verbose foo- _x', ['verbose', 'foo', 'x']],
    ['ひらがな', ['ひら', 'らが', 'がな', 'な']],
    ['한국어', ['한국', '국어', '어']],
    ['naïve Straße Übung', ['naïve', 'straße', 'übung']],
    ['soft\u00adhyphen zero\u200dwidth', ['softhyphen', 'zerowidth']],
    ['𠀀𠀁', ['𠀀𠀁', '𠀁']],
    ['', []],
    [`' | ! :* 😀 \0 \ud800`, []],
  ])('splits %j', (text, terms) => {
    expect(documentTerms(text)).toEqual(terms);
  });

  it('finds the same terms before and after NFKC, and never throws (P10)', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(documentTerms(text.normalize('NFKC'))).toEqual(documentTerms(text));
      }),
      { numRuns: 1_000 },
    );
  });

  it('finds every piece of two or more characters inside one CJK run with lex 1 (P10)', () => {
    const cjk = fc.string({ unit: fc.constantFrom(...'数据库用户偏好使用配置插件天気カタカナがひら한국어𠀀々〇ー'), minLength: 2, maxLength: 40 });
    fc.assert(
      fc.property(anyText, cjk, anyText, fc.nat(), fc.nat(), (before, middle, after, from, length) => {
        const text = `${before} ${middle} ${after}`;
        for (const run of runsOf(foldText(text))) {
          if (run.kind !== 'cjk' || run.characters.length < 2) continue;
          const start = from % (run.characters.length - 1);
          const piece = run.characters.slice(start, start + 2 + (length % run.characters.length)).join('');
          // A heavier query than the limit of units keeps only some of them, which are all there as well.
          expect(lexOf(piece, text)).toBe(1);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('finds every single character of a CJK run by prefix', () => {
    for (const character of '用户偏好数据库') expect(lexOf(character, '用户偏好使用PostgreSQL数据库')).toBe(1);
  });

  it('makes terms that Postgres takes: never empty, at most 2 KiB, no quote or backslash', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        for (const term of documentTerms(text)) {
          expect(Buffer.byteLength(term)).toBeLessThanOrEqual(2_046);
          expect(term).not.toMatch(/^$|['\\\0\s]/);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('takes no quadratic time on 64 KiB of anything', () => {
    const hostile = ['a-'.repeat(32_768), 'aB'.repeat(32_768), '1.'.repeat(32_768), '数'.repeat(21_845), 'a\u0301'.repeat(16_384), 'ﷺ'.repeat(21_845)];
    for (const text of hostile) {
      const started = performance.now();
      documentTerms(text);
      expect(performance.now() - started).toBeLessThan(20_000);
    }
  });
});
