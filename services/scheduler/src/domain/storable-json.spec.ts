import { describe, expect, it } from '@jest/globals';
import { isStorableText } from '@plexus/kernel';
import fc from 'fast-check';
import { storableJson } from './storable-json.js';

describe('storableJson', () => {
  it('replaces what Postgres cannot keep, in values and keys, and nothing else', () => {
    expect(JSON.parse(storableJson({ 'a\u0000b': ['x\u0000', '\ud800', 'ok 😀', '\\u0000', '\\\u0000'] }))).toEqual({
      'a\ufffdb': ['x\ufffd', '\ufffd', 'ok 😀', '\\u0000', '\\\ufffd'],
    });
  });

  it('leaves every storable value as it is', () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constantFrom('\\u0000', '\\\\u0000', '\\ud800')).filter(isStorableText);
    fc.assert(fc.property(fc.dictionary(text, fc.array(text)), (value) => expect(JSON.parse(storableJson(value))).toEqual(JSON.parse(JSON.stringify(value)))));
  });

  it('always gives something storable', () => {
    const unit = fc.constantFrom('\u0000', '\ud800', '\udfff', '\\', 'u', '0', 'a', '😀');
    fc.assert(fc.property(fc.string({ unit }), (text) => isStorableText((JSON.parse(storableJson({ text })) as { text: string }).text)));
  });
});
