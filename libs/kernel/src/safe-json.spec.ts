import fc from 'fast-check';
import { findJsonValue, scanJsonValue } from './embedded-json.js';
import { scanJson } from './json-scanner.js';
import { FORBIDDEN_KEYS, isStorableText, parseJson, toStorableText } from './safe-json.js';
import { stableStringify } from './stable-stringify.js';

const native = (text: string): { value: unknown } | undefined => {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
};

/** Texts near JSON: the places where parsers differ and break. */
const nearJson = fc.oneof(
  fc.json(),
  fc.string({ unit: 'binary' }),
  fc
    .array(
      fc.constantFrom(
        '{',
        '}',
        '[',
        ']',
        ':',
        ',',
        '"',
        "'",
        '\\',
        'u',
        '0',
        '1',
        '-',
        '.',
        'e',
        'NaN',
        'Infinity',
        'true',
        'null',
        '\0',
        '\ud800',
        '\udc00',
        '\ufeff',
        ' ',
        '\n',
        '"a"',
      ),
      { maxLength: 30, size: 'max' },
    )
    .map((parts) => parts.join('')),
  fc.json().chain((text) => fc.nat(text.length).map((at) => text.slice(0, at))),
  fc
    .json()
    .chain((text) =>
      fc.tuple(fc.nat(text.length), fc.string({ maxLength: 2, unit: 'binary' })).map(([at, noise]) => text.slice(0, at) + noise + text.slice(at)),
    ),
);

describe('parseJson', () => {
  it.each([
    ['', 'empty'],
    [' \n\t', 'empty'],
    ['\ufeff', 'empty'],
    ["{'a':1}", 'syntax'],
    ['NaN', 'syntax'],
    ['[Infinity]', 'syntax'],
    ['-Infinity', 'syntax'],
    ['{"a":undefined}', 'syntax'],
    ['\0', 'syntax'],
    ['"\0"', 'syntax'],
    ['{"a":1}\0', 'syntax'],
    ['[1,]', 'syntax'],
    ['{"a":1,}', 'syntax'],
    ['01', 'syntax'],
    ['1 2', 'syntax'],
    ['// x\n1', 'syntax'],
    ['\u00a01', 'syntax'],
    ['{', 'syntax'],
    ['{"__proto__":{"x":1}}', 'forbidden_key'],
    ['{"a":[{"constructor":1}]}', 'forbidden_key'],
    ['{"prot\\u006ftype":1}', 'forbidden_key'],
    [`${'['.repeat(65)}${']'.repeat(65)}`, 'too_deep'],
    ['['.repeat(500_000), 'too_deep'],
    [`${'{"a":'.repeat(200_000)}1${'}'.repeat(200_000)}`, 'too_deep'],
  ])('refuses %j as %s', (text, code) => {
    expect(parseJson(text)).toMatchObject({ ok: false, error: { code } });
  });

  it('accepts what the standard accepts, lone surrogates and NUL escapes included', () => {
    for (const text of ['null', ' 1e-7 ', '"\\ud800"', '"\\u0000"', '"\ud800"', '{"":{}}', '\ufeff[]', `${'['.repeat(64)}${']'.repeat(64)}`]) {
      expect(parseJson(text)).toEqual({ ok: true, value: JSON.parse(text.replace('\ufeff', '')) });
    }
  });

  it('refuses text that no database can hold when asked to', () => {
    for (const text of ['"\\u0000"', '{"\\ud800":1}', '["\\udc00x"]', '{"a":{"b":["\\ud83d"]}}']) {
      expect(parseJson(text, { strings: 'storable' })).toMatchObject({ ok: false, error: { code: 'unstorable_text' } });
    }
    expect(parseJson('{"a":["\\ud83d\\ude00"]}', { strings: 'storable' }).ok).toBe(true);
  });

  it('counts bytes, not characters', () => {
    expect(parseJson('"ééé"', { maxBytes: 8 }).ok).toBe(true);
    expect(parseJson('"ééé"', { maxBytes: 7 })).toMatchObject({ error: { code: 'too_large' } });
    expect(parseJson(new TextEncoder().encode('"ééé"'), { maxBytes: 7 })).toMatchObject({ error: { code: 'too_large' } });
  });

  it('refuses bytes that are no UTF-8 and reads those that are', () => {
    expect(parseJson(Uint8Array.of(0x22, 0xff, 0x22))).toMatchObject({ error: { code: 'not_utf8' } });
    expect(parseJson(Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22))).toMatchObject({ error: { code: 'not_utf8' } });
    expect(parseJson(new TextEncoder().encode('\ufeff{"a":"é"}'))).toEqual({ ok: true, value: { a: 'é' } });
  });

  it('bounds the keys of one object, not of the whole text', () => {
    const object = (count: number): string => `{${Array.from({ length: count }, (_, i) => `"k${i}":0`).join(',')}}`;
    expect(parseJson(object(10_001))).toMatchObject({ error: { code: 'too_many_keys' } });
    expect(parseJson(`[${object(9_000)},${object(9_000)}]`).ok).toBe(true);
    expect(parseJson(object(3), { maxKeys: 2 })).toMatchObject({ error: { code: 'too_many_keys' } });
  });

  it('lets the caller name the forbidden keys', () => {
    expect(parseJson('{"constructor":1}', { forbiddenKeys: [] }).ok).toBe(true);
    expect(parseJson('{"secret":1}', { forbiddenKeys: ['secret'] })).toMatchObject({ error: { code: 'forbidden_key' } });
  });

  it('never throws, agrees with the standard parser, and never quotes the text', () => {
    fc.assert(
      fc.property(nearJson, (text) => {
        const result = parseJson(text, { maxDepth: 1_000, forbiddenKeys: [] });
        const expected = native(text.replace(/^\ufeff/, ''));
        expect(result.ok).toBe(expected !== undefined);
        if (result.ok) expect(result.value).toEqual(expected?.value);
        else if (result.error.offset !== undefined)
          expect(result.error.message).toBe(`the text stops being JSON at character ${result.error.offset} of ${text.replace(/^\ufeff/, '').length}`);
      }),
      { numRuns: 2_000 },
    );
  });

  it('lets no forbidden key through at any depth', () => {
    const key = fc.constantFrom(...FORBIDDEN_KEYS);
    fc.assert(
      fc.property(key, fc.array(fc.constantFrom('array', 'object'), { maxLength: 20, size: 'max' }), (name, path) => {
        let text = `{${JSON.stringify(name)}:1}`;
        for (const kind of path) text = kind === 'array' ? `[0,${text}]` : `{"a":${text}}`;
        expect(parseJson(text)).toMatchObject({ error: { code: 'forbidden_key' } });
      }),
    );
  });

  it('survives any bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => void parseJson(bytes)));
  });
});

