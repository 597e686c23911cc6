import fc from 'fast-check';
import { z } from 'zod';
import { loadConfig } from './load-config.js';

const schema = z.object({
  GATEWAY_PORT: z.coerce.number().int().min(1).max(65_535).default(18_789).describe('Port of the public listener.'),
  GATEWAY_TOKEN: z.string().min(16).describe('Shared token.'),
  GATEWAY_TOKEN_FILE: z.string().startsWith('/').optional(),
  DATABASE_URL: z.string().startsWith('postgresql://').describe('Where the rows are.'),
});
const valid = { GATEWAY_TOKEN: 'a-long-enough-token', DATABASE_URL: 'postgresql://localhost/plexus' };
const sentences = (env: Record<string, string>): string[] => {
  const loaded = loadConfig(schema, env);
  return loaded.ok ? [] : loaded.error.map((violation) => violation.sentence);
};

describe('loadConfig', () => {
  it('merges the base settings with those of the service, with defaults and units', () => {
    const loaded = loadConfig(schema, { ...valid, GATEWAY_PORT: '8080', PLEXUS_PARENT_BOUND: '1' });
    expect(loaded).toMatchObject({
      ok: true,
      value: { GATEWAY_PORT: 8080, NATS_URL: 'nats://127.0.0.1:4222', PLEXUS_PARENT_BOUND: true, SHUTDOWN_TIMEOUT_MS: 25_000 },
    });
    expect(loaded.ok && Object.isFrozen(loaded.value)).toBe(true);
  });

  it('reports every violation at once: variable, value, expectation and what the setting is for', () => {
    expect(sentences({ GATEWAY_PORT: '99999', GATEWAY_TOKEN_FILE: 'relative/token', LOG_LEVEL: 'loud', INTERNAL_PORT: 'many' })).toEqual([
      'DATABASE_URL is not set: expected string (Where the rows are)',
      'GATEWAY_PORT="99999": Too big: expected number to be <=65535 (Port of the public listener)',
      'GATEWAY_TOKEN is not set: expected string (Shared token)',
      'GATEWAY_TOKEN_FILE="relative/token": must start with "/"',
      'INTERNAL_PORT="many": expected number, received NaN (Port of the internal listener; 0: any free one)',
      'LOG_LEVEL="loud": expected one of "trace"|"debug"|"info"|"warn"|"error"|"fatal"|"silent" (Lowest level that is logged)',
    ]);
  });

  it('never quotes a secret, neither as a value nor inside a URL', () => {
    const text = sentences({ GATEWAY_TOKEN: 'hunter2', DATABASE_URL: 'mysql://anna:hunter2@db/plexus' }).join('\n');
    expect(text).not.toContain('hunter2');
    expect(text).toContain('GATEWAY_TOKEN=[redacted]');
    expect(text).toContain('mysql://[redacted]@db/plexus');
  });

  it('takes an empty variable as not set, as compose files and charts write them', () => {
    expect(loadConfig(schema, { ...valid, GATEWAY_PORT: '', NATS_NKEY_SEED_FILE: ' ' })).toMatchObject({ ok: true, value: { GATEWAY_PORT: 18_789 } });
  });

  it('checks the combination of settings that a service declares', () => {
    const pair = z
      .object({ A: z.string().optional(), B: z.string().optional() })
      .refine(({ A, B }) => (A === undefined) === (B === undefined), { error: 'A and B go together' });
    const loaded = loadConfig(pair, { A: 'x' });
    expect(loaded.ok ? [] : loaded.error.map((violation) => violation.sentence)).toEqual(['(combination of settings): A and B go together']);
  });

  it('refuses a schema that declares a base setting again', () => {
    expect(() => loadConfig(z.object({ NATS_URL: z.string() }), {})).toThrow('NATS_URL may not be declared again');
  });

  it('accepts or explains any environment, and never quotes a value of a secret', () => {
    const names = [...Object.keys(schema.shape), 'NATS_URL', 'LOG_LEVEL', 'INTERNAL_PORT', 'SHUTDOWN_TIMEOUT_MS', 'UNRELATED'];
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names), fc.string({ maxLength: 40 })), fc.stringMatching(/^[A-Z]{12}$/), (env, marker) => {
        const loaded = loadConfig(schema, { ...env, GATEWAY_TOKEN: marker });
        if (loaded.ok) throw new Error('a token of 12 characters is too short');
        const text = loaded.error.map((violation) => violation.sentence).join('\n');
        expect(text).toContain('GATEWAY_TOKEN=[redacted]');
        expect(text).not.toContain(marker);
      }),
    );
  });
});
