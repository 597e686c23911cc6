import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { FILE_TOOLS } from '../src/adapters/tools/file-tools.js';
import type { ToolContext, ToolResult } from '../src/application/ports.js';
import { scratchFolder } from './support/runtime-process.js';

let folder: ReturnType<typeof scratchFolder>;
let workspace: string;

beforeEach(() => {
  folder = scratchFolder();
  workspace = path.join(folder.path, 'workspace');
  mkdirSync(workspace);
  writeFileSync(path.join(folder.path, 'secret'), 'outside');
});
afterEach(() => folder.remove());

const context = (): ToolContext => ({ sessionId: 's', runId: 'r', workspace, signal: new AbortController().signal, onProcess: () => undefined });
function use(name: string, input: unknown): Promise<ToolResult> {
  const tool = FILE_TOOLS.find((one) => one.name === name);
  if (!tool) throw new Error(`no tool ${name}`);
  return tool.run(input, context());
}

describe('file tools', () => {
  it('write, read, edit and list', async () => {
    expect(await use('write', { path: 'a/b.txt', content: 'one\ntwo\n' })).toEqual({ content: 'Written: 8 bytes.' });
    expect(await use('read', { path: 'a/b.txt' })).toEqual({ content: 'one\ntwo' });
    expect(await use('edit', { path: 'a/b.txt', old_text: 'two', new_text: '$& $1' })).toEqual({ content: 'Replaced 1 place.' });
    expect(readFileSync(path.join(workspace, 'a/b.txt'), 'utf8')).toBe('one\n$& $1\n');
    expect((await use('list', {})).content).toBe('a/');
    expect((await use('list', { depth: 2 })).content).toBe('a/\na/b.txt  10 bytes');
  });

  it('edit only what is unique, unless told otherwise', async () => {
    await use('write', { path: 'x', content: 'a a a' });
    expect(await use('edit', { path: 'x', old_text: 'a', new_text: 'b' })).toMatchObject({ isError: true, content: expect.stringContaining('3 times') });
    expect(await use('edit', { path: 'x', old_text: 'c', new_text: 'b' })).toMatchObject({ isError: true, content: expect.stringContaining('does not occur') });
    expect((await use('edit', { path: 'x', old_text: 'a', new_text: 'b', replace_all: true })).content).toBe('Replaced 3 places.');
  });

  it('lose nothing when two calls change one file at the same time', async () => {
    await use('write', { path: 'x', content: '1 2 3 4' });
    await Promise.all(['1', '2', '3', '4'].map((digit) => use('edit', { path: 'x', old_text: digit, new_text: `[${digit}]` })));
    expect(readFileSync(path.join(workspace, 'x'), 'utf8')).toBe('[1] [2] [3] [4]');
  });

  it('read long files part by part', async () => {
    await use('write', { path: 'long', content: Array.from({ length: 5_000 }, (_, i) => `line ${i + 1}`).join('\n') });
    const { content } = await use('read', { path: 'long' });
    expect(content).toMatch(/line 2000\n\(Lines 1–2000 of 5000; go on with offset 2001\.\)$/);
    expect((await use('read', { path: 'long', offset: 4_999 })).content).toBe('line 4999\nline 5000');
    expect((await use('read', { path: 'long', offset: 6_000 })).content).toContain('only 5000 lines');
  });

  it.each(['../secret', '/etc/passwd', 'a/../../secret', 'link', 'linked/secret', 'dangling', 'circle', '..\u0000'])(
    'do not leave the workspace by %j',
    async (given) => {
      symlinkSync(path.join(folder.path, 'secret'), path.join(workspace, 'link'));
      symlinkSync(folder.path, path.join(workspace, 'linked'));
      symlinkSync(path.join(folder.path, 'created'), path.join(workspace, 'dangling'));
      symlinkSync('circle', path.join(workspace, 'circle'));
      for (const [name, input] of Object.entries({ read: {}, write: { content: 'x' }, edit: { old_text: 'outside', new_text: 'x' }, list: {} })) {
        expect(await use(name, { path: given, ...input })).toMatchObject({ isError: true });
      }
      expect(readFileSync(path.join(folder.path, 'secret'), 'utf8')).toBe('outside');
      expect(existsSync(path.join(folder.path, 'created'))).toBe(false);
    },
  );

  it('take absolute paths and links that stay inside', async () => {
    await use('write', { path: path.join(workspace, 'x'), content: 'in' });
    symlinkSync('x', path.join(workspace, 'inner'));
    expect(await use('read', { path: 'inner' })).toEqual({ content: 'in' });
  });

  it('answer what cannot be done with what is wrong, and do not hang on a pipe', async () => {
    mkdirSync(path.join(workspace, 'dir'));
    writeFileSync(path.join(workspace, 'binary'), Buffer.from([1, 0, 2]));
    execFileSync('mkfifo', [path.join(workspace, 'pipe')]);
    const cases: [string, object, RegExp][] = [
      ['read', { path: 'nowhere' }, /no such file/],
      ['read', { path: 'dir' }, /folder/],
      ['read', { path: 'binary' }, /binary/],
      ['read', { path: 'pipe' }, /not a regular file/],
      ['write', { path: 'dir', content: '' }, /EISDIR/],
      ['write', { path: 'binary/x', content: '' }, /EEXIST|ENOTDIR/],
      ['list', { path: 'binary' }, /ENOTDIR/],
      ['read', {}, /^The input cannot be used\. path:/],
    ];
    for (const [name, input, words] of cases) expect(await use(name, input)).toMatchObject({ isError: true, content: expect.stringMatching(words) });
  });
});
