import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { MemoryFolder } from '../src/adapters/file/memory-folder.js';
import { SessionMemory } from '../src/application/context/index.js';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'plexus-memory-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

describe('the folder of a session’s short-term memory', () => {
  it('holds whole files for this user alone, and nothing else', async () => {
    const folder = path.join(root, 'memory');
    const files = new MemoryFolder(folder);
    await mkdir(folder, { recursive: true });
    await writeFile(path.join(folder, '.context.json.0123456789ab.tmp'), 'left by a killed process');
    await Promise.all(['a', 'b', 'c'].map((text) => files.write('context.json', text.repeat(10_000))));
    expect(await readdir(folder)).toEqual(['context.json']);
    expect(['a', 'b', 'c'].map((text) => text.repeat(10_000))).toContain(await readFile(path.join(folder, 'context.json'), 'utf8'));
    expect((await stat(path.join(folder, 'context.json'))).mode & 0o777).toBe(0o600);
  });

  it('says what it cannot read or write', async () => {
    const files = new MemoryFolder(path.join(root, 'memory'));
    expect(await files.read('context.json', 10)).toBeUndefined();
    await files.write('context.json', 'x'.repeat(11));
    await expect(files.read('context.json', 10)).rejects.toThrow('11 bytes');
    await mkdir(path.join(root, 'memory', 'folder'));
    await expect(files.read('folder', 10)).rejects.toThrow();
    await writeFile(path.join(root, 'file'), '');
    await expect(new MemoryFolder(path.join(root, 'file')).write('a', 'b')).rejects.toThrow();
  });

  it('lets a conversation go on in another process', async () => {
    const open = () => SessionMemory.open(new MemoryFolder(path.join(root, 'memory')), { log: () => undefined });
    const conversation = [{ role: 'user' as const, text: 'Hello 👋' }];
    await (await open()).save({ conversation, context: { compactions: 0, flushedAt: null, tokenFactor: 1 } });
    expect((await open()).conversation).toEqual(conversation);
  });
});
