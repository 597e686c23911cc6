import { headers as natsHeaders } from '@nats-io/transport-node';
import fc from 'fast-check';
import { headerBlock, headerIn, headerText, OutgoingHeaders, parseHeaderBlock, readHeaders } from './wire-headers.js';

const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,20}$/);
const value = fc.string({ maxLength: 40, unit: 'grapheme' }).map((text) => text.replace(/[\r\n\0]/g, ' ').trim());

/** A message as the client library holds it, undecoded. */
function received(block: Uint8Array, body = Buffer.from('{}')) {
  return { _rdata: Buffer.concat([block, body]), _msg: { hdr: block.length }, headers: undefined };
}

it('what is written is read back, by us and by the client library', () => {
  fc.assert(
    fc.property(fc.dictionary(name, value, { maxKeys: 6 }), (fields) => {
      const unique = Object.fromEntries(Object.entries(fields).filter(([key], index, all) => all.findIndex(([other]) => other === key) === index));
      const block = new OutgoingHeaders().setAll(unique).encode();
      const library = natsHeaders();
      for (const [key, text] of Object.entries(unique)) library.append(key, text);
      if (Object.keys(unique).length > 0) expect(Buffer.from(block).toString()).toBe(library.toString());
      const message = received(block);
      expect(Object.fromEntries(readHeaders(message))).toEqual(unique);
      const text = headerBlock(message);
      for (const [key, expected] of Object.entries(unique)) expect(headerIn(text, key)).toBe(expected);
      expect(headerIn(text, 'Absent-Header')).toBeUndefined();
    }),
  );
});

it('falls back to decoded headers where the undecoded ones are not there', () => {
  const library = natsHeaders();
  library.append('Plexus-Deadline', '5');
  library.append('Other', 'x');
  const text = headerBlock({ headers: library });
  expect(headerIn(text, 'Plexus-Deadline')).toBe('5');
  expect(Object.fromEntries(readHeaders({ headers: library }))).toEqual({ 'Plexus-Deadline': '5', Other: 'x' });
  expect(headerBlock({ headers: undefined })).toBeUndefined();
  expect(readHeaders({ headers: undefined }).size).toBe(0);
});

it('a name is found as a whole, at the start of its line', () => {
  const block = 'NATS/1.0\r\nX-Plexus-Auth: wrong\r\nPlexus-Auth-More: wrong\r\nPlexus-Auth:right\r\nPlexus-Auth: second\r\n\r\n';
  expect(headerIn(block, 'Plexus-Auth')).toBe('right');
  expect(parseHeaderBlock(block).get('Plexus-Auth')).toBe('right');
});

it('a name or value that would break the block is refused', () => {
  const outgoing = new OutgoingHeaders();
  for (const [key, text] of [
    ['A', 'x\r\nB: y'],
    ['A', 'x\ny'],
    ['A:B', 'x'],
    ['A B', 'x'],
    ['', 'x'],
  ] as const) {
    expect(() => outgoing.set(key, text)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
  }
  expect(outgoing.toNats()).toBeUndefined();
  expect(outgoing.size).toBe(0);
});

it('any text becomes one line of bounded length', () => {
  expect(headerText('a\r\nb\tc')).toBe('a b c');
  expect(headerText('x'.repeat(600))).toHaveLength(512);
});
