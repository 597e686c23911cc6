import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { configHash, loadConfigFile, MAX_FILE_BYTES } from '../index.js';

let folder: string;
let outside: string;
const write = (name: string, content: unknown) => {
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
};
const load = (content: unknown, options = {}) => loadConfigFile(write('plexus.json5', content), options);
const codes = (result: ReturnType<typeof loadConfigFile>) => (result.ok ? [] : result.error.map((issue) => `${issue.path || '.'} ${issue.code}`));
const documentOf = (result: ReturnType<typeof loadConfigFile>) => {
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value.document;
};

beforeEach(() => {
  const root = mkdtempSync(path.join(os.tmpdir(), 'plexus-config-'));
  folder = path.join(root, 'etc');
  outside = path.join(root, 'outside.json5');
  mkdirSync(folder);
  writeFileSync(outside, '{ agents: { list: [{ id: "stolen" }] } }');
});
afterEach(() => rmSync(path.dirname(folder), { recursive: true, force: true }));

describe('loadConfigFile', () => {
  it('reads JSON5 with comments and trailing commas, and tells files and hash', () => {
    const result = load('// people\n{ agents: { list: [{ id: "a", }, ] }, defaultOwner: \'anna\' }');
    const document = { agents: { list: [{ id: 'a' }] }, defaultOwner: 'anna' };
    expect(result).toEqual({ ok: true, value: { document, files: [path.join(folder, 'plexus.json5')], hash: configHash(document) } });
  });

  it('D1: an invalid file is refused with the place where it stops being JSON5, and quotes nothing of it', () => {
    const result = load('{ token: "hunter2",\n  agents: }');
    expect(codes(result)).toEqual(['. syntax']);
    expect(JSON.stringify(result)).toContain('2:11');
    expect(JSON.stringify(result)).not.toContain('hunter2');
  });

  it('replaces one include, merges a list of them in order, and lets siblings win', () => {
    write('agents.json5', { list: [{ id: 'a' }] });
    write('more.json5', { list: [{ id: 'b' }], defaults: { model: 'x' } });
    write('session.json5', '{ dmScope: "main" }');
    const document = documentOf(
      load({ agents: { $include: ['./agents.json5', './more.json5'], defaults: { model: 'y' } }, session: { $include: 'session.json5' } }),
    );
    expect(document).toEqual({ agents: { list: [{ id: 'a' }, { id: 'b' }], defaults: { model: 'y' } }, session: { dmScope: 'main' } });
  });

  it('resolves an include relative to the file that holds it', () => {
    write('parts/a.json5', { x: { $include: './b.json5' } });
    write('parts/b.json5', '7');
    expect(documentOf(load({ $include: 'parts/a.json5' }))).toEqual({ x: 7 });
  });

  it('reports a cycle with the way round', () => {
    write('a.json5', { $include: './b.json5' });
    write('b.json5', { $include: './a.json5' });
    const result = load({ agents: { $include: './a.json5' } });
    expect(codes(result)).toEqual(['agents include_cycle']);
    expect(JSON.stringify(result)).toContain('a.json5 → b.json5 → a.json5');
  });

  it('includes ten levels deep and not eleven', () => {
    for (let level = 1; level <= 11; level++) write(`l${level}.json5`, level === 11 ? { end: true } : { $include: `./l${level + 1}.json5` });
    expect(codes(load({ $include: './l2.json5' }))).toEqual([]);
    expect(codes(load({ $include: './l1.json5' }))).toEqual(['$include include_too_deep']);
  });

  it('stops at includes that multiply', () => {
    for (let level = 1; level <= 9; level++)
      write(`m${level}.json5`, level === 9 ? {} : { $include: Array.from({ length: 8 }, () => `./m${level + 1}.json5`) });
    const result = load({ $include: './m1.json5' });
    expect(result.ok ? [] : result.error.map(({ code }) => code)).toEqual(['too_many_includes']);
  });

  it('refuses files above 2 MiB, folders, pipes, missing ones, and includes that are no paths', () => {
    write('big.json5', `"${'x'.repeat(MAX_FILE_BYTES)}"`);
    execFileSync('mkfifo', [path.join(folder, 'pipe')]);
    mkdirSync(path.join(folder, 'dir'));
    expect(
      codes(
        load({
          a: { $include: 'big.json5' },
          b: { $include: 'pipe' },
          c: { $include: 'dir' },
          d: { $include: 'gone' },
          e: { $include: 3 },
          f: { $include: ['big.json5', ''] },
        }),
      ),
    ).toEqual([
      'a file_too_large',
      'b not_a_file',
      'c not_a_file',
      'd unreadable_file',
      'e.$include bad_include',
      'f file_too_large',
      'f.$include.1 bad_include',
    ]);
    expect(codes(loadConfigFile(path.join(folder, 'nothing.json5')))).toEqual(['. unreadable_file']);
  });

  it('stays in its folder, by name and through links', () => {
    symlinkSync(outside, path.join(folder, 'link.json5'));
    symlinkSync(path.dirname(folder), path.join(folder, 'up'));
    const wanted = ['../outside.json5', outside, './link.json5', './up/outside.json5', '.', '../etc/../outside.json5'];
    const result = load(Object.fromEntries(wanted.map((name, index) => [`k${index}`, { $include: name }])));
    expect(result.ok ? [] : result.error.map(({ code }) => code)).toEqual(wanted.map(() => 'include_outside'));
    expect(JSON.stringify(result)).not.toContain('stolen');
  });

  it('reads a file that is mounted through links of its own folder', () => {
    const real = path.join(folder, '..2026_11_21');
    mkdirSync(real);
    writeFileSync(path.join(real, 'plexus.json5'), '{ $include: "./part.json5" }');
    writeFileSync(path.join(real, 'part.json5'), '{ defaultOwner: "anna" }');
    for (const name of ['plexus.json5', 'part.json5']) symlinkSync(path.join('..2026_11_21', name), path.join(folder, name));
    expect(documentOf(loadConfigFile(path.join(folder, 'plexus.json5')))).toEqual({ defaultOwner: 'anna' });
  });

  it('never reads outside of its folder, whatever an include says', () => {
    const part = fc.constantFrom('..', '.', 'a', 'b.json5', '/', '//', '~', '...', '..a', 'C:\\', '\\..', '%2e%2e', '');
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), (parts) => {
        const read: string[] = [];
        const root = '/etc/plexus/plexus.json5';
        loadConfigFile(root, {
          readFile: (file) => {
            read.push(file);
            return file === root ? JSON.stringify({ $include: [parts.join('/'), parts.join('')] }) : '{}';
          },
        });
        for (const file of read) expect(path.resolve(file).startsWith('/etc/plexus/')).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  it('keeps references, names every missing one when variables are given, and refuses broken ones', () => {
    const content = { a: `\${SET}`, b: [`\${GONE}/x`, `$\${NOT_ONE}`], c: `\${EMPTY}`, d: `\${OWN}`, env: { OWN: 'x' } };
    expect(documentOf(load(content))).toEqual(content);
    expect(codes(load(content, { env: { SET: 'hunter2', EMPTY: '' } }))).toEqual(['b.0 missing_reference', 'c missing_reference']);
    const broken = load({ token: `\${bot-token}` });
    expect(broken).toMatchObject({ ok: false, error: [{ path: 'token', code: 'bad_reference', fix: `write \${BOT_TOKEN}` }] });
  });

  it('refuses numbers that JSON does not have, keys of prototypes, and nesting without end', () => {
    expect(codes(load('{ a: { b: Infinity } }'))).toEqual(['a.b not_json']);
    expect(codes(load('{ a: { "__proto__": { x: 1 } } }'))).toEqual(['a.__proto__ forbidden_key']);
    expect(codes(load('['.repeat(100_000)))).toEqual(['. syntax']);
    expect(codes(load(`${'['.repeat(100)}${']'.repeat(100)}`))).toEqual(['. too_deep']);
  });

  it('says with every refusal what stands there and what to do', () => {
    const faults = ['{ a: }', '{ a: [1', '{ a: NaN }', `${'['.repeat(100)}${']'.repeat(100)}`].map((text) => load(text));
    expect(faults.map((result) => result.ok || result.error[0])).toEqual([
      expect.objectContaining({ code: 'syntax', value: '}', fix: expect.stringContaining('quote') }),
      expect.objectContaining({ code: 'syntax', value: 'end of the text', fix: expect.stringContaining('quote') }),
      expect.objectContaining({ code: 'not_json', value: 'NaN', fix: expect.stringContaining('number') }),
      expect.objectContaining({ code: 'too_deep', value: expect.anything(), fix: expect.stringContaining('levels') }),
    ]);
    write('big.json5', `"${'x'.repeat(MAX_FILE_BYTES)}"`);
    const broken = load({ a: { $include: 'gone' }, b: { $include: 3 }, c: { $include: '.' }, d: { $include: 'big.json5' }, e: { $include: '../x' } });
    expect(broken.ok ? [] : broken.error.filter(({ fix }) => fix === undefined)).toEqual([]);
  });

  it('names every file that it looked for, also those that are missing or broken', () => {
    write('broken.json5', '{');
    const looked: string[] = [];
    const result = load(
      { a: { $include: './broken.json5' }, b: { $include: './gone.json5' }, c: { $include: '../outside.json5' } },
      {
        onFile: (file: string) => looked.push(path.relative(folder, file)),
      },
    );
    expect(result.ok).toBe(false);
    expect(looked).toEqual(['plexus.json5', 'broken.json5', 'gone.json5']);
  });

  it('takes any text without throwing', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        const result = loadConfigFile('/c/plexus.json5', { readFile: () => text });
        if (!result.ok) expect(result.error.length).toBeGreaterThan(0);
      }),
    );
  });
});
