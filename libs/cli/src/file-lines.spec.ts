import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileLines } from './file-lines.js';

describe('the lines of a file', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'lines-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  async function read(text: string): Promise<string[]> {
    const file = path.join(folder, 'f');
    writeFileSync(file, text);
    const lines: string[] = [];
    for await (const line of fileLines(file)) lines.push(line);
    return lines;
  }

  it('end at line feeds only: JSON leaves the separators of Unicode as they are', async () => {
    const memory = JSON.stringify({ content: 'a\u2028b\u2029c\rd\u0085e\vf' });
    expect(await read(`${memory}\n\n${memory}\r\nlast`)).toEqual([memory, memory, 'last']);
  });

  it('are whole, however long they are', async () => {
    const long = '数'.repeat(100_000);
    expect(await read(`${long}\n${long}\n`)).toEqual([long, long]);
  });

  it('of a file that is not there are a failure that names it', async () => {
    const read = async () => {
      for await (const line of fileLines(path.join(folder, 'missing'))) expect(line).toBe('never');
    };
    await expect(read()).rejects.toMatchObject({ code: 'UNREADABLE', message: expect.stringContaining('missing') });
  });
});
