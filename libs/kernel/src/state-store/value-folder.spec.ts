import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { nameOfPieces, pathOfName } from './file-names.js';
import { FileState } from './file-state.js';
import { ValueFolder } from './value-folder.js';

describe('the folder of a value', () => {
  const root = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'plexus-value-')));
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it('a writer that was stopped while many others wrote does not win, although its number is free again', async () => {
    const store = new FileState(root);
    for (let n = 1; n <= 20; n += 1) await store.put('r', 'x', `value ${n}`);
    const folder = new ValueFolder(root, path.join(root, 'r', 'x'));
    await expect(folder.commit(4, 'late')).rejects.toMatchObject({ code: 'CONFLICT', details: { expected: 3, actual: 20 } });
    await expect(folder.commit(18, 'late')).resolves.toBe(false);
    await expect(store.get('r', 'x')).resolves.toMatchObject({ version: 20, value: 'value 20' });
  });
});

describe('names as paths', () => {
  it('come back as they were, whatever they are, and lead nowhere else', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 120 }), (name) => {
        const relative = pathOfName(name);
        expect(nameOfPieces(relative.split(path.sep))).toBe(name);
        expect(path.normalize(relative)).toBe(relative);
        expect(relative).toMatch(/^[a-z0-9_%/~-]+$/);
        for (const piece of relative.split(path.sep)) expect(piece.length).toBeLessThanOrEqual(201);
      }),
    );
    expect(nameOfPieces(['README'])).toBeUndefined();
    expect(nameOfPieces(['%4'])).toBeUndefined();
  });
});
