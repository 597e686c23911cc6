import fc from 'fast-check';
import { EventStreamReader } from './event-source.js';

const read = (...pieces: string[]) => {
  const reader = new EventStreamReader();
  return { events: pieces.flatMap((piece) => reader.push(piece)), reader };
};

describe('a stream of server-sent events', () => {
  it('gives event, data of several lines and the id that stays until the next one', () => {
    const { events, reader } = read('id: 7\nevent: inbox.item\ndata: {"a":1}\ndata: more\n\n: a comment\n\ndata: x\n\nretry: 250\nid\n\n');
    expect(events).toEqual([
      { id: '7', event: 'inbox.item', data: '{"a":1}\nmore' },
      { id: '7', event: 'message', data: 'x' },
    ]);
    expect(reader.retryMs).toBe(250);
    expect(reader.lastEventId).toBe('');
  });

  it('takes CR, LF and CRLF, also cut in the middle', () => {
    expect(read('data: a\r', '\ndata: b\r\n\r', '\ndata: c\n\n', 'data: d\r\r', ' ').events.map(({ data }) => data)).toEqual(['a\nb', 'c', 'd']);
  });

  it('gives the same events however the text is cut', () => {
    const line = fc.oneof(
      fc.constantFrom('', ':comment', 'event: e', 'id: 1', 'data', 'nonsense: x'),
      fc.string({ maxLength: 8 }).map((text) => `data: ${text.replace(/[\r\n]/g, '')}`),
    );
    const text = fc.array(fc.tuple(line, fc.constantFrom('\n', '\r\n', '\r')), { maxLength: 30 }).map((lines) => lines.map((pair) => pair.join('')).join(''));
    fc.assert(
      fc.property(text, fc.array(fc.nat(200), { maxLength: 10 }), (whole, cuts) => {
        const places = [0, ...cuts.map((cut) => cut % (whole.length + 1)).sort((a, b) => a - b), whole.length];
        const pieces = places.slice(1).map((place, index) => whole.slice(places[index], place));
        expect(read(...pieces, ':end\n').events).toEqual(read(whole, ':end\n').events);
      }),
    );
  });

  it('refuses an event without an end instead of keeping all of it', () => {
    const reader = new EventStreamReader();
    const piece = `data: ${'x'.repeat(1024 * 1024)}\n`;
    expect(() => {
      for (let i = 0; i < 8; i++) reader.push(piece);
    }).toThrow(RangeError);
  });
});
