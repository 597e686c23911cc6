import { readFrontMatter } from './front-matter.js';
import { readSkill } from './skill-manifest.js';
import { compareVersions, highest } from './skill-version.js';

const file = (path: string, text: string) => ({ path, bytes: Buffer.from(text) });
const skillMd = (...lines: string[]): string => ['---', ...lines, '---', '', '# Body', ''].join('\n');
const GOOD = ['name: log-digest', 'description: Counts what a log says.', 'version: 1.2.0'];

describe('front matter', () => {
  it('is read as people write it', () => {
    const { data, body } = readFrontMatter(
      [
        '---',
        '# a comment',
        'name: log-digest',
        "description: 'It''s a digest'",
        'quoted: "a: b\\n# c"   # comment',
        'license: MIT # with a comment',
        'flag: true',
        'count: 3',
        'empty:',
        'flow: [git, "jq", \'a, b\']',
        'none: []',
        'folded: >-',
        '  one',
        '  two',
        '',
        '  three',
        'literal: |',
        '  a',
        '    b',
        'requires:',
        '  binaries:',
        '    - git',
        '    - "jq"',
        '  env_vars:',
        '  - API_KEY # why',
        'last: x',
        '---',
        'Body',
        '---',
        'more',
      ].join('\r\n'),
    );
    expect(data).toEqual({
      name: 'log-digest',
      description: "It's a digest",
      quoted: 'a: b\n# c',
      license: 'MIT',
      flag: true,
      count: 3,
      empty: null,
      flow: ['git', 'jq', 'a, b'],
      none: [],
      folded: 'one two\nthree',
      literal: 'a\n  b\n',
      requires: { binaries: ['git', 'jq'], env_vars: ['API_KEY'] },
      last: 'x',
    });
    expect(body).toBe('Body\n---\nmore');
  });

  it.each([
    ['no front matter', '# Title', /line 1: .*begin with a line ---/],
    ['no end', '---\nname: x', /has no end/],
    ['a tab', '---\na:\n\tb: c\n---', /line 3: .*tab/],
    ['an anchor', '---\na: &x y\n---', /line 2: begins with &/],
    ['a flow map', '---\na: {b: c}\n---', /line 2: begins with \{/],
    ['an unquoted colon', '---\na: b: c\n---', /line 2: holds a colon/],
    ['a key twice', '---\na: 1\na: 2\n---', /line 3: "a" is there twice/],
    ['a key that changes prototypes', '---\n__proto__: 1\n---', /not allowed/],
    ['stray text', '---\nhello\n---', /line 2: is no `key: value`/],
    ['an odd indent', '---\na: 1\n  b: 2\n---', /line 3: is indented/],
    ['an open quote', '---\na: "b\n---', /double quotes has no end/],
    ['an open list', '---\na: [b\n---', /list has no end/],
    ['a list of lists', '---\na: [[b]]\n---', /no plain list/],
  ])('is refused with the line: %s', (_what, text, expected) => {
    expect(() => readFrontMatter(text)).toThrow(expected);
  });
});

describe('a package', () => {
  it('finding 11: is described by its SKILL.md, and its inventory says what is really there', () => {
    const files = [
      file('SKILL.md', skillMd(...GOOD, 'requires:', '  binaries: [awk, sort, awk]', '  env_vars: [LOG_TOKEN]', 'author: somebody')),
      file('scripts/digest.sh', '#!/bin/sh'),
      file('scripts/lib/more.awk', 'x'),
      file('references/formats.md', 'x'),
      file('notes.txt', 'x'),
    ];
    expect(readSkill(files)).toMatchObject({
      id: 'log-digest',
      version: '1.2.0',
      description: 'Counts what a log says.',
      files: 5,
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      inventory: {
        has_skill_md: true,
        has_scripts: true,
        has_references: true,
        script_files: ['scripts/digest.sh', 'scripts/lib/more.awk'],
        reference_files: ['references/formats.md'],
      },
      requires: { binaries: ['awk', 'sort'], env_vars: ['LOG_TOKEN'] },
    });
    const alone = readSkill(files.slice(0, 1).map(({ path }) => file(path, skillMd(...GOOD))));
    expect([alone.inventory, alone.requires]).toEqual([
      { has_skill_md: true, has_scripts: false, has_references: false, script_files: [], reference_files: [] },
      { binaries: [], env_vars: [] },
    ]);
  });

  it.each<[string, { path: string; bytes: Uint8Array }[], string, RegExp]>([
    ['no SKILL.md', [file('skill/SKILL.md', skillMd(...GOOD))], 'INVALID_REQUEST', /no SKILL.md at its top/],
    ['a path outside', [file('SKILL.md', skillMd(...GOOD)), file('../x', '')], 'INVALID_REQUEST', /plain relative path/],
    ['no version', [file('SKILL.md', skillMd(...GOOD.slice(0, 2)))], 'INVALID_REQUEST', /no version: add, for example/],
    ['a number as version', [file('SKILL.md', skillMd(...GOOD.slice(0, 2), 'version: 1'))], 'INVALID_REQUEST', /version 1 in SKILL.md/],
    ['a bad name', [file('SKILL.md', skillMd('name: Log Digest', ...GOOD.slice(1)))], 'INVALID_REQUEST', /name "Log Digest"/],
    ['no description', [file('SKILL.md', skillMd('name: a', 'version: 1.0.0'))], 'INVALID_REQUEST', /no description/],
    ['a misspelt requirement', [file('SKILL.md', skillMd(...GOOD, 'requires:', '  binary: [git]'))], 'INVALID_REQUEST', /not "binary"/],
    ['a path as binary', [file('SKILL.md', skillMd(...GOOD, 'requires:', '  binaries: [/bin/git]'))], 'INVALID_REQUEST', /is no name/],
    ['no UTF-8', [{ path: 'SKILL.md', bytes: Uint8Array.of(0xff, 0xfe) }], 'INVALID_REQUEST', /not UTF-8/],
    ['too much', [file('SKILL.md', skillMd(...GOOD)), { path: 'big', bytes: new Uint8Array(600_000) }], 'PAYLOAD_TOO_LARGE', /at most/],
    ['too many', Array.from({ length: 201 }, (_, index) => file(`f${index}`, '')), 'PAYLOAD_TOO_LARGE', /at most 200 files/],
  ])('is refused: %s', (_what, files, code, message) => {
    expect(() => readSkill(files)).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
  });
});

describe('versions', () => {
  it('are ordered by their numbers, pre-releases below their release', () => {
    const ordered = ['0.9.9', '1.0.0-alpha', '1.0.0-alpha.1', '1.0.0-alpha.2', '1.0.0-alpha.10', '1.0.0-beta', '1.0.0', '1.0.1', '1.2.0', '1.10.0', '2.0.0'];
    expect([...ordered].reverse().sort(compareVersions)).toEqual(ordered);
    expect(highest(ordered.map((version) => ({ version })))).toEqual({ version: '2.0.0' });
    expect(highest([])).toBeUndefined();
  });
});