/** JSON without the keys that are refused wherever they stand. */
const allowedJson = fc.json().filter((text) => !FORBIDDEN_KEYS.some((key) => text.includes(JSON.stringify(key))));

describe('scanner', () => {
  it('accepts exactly what the standard parser accepts', () => {
    fc.assert(
      fc.property(nearJson, (text) => {
        const outcome = scanJson(text, 0, 1_000);
        const whole = 'end' in outcome && /^[ \t\r\n]*$/.test(text.slice(outcome.end));
        expect(whole).toBe(native(text) !== undefined);
      }),
      { numRuns: 2_000 },
    );
  });

  it('consumes one value and says where the rest begins', () => {
    fc.assert(
      fc.property(allowedJson, fc.constantFrom('', ' and more', '\n{"next":1}', ', ', '}', ']', '"'), (json, rest) => {
        const found = scanJsonValue(`>>${json}${rest}`, 2);
        expect(found).toEqual({ value: JSON.parse(json), end: 2 + json.length });
      }),
    );
  });

  it('reads a stream of values one after the other', () => {
    const text = '{"a":1} [2]\n"three" 4';
    const values: unknown[] = [];
    for (let at = 0; ; ) {
      const found = scanJsonValue(text, at);
      if (!found) break;
      values.push(found.value);
      at = found.end;
    }
    expect(values).toEqual([{ a: 1 }, [2], 'three', 4]);
  });

  it.each(['', 'tru', 'trueish', '01', '1.', '-', '"open', '{"a" 1}', '{a:1}', '[1 2]', '"\\x"', '"\\u12g4"', '"tab\t"'])('finds no value in %j', (text) => {
    expect(scanJsonValue(text)).toBeUndefined();
  });

  it('applies the limits of parseJson', () => {
    expect(scanJsonValue('{"__proto__":1}')).toBeUndefined();
    expect(scanJsonValue('[[1]]', 0, { maxDepth: 1 })).toBeUndefined();
  });

  it('finds a value behind text that looks like one', () => {
    expect(findJsonValue('[openai] says {not json} then {"a":[1]} end')).toEqual({ value: { a: [1] }, start: 30, end: 39 });
    expect(findJsonValue('nothing here')).toBeUndefined();
  });

  it('takes no quadratic time on texts made to be slow', () => {
    const started = performance.now();
    for (const text of ['['.repeat(200_000), '{"a":'.repeat(50_000), '"\\'.repeat(200_000), '{"a":[1,'.repeat(40_000)]) findJsonValue(text);
    // One quadratic pass over these takes minutes, a linear one milliseconds.
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});

describe('storable text', () => {
  it('is what UTF-8 and a database give back unchanged', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const survives = !text.includes('\0') && Buffer.from(text, 'utf8').toString('utf8') === text;
        expect(isStorableText(text)).toBe(survives);
        const fixed = toStorableText(text);
        expect([isStorableText(fixed), fixed.length]).toEqual([true, text.length]);
        if (survives) expect(fixed).toBe(text);
      }),
    );
    expect(toStorableText('a\0b\ud800c\udc00\ud83d\ude00')).toBe('a\ufffdb\ufffdc\ufffd\ud83d\ude00');
  });
});

describe('stable text', () => {
  it('is the same for equal values and reads back as the standard text does', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = stableStringify(value);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(stableStringify(JSON.parse(text))).toBe(text);
      }),
    );
  });

  it('sorts keys by code unit, drops undefined and honours toJSON', () => {
    expect(stableStringify({ b: 1, a: { d: undefined, c: [undefined, Number.NaN] }, 10: 0, 9: 0, at: new Date(0) })).toBe(
      '{"10":0,"9":0,"a":{"c":[null,null]},"at":"1970-01-01T00:00:00.000Z","b":1}',
    );
    expect(stableStringify(undefined)).toBe('null');
  });

  it('refuses a cycle, but not the same object twice', () => {
    const shared = { x: 1 };
    expect(stableStringify([shared, shared])).toBe('[{"x":1},{"x":1}]');
    const cyclic: Record<string, unknown> = {};
    cyclic.self = cyclic;
    expect(() => stableStringify(cyclic)).toThrow(TypeError);
  });
});
