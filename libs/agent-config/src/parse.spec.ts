import fc from 'fast-check';
import { type ConfigIssue, parsePlatformConfig, parseTenantConfig, type PlatformConfigInput, type TenantConfigInput } from './index.js';

const issuesOf = (result: { ok: boolean; error?: ConfigIssue[] }): string[] => (result.error ?? []).map((issue) => `${issue.path || '.'} ${issue.code}`);
const publicKey = { kty: 'OKP' as const, crv: 'Ed25519', x: 'l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs', kid: 'k1', alg: 'EdDSA' };
const digest = 'a'.repeat(64);

describe('parsePlatformConfig', () => {
  it('fills in what a tenant left out', () => {
    expect(parsePlatformConfig({ tenants: { acme: {} } })).toEqual({ ok: true, value: { tenants: { acme: { tokens: [], keys: [], limits: {} } } } });
    expect(parsePlatformConfig({})).toEqual({ ok: true, value: { tenants: {} } });
  });

  it('keeps members of a public key that it does not know, and refuses those of a private one', () => {
    const kept = parsePlatformConfig({ tenants: { acme: { keys: [{ ...publicKey, x5t: 'abc' }] } } });
    expect(kept).toMatchObject({ ok: true, value: { tenants: { acme: { keys: [{ x5t: 'abc' }] } } } });
    const refused = parsePlatformConfig({ tenants: { acme: { keys: [{ ...publicKey, d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A' }] } } });
    expect(issuesOf(refused)).toEqual(['tenants.acme.keys.0.d private_key']);
    expect(JSON.stringify(refused)).not.toContain('nWGxne');
  });

  it('reports every violation at once, each with its path, in a stable order', () => {
    const document = {
      tenant: {},
      tenants: {
        Acme: {},
        acme: {
          tokens: [
            { id: 'ci', sha256: 'short' },
            { id: 'ci', sha256: digest, role: 'root' },
          ],
          limits: { vms: -1, vmz: 3 },
          keys: [publicKey, { ...publicKey, kty: 'oct', k: 'c2VjcmV0' }],
        },
      },
    };
    const result = parsePlatformConfig(document);
    expect(issuesOf(result)).toEqual([
      'tenant unrecognized_keys',
      'tenants.Acme invalid_key',
      'tenants.acme.keys.1.k private_key',
      'tenants.acme.keys.1.kid duplicate_key',
      'tenants.acme.keys.1.kty invalid_value',
      'tenants.acme.limits.vms too_small',
      'tenants.acme.limits.vmz unrecognized_keys',
      'tenants.acme.tokens.0.sha256 invalid_format',
      'tenants.acme.tokens.1.id duplicate_token',
      'tenants.acme.tokens.1.role invalid_value',
    ]);
    expect(issuesOf(parsePlatformConfig(structuredClone(document)))).toEqual(issuesOf(result));
  });
});

describe('parseTenantConfig', () => {
  it('gives a tenant that configured nothing the agent main', () => {
    expect(parseTenantConfig({})).toEqual({ ok: true, value: { agents: { list: [{ id: 'main', default: true }] }, bindings: [], session: {} } });
    expect(parseTenantConfig({ agents: {} })).toMatchObject({ ok: true, value: { agents: { list: [{ id: 'main' }] } } });
  });

  it('finds a second default, a repeated id and a binding to nobody beside errors inside the entries', () => {
    const result = parseTenantConfig({
      agents: { list: [{ id: 'ops', default: true }, { id: 'ops', modle: 'x' }, { id: 'Sales' }, { id: 'help', default: true, scope: 'planet' }] },
      bindings: [
        { agentId: 'ghost', match: { channel: 'telegram' } },
        { agentId: 'ops', match: {} },
      ],
      session: { dmScope: 'all' },
    });
    expect(issuesOf(result)).toEqual([
      'agents.list.1.id duplicate_agent',
      'agents.list.1.modle unrecognized_keys',
      'agents.list.2.id invalid_format',
      'agents.list.3.default two_defaults',
      'agents.list.3.scope invalid_value',
      'bindings.0.agentId unknown_agent',
      'bindings.1.match.channel invalid_type',
      'session.dmScope invalid_value',
    ]);
  });

  it('keeps the order of identity links, which decides who wins', () => {
    const identityLinks = { zoe: ['telegram:2'], anna: ['telegram:1', 'slack:u1'] };
    const result = parseTenantConfig({ session: { identityLinks } });
    expect(result.ok && Object.keys(result.value.session.identityLinks ?? {})).toEqual(['zoe', 'anna']);
  });

  it('hands out documents that nobody can change', () => {
    const result = parseTenantConfig({});
    if (!result.ok) throw new Error('must be valid');
    expect(() => (result.value.agents.list as unknown[]).push({})).toThrow(TypeError);
  });
});

describe('any document', () => {
  it('is parsed or refused with at least one issue, never thrown at', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (document) => {
        for (const parse of [parsePlatformConfig, parseTenantConfig]) {
          const result = parse(document);
          if (!result.ok) expect(result.error.length).toBeGreaterThan(0);
        }
      }),
      { numRuns: 500 },
    );
  });

  const agentId = fc.stringMatching(/^[a-z0-9][a-z0-9_-]{0,8}$/);
  const tenantDocument: fc.Arbitrary<TenantConfigInput> = fc.uniqueArray(agentId, { minLength: 1, maxLength: 5 }).chain((ids) =>
    fc.record(
      {
        agents: fc.constant({ list: ids.map((id, index) => (index === 0 ? { id, default: true } : { id })) }),
        bindings: fc.array(fc.record({ agentId: fc.constantFrom(...ids), match: fc.record({ channel: fc.constantFrom('telegram', 'slack') }) }), {
          maxLength: 4,
        }),
        session: fc.record({ dmScope: fc.constantFrom('main', 'per-peer'), mainKey: fc.string({ maxLength: 20 }) }, { requiredKeys: [] }),
        defaultOwner: fc.string({ minLength: 1, maxLength: 20 }),
      },
      { requiredKeys: [] },
    ),
  );

  it('that is valid stays the same when it is parsed a second time', () => {
    fc.assert(
      fc.property(tenantDocument, (document) => {
        // A binding may name an agent only if the list is given too.
        const consistent = document.agents === undefined ? { ...document, bindings: [] } : document;
        const once = parseTenantConfig(consistent);
        if (!once.ok) throw new Error(JSON.stringify(once.error));
        expect(parseTenantConfig(JSON.parse(JSON.stringify(once.value)))).toEqual(once);
      }),
    );
  });

  it('with an unknown key anywhere is refused at exactly that path', () => {
    const base: PlatformConfigInput = { tenants: { acme: { tokens: [{ id: 'ci', sha256: digest }], limits: { vms: 1 } } } };
    const places: [string, (document: never) => object][] = [
      ['', (d: { tenants: object }) => d],
      ['tenants.acme.', (d: { tenants: { acme: object } }) => d.tenants.acme],
      ['tenants.acme.limits.', (d: { tenants: { acme: { limits: object } } }) => d.tenants.acme.limits],
      ['tenants.acme.tokens.0.', (d: { tenants: { acme: { tokens: object[] } } }) => d.tenants.acme.tokens[0] as object],
    ] as [string, (document: never) => object][];
    fc.assert(
      fc.property(fc.constantFrom(...places), fc.stringMatching(/^x[a-z]{1,10}$/), ([prefix, place], key) => {
        const document = structuredClone(base) as never;
        (place(document) as Record<string, unknown>)[key] = 1;
        expect(issuesOf(parsePlatformConfig(document))).toEqual([`${prefix}${key} unrecognized_keys`]);
      }),
    );
  });
});
