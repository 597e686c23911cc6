import { z } from 'zod';
import { validatorFor } from './schema-validator.js';

const schema = z.object({ a: z.string().max(3), b: z.object({ c: z.number().default(1) }).optional(), list: z.array(z.object({ d: z.string() })).optional() });
const validator = validatorFor(schema);
const bytes = (text: string) => Buffer.from(text);

function issuesOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return (error as { details?: { issues?: unknown } }).details?.issues;
  }
  throw new Error('expected a refusal');
}

it('is compiled once per schema', () => {
  expect(validatorFor(schema)).toBe(validator);
});

it('tolerantly drops unknown keys and fills in defaults', () => {
  expect(validator.tolerant({ a: 'x', b: {}, more: 1 })).toEqual({ a: 'x', b: { c: 1 } });
});

it('strictly names every unknown key with its path, however deep', () => {
  expect(issuesOf(() => validator.strict({ a: 'x', more: 1, b: { typo: 1 }, list: [{ d: '' }, { d: '', e: 1 }] }))).toEqual(
    [['more'], ['b', 'typo'], ['list', 1, 'e']].map((path) => expect.objectContaining({ path, code: 'unrecognized_keys' })),
  );
});

it('strictly accepts keys that are undefined: they are not sent', () => {
  expect(validator.strict({ a: 'x', b: undefined, other: undefined } as never)).toEqual({ a: 'x', b: undefined });
});

it('names all issues at once and quotes no content', () => {
  const issues = issuesOf(() => validator.tolerant({ a: 'secret-text', b: { c: 'x' } }));
  expect(issues).toEqual([expect.objectContaining({ path: ['a'] }), expect.objectContaining({ path: ['b', 'c'] })]);
  expect(JSON.stringify(issues)).not.toContain('secret-text');
});

it('parses bodies, and refuses what is no JSON that may be accepted', () => {
  expect(validator.parse(bytes('{"a":"x","b":{"c":2}}'))).toEqual({ a: 'x', b: { c: 2 } });
  expect(validator.parse(bytes('{"a":"x","zzz":1}'))).toEqual({ a: 'x' });
  for (const body of ['', '{', '{"a":"x","__proto__":{}}', `{"a":"x","z":${'['.repeat(100)}${']'.repeat(100)}}`]) {
    expect(() => validator.parse(bytes(body))).toThrow(expect.objectContaining({ code: 'INVALID_JSON' }));
  }
  expect(() => validator.parse(Buffer.concat([bytes('{"a":"'), Buffer.of(0xff), bytes('"}')]))).toThrow(expect.objectContaining({ code: 'INVALID_JSON' }));
  expect(validator.parse(bytes('{"a":"\ufffd"}'))).toEqual({ a: '\ufffd' });
});
