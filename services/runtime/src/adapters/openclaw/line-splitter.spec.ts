import fc from 'fast-check';
import { encodeCommand, readBridgeLine } from './bridge-wire.js';
import { type Line, LineSplitter } from './line-splitter.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function split(chunks: readonly Uint8Array[], maxBytes?: number): Line[] {
  const splitter = new LineSplitter(maxBytes);
  return [...chunks.flatMap((chunk) => splitter.push(chunk)), ...splitter.end()];
}

/** The same bytes, cut at the given places. */
function cut(whole: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [...new Set(places.map((place) => place % (whole.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((from, index) => whole.subarray(from, at[index] ?? whole.length));
}

describe('the lines of a bridge', () => {
  it('are the same however the bytes are cut, whatever the bytes are', () => {
    const text = fc.array(fc.constantFrom('{"a":1}', 'é€😀', '\n', '\r\n', ' ', 'x'.repeat(40)), { maxLength: 30 }).map((parts) => bytes(parts.join('')));
    fc.assert(
      fc.property(fc.oneof(text, fc.uint8Array({ maxLength: 200 })), fc.array(fc.nat(300), { maxLength: 20 }), (whole, places) => {
        expect(split(cut(whole, places), 64)).toEqual(split([whole], 64));
      }),
    );
  });

  it('come one by one, without their ends, blank ones left out, the last one also without an end', () => {
    expect(split([bytes('one\r\n\n  \ntwo\nthr'), bytes('ee')]).map((line) => line.kind === 'text' && line.text)).toEqual(['one', 'two', 'three']);
  });

  it('that are too long are skipped by size, and the next one is whole', () => {
    const chunks = Array.from({ length: 40 }, () => bytes('x'.repeat(100)));
    expect(split([...chunks, bytes('\nafter\n')], 1_000)).toEqual([
      { kind: 'too-long', bytes: 4_000 },
      { kind: 'text', text: 'after', bytes: 5 },
    ]);
    expect(split([bytes('x'.repeat(1_000)), bytes('\n')], 1_000)).toMatchObject([{ kind: 'text', bytes: 1_000 }]);
  });

  it('never make the reader throw, whatever they say', () => {
    const broken = fc.oneof(
      fc.string(),
      fc.json(),
      fc.record({ type: fc.constantFrom('text_chunk', 'execution_complete', 'cp_request', 'snapshot', 'other'), session_id: fc.anything() }).map((one) => {
        return JSON.stringify(one, (_, value) => (typeof value === 'bigint' ? String(value) : value)) ?? 'null';
      }),
    );
    fc.assert(fc.property(broken, (text) => void readBridgeLine(text)));
  });

  it.each([
    ['{', 'syntax'],
    ['[]', 'no line of the bridge protocol'],
    ['null', 'no line of the bridge protocol'],
    ['{"type":"what"}', 'no line of the bridge protocol'],
    ['{"type":"text_chunk","session_id":"s","content":"secret"}', 'text_chunk: wrong or missing run_id'],
    ['{"type":"cp_request","session_id":"s","method":"m","params":{}}', 'cp_request: wrong or missing id'],
    ['{"type":"text_chunk","__proto__":{"x":1}}', ''],
    [`${'['.repeat(200)}${']'.repeat(200)}`, ''],
  ])('%j is refused with a reason that quotes nothing', (text, reason) => {
    const read = readBridgeLine(text);
    expect(read).toMatchObject({ ok: false });
    if (!read.ok && reason !== 'syntax') expect(read.error).toContain(reason);
    if (!read.ok) expect(read.error).not.toContain('secret');
  });

  it('to a bridge are one line each for whoever takes other characters for the end of one too', () => {
    const command = { type: 'user_message', session_id: 's', run_id: 'r', data: { message: 'one\u2028two\u2029three\nfour' } } as Parameters<
      typeof encodeCommand
    >[0];
    const line = encodeCommand(command);
    expect(line.trimEnd().split(/[\n\r\u2028\u2029]/)).toHaveLength(1);
    expect(JSON.parse(line)).toEqual(command);
  });

  it('keep what they carry beyond what we know', () => {
    expect(readBridgeLine('{"type":"text_chunk","session_id":"s","run_id":"r","content":"x","more":1}')).toMatchObject({
      ok: true,
      value: { content: 'x', more: 1 },
    });
  });
});
