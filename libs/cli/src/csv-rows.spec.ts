import fc from 'fast-check';
import { csvRows } from './csv-rows.js';

async function* linesOf(text: string): AsyncGenerator<string> {
  yield* text.split('\n');
}

async function read(text: string, columns: readonly string[] = ['user', 'scopeRef', 'name']) {
  const rows = [];
  for await (const row of csvRows(linesOf(text), columns)) rows.push(row);
  return rows;
}

describe('rows of CSV files', () => {
  it('have the names of the first row; empty cells and empty lines are left out', async () => {
    expect(await read('\uFEFFuser,scopeRef,name\nme,c1,\n\nyou,"c,2","say ""hi"""')).toEqual([
      { line: 2, cells: { user: 'me', scopeRef: 'c1' } },
      { line: 4, cells: { user: 'you', scopeRef: 'c,2', name: 'say "hi"' } },
    ]);
  });

  it('may go over several lines inside quotes, and are named by their first', async () => {
    expect(await read('user,name\nme,"a\nb"\nyou,c')).toEqual([
      { line: 2, cells: { user: 'me', name: 'a\nb' } },
      { line: 4, cells: { user: 'you', name: 'c' } },
    ]);
  });

  it.each([
    ['user,colour\nme,red', 'The column "colour" is none of'],
    ['user,name\nme', 'Line 2: 1 cells under 2 columns'],
    ['user,name\nme,"open', 'Line 2: a quote is not closed'],
    ['user,name\nme,a"b"', 'Line 2: a quote stands inside'],
  ])('%j is refused and said where', async (text, message) => {
    await expect(read(text)).rejects.toThrow(message);
  });

  it('come back as they were written', async () => {
    const cell = fc.string({ unit: fc.constantFrom('a', ',', '"', '\n', ' ') });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(cell, cell), { maxLength: 5 }), async (cells) => {
        const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
        const rows = await read(['user,name', ...cells.map((row) => row.map(quoted).join(','))].join('\n'));
        const kept = cells.filter((row) => row.some((one) => one !== '')).map(([user, name]) => ({ ...(user && { user }), ...(name && { name }) }));
        expect(rows.map((row) => row.cells)).toEqual(kept);
      }),
    );
  });
});
