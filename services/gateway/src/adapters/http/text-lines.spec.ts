import { Readable } from 'node:stream';
import { textLines } from './text-lines.js';

async function linesOf(chunks: Iterable<Buffer>, maxLength = 1_000): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of textLines(Readable.from(chunks), maxLength)) lines.push(line);
  return lines;
}

describe('the lines of a body', () => {
  it('are the same however the body is cut into pieces', async () => {
    const bytes = Buffer.from('one\r\nzwö 😀\n\nlast');
    for (const size of [1, 2, 3, 5, 100]) {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size));
      expect(await linesOf(chunks)).toEqual(['one', 'zwö 😀', '', 'last']);
    }
  });

  it('that do not end are not held in memory for ever, and their sender can still be told', async () => {
    let taken = 0;
    function* endless(): Generator<Buffer> {
      for (; taken < 10_000; taken += 1) yield Buffer.alloc(100, 'x');
    }
    const body = Readable.from(endless());
    const read = async () => {
      for await (const line of textLines(body, 1_000)) expect(line).toBe('never');
    };
    await expect(read()).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    expect(taken).toBeLessThan(1_000);
    expect(body.destroyed).toBe(false);
  });
});
