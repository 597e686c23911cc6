import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { runVectors, VECTOR_FILES } from '../src/vectors/index.js';

const folder = path.join(import.meta.dirname, 'vectors');
const files = readdirSync(folder).filter((file) => file.endsWith('.json'));
const load = (file: string): { name: string }[] => JSON.parse(readFileSync(path.join(folder, file), 'utf8'));

test('every kind of vector that can be run is here, and every file that is here can be run', () => {
  expect(files.sort()).toEqual([...VECTOR_FILES].sort());
});

test.each(files)('%s holds', async (file) => {
  const vectors = load(file);
  const { known, passed, failures } = await runVectors(file, vectors);
  expect({ known, failures }).toEqual({ known: true, failures: [] });
  expect(passed).toBe(vectors.length);
});

describe('the runner', () => {
  const vector = { name: 'sum', input: { text: 'hi' }, expected: 'hi' };

  test('reports what was expected and what came', async () => {
    const { passed, failures } = await runVectors('mirror-text.json', [vector, { ...vector, name: 'wrong', expected: 'ho' }]);
    expect(passed).toBe(1);
    expect(failures).toEqual([{ name: 'wrong', input: { text: 'hi' }, expected: 'ho', got: 'hi' }]);
  });

  test('takes the alternative for right, and null for a value', async () => {
    const report = await runVectors('mirror-text.json', [
      { ...vector, expected: 'ho', alternative: 'hi' },
      { ...vector, input: {}, expected: null },
    ]);
    expect(report).toMatchObject({ passed: 2, failures: [] });
  });

  test('an expected error holds only when something was thrown', async () => {
    const bad = { name: 'refused', input: { channel: 'slack', target: '#dev-ops' }, expected: { error: 'any words' } };
    const report = await runVectors('target-normalize.json', [bad, { ...bad, name: 'not refused', input: { channel: 'slack', target: '#dev' } }]);
    expect(report.passed).toBe(1);
    expect(report.failures).toMatchObject([{ name: 'not refused', got: 'channel:dev' }]);
    expect((await runVectors('target-normalize.json', [{ ...bad, expected: 'channel:dev-ops' }])).passed).toBe(0);
  });

  test('skips files of another name', async () => {
    expect(await runVectors('weather.json', [vector])).toEqual({ file: 'weather.json', known: false, passed: 0, failures: [] });
    expect((await runVectors('constructor', [vector])).known).toBe(false);
  });

  test.each([
    ['an operation that nobody knows', 'session-key.json', [{ ...vector, op: 'toString' }]],
    ['an entry that is no vector', 'session-key.json', [null]],
    ['a vector without an expectation', 'mirror-text.json', [{ name: 'x', input: {} }]],
    ['a file that is no list', 'mirror-text.json', { vectors: [] }],
  ])('%s does not pass unseen', async (_, file, content) => {
    const { passed, failures } = await runVectors(file, content);
    expect([passed, failures.length]).toEqual([0, 1]);
  });
});
