import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import type { DumpLine } from '@plexus/database';
import { readPackedLines, SummedFile, sumOf } from './packed-lines.js';

describe('lines of a packed dump', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'plexus-lines-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const read = async (file: string): Promise<DumpLine[]> => {
    const lines: DumpLine[] = [];
    for await (const line of readPackedLines(path.join(folder, file))) lines.push(line);
    return lines;
  };

  it('come back as they were written, whatever ends a line elsewhere, and however long they are', async () => {
    const rows: DumpLine[] = [
      { table: ['routing', 'messages'], columns: ['text'] },
      ['one\u2028two\u2029three\u0085four\r\nfive\vsix\fseven'],
      [null, '', '\u0001', '\u{1F600}'.repeat(200_000)],
      ['x'.repeat(3_000_000), 'é'],
      { sequence: ['routing', 's'], value: '7', called: true },
    ];
    const file = new SummedFile(folder, 'a.rows.gz', { packed: true });
    for (const row of rows) await file.write(`${JSON.stringify(row)}\n`);
    const sum = await file.end();
    expect(await sumOf(path.join(folder, 'a.rows.gz'), 'a.rows.gz')).toEqual(sum);
    expect(await read('a.rows.gz')).toEqual(rows);
  });

  it('are refused when the file is cut off, is no archive, or is not there', async () => {
    const whole = gzipSync(`${JSON.stringify(['a'.repeat(1_000)])}\n${JSON.stringify(['b'])}`);
    writeFileSync(path.join(folder, 'torn.gz'), whole);
    await expect(read('torn.gz')).rejects.toThrow('torn.gz ends in the middle of a line');
    writeFileSync(path.join(folder, 'cut.gz'), readFileSync(path.join(folder, 'torn.gz')).subarray(0, whole.length - 6));
    await expect(read('cut.gz')).rejects.toThrow();
    writeFileSync(path.join(folder, 'text.gz'), 'not packed');
    await expect(read('text.gz')).rejects.toThrow();
    await expect(read('none.gz')).rejects.toThrow('ENOENT');
  });
});
