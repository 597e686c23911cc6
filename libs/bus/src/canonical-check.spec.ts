import { CONTRACTS } from '@plexus/contracts';
import fc from 'fast-check';
import { z } from 'zod';
import { compileCanonicalCheck } from './canonical-check.js';

/** Values that look like what schemas accept, so that the check is not only asked about nonsense. */
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom<unknown>(null, true, false, 0, 1, -1, 1.5, '', 'a', ' a ', 'user', 'x@y', '2026-11-21T10:00:00Z', '01jd2x3y4z5a6b7c8d9e0f1g2h'),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c', 'kind', 'extra', '__proto__'), tie('value'), { maxKeys: 4 }),
  ),
})).value;

const schemas: Record<string, z.ZodType> = {
  object: z.object({ a: z.string(), b: z.number().int().optional(), c: z.boolean().nullable() }),
  defaults: z.object({ a: z.string().default('x'), b: z.number().default(1).optional() }),
  nested: z.object({ a: z.object({ b: z.array(z.string().min(1)).max(2) }), c: z.unknown() }),
  loose: z.looseObject({ a: z.string() }),
  strict: z.strictObject({ a: z.string().optional() }),
  trimmed: z.object({ a: z.string().trim().min(1) }),
  lowered: z.string().toLowerCase(),
  coerced: z.object({ a: z.coerce.number() }),
  transformed: z.object({ a: z.string().transform((text) => text.length) }),
  refined: z.object({ a: z.string().refine((text) => text !== 'a') }),
  union: z.union([z.string().min(1), z.number(), z.object({ a: z.string() }), z.object({ a: z.string(), b: z.number() })]),
  stripping: z.object({ a: z.union([z.object({ b: z.string() }), z.looseObject({ b: z.string() })]) }),
  discriminated: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('a'), a: z.string() }),
    z.object({ kind: z.enum(['user', 'b']), b: z.number().default(3) }),
  ]),
  record: z.record(z.string(), z.number()),
  recordOfEnum: z.record(z.enum(['a', 'b']), z.number()),
  formats: z.object({ a: z.iso.datetime().optional(), b: z.email().optional(), c: z.int().optional() }),
  tuple: z.tuple([z.string(), z.number()]),
  caught: z.object({ a: z.string().catch('fallback') }),
  prefaulted: z.object({ a: z.string().prefault('x') }),
  readonly: z.object({ a: z.string() }).readonly(),
  intersection: z.intersection(z.object({ a: z.string() }), z.object({ b: z.number() })),
  nullish: z.object({ a: z.string().nullish(), b: z.array(z.unknown()).optional() }),
  piped: z.string().pipe(z.string().min(2)),
  literal: z.literal(['a', 1, null]),
  asserted: z.object({ a: z.string().optional().nonoptional() }),
};

describe('the canonical check', () => {
  it.each(Object.keys(schemas))('never accepts what the schema would refuse or change: %s', (name) => {
    const schema = schemas[name] as z.ZodType;
    const { accepts } = compileCanonicalCheck(schema);
    fc.assert(
      fc.property(json, (value) => {
        if (!accepts(value)) return;
        expect(schema.safeParse(value)).toEqual({ success: true, data: value });
      }),
      { numRuns: 1_500 },
    );
  });

  it('accepts what is as the schema would return it', () => {
    const accepted: [z.ZodType, unknown][] = [
      [schemas.object as z.ZodType, { a: 'x', b: 1, c: null }],
      [schemas.object as z.ZodType, { a: 'x', c: true }],
      [schemas.defaults as z.ZodType, { a: 'y', b: 2 }],
      [schemas.loose as z.ZodType, { a: 'x', anything: [1] }],
      [schemas.union as z.ZodType, 5],
      [schemas.discriminated as z.ZodType, { kind: 'b', b: 1 }],
      [schemas.formats as z.ZodType, { a: '2026-11-21T10:00:00Z', b: 'a@b.de', c: 3 }],
      [schemas.record as z.ZodType, { x: 1 }],
    ];
    for (const [schema, value] of accepted) expect(compileCanonicalCheck(schema).accepts(value)).toBe(true);
  });

  it('accepts the examples of every declared contract once they are parsed, unless a kind of schema is not known here', () => {
    for (const contract of CONTRACTS) {
      const { accepts } = compileCanonicalCheck(contract.data);
      for (const example of contract.examples) {
        const parsed = contract.data.parse(example);
        if (!accepts(parsed)) continue;
        expect(contract.data.parse(parsed)).toEqual(parsed);
      }
    }
    const fast = CONTRACTS.filter(({ data, examples }) => compileCanonicalCheck(data).accepts(data.parse(examples[0])));
    expect(fast.length).toBeGreaterThan(CONTRACTS.length / 2);
  });

  it('calls a schema closed only when arbitrary JSON has no place in it', () => {
    expect(compileCanonicalCheck(schemas.object as z.ZodType).closed).toBe(true);
    for (const name of ['nested', 'loose', 'record', 'nullish']) expect(compileCanonicalCheck(schemas[name] as z.ZodType).closed).toBe(false);
  });

  it('leaves recursive schemas to zod', () => {
    interface Tree {
      children: Tree[];
    }
    const tree: z.ZodType<Tree> = z.object({ children: z.array(z.lazy(() => tree)) });
    expect(compileCanonicalCheck(tree).accepts({ children: [{ children: [] }] })).toBe(false);
  });
});
