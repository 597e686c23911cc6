import { AUDITED, auditedFields, auditTarget, CONTRACTS, NOT_AUDITED } from './index.js';

describe('what is written down about administrative acts', () => {
  const rpcs = CONTRACTS.filter(({ kind }) => kind === 'rpc');

  it('every audited name is a question, and every named field one of its fields', () => {
    const known = new Map(rpcs.map((rpc) => [`${rpc.domain}.${rpc.name}`, rpc]));
    expect(Object.keys(AUDITED).filter((name) => !known.has(name))).toEqual([]);
    const wrong = Object.entries(AUDITED).flatMap(([name, fields]) => {
      const text = JSON.stringify(Object.keys((known.get(name)?.data as unknown as { shape?: object })?.shape ?? {}));
      return fields.filter((field) => text !== '[]' && !text.includes(`"${field}"`)).map((field) => `${name}: ${field}`);
    });
    expect(wrong).toEqual([]);
  });

  it('holds names and numbers only: secrets, contents and comments have no way in', () => {
    const secret = { name: 'openai', value: 'sk-secret' };
    expect(auditTarget(secret, auditedFields({ domain: 'vm', name: 'put-secret' }) ?? [])).toEqual({ name: 'openai' });
    expect(auditTarget({ document: { a: 1 }, text: 'x', baseRevision: 4 }, AUDITED['config.apply'] ?? [])).toEqual({ baseRevision: 4 });
    expect(auditTarget({ scope: { kind: 'user', id: 'ada' } }, ['scope'])).toEqual({ scope: 'user:ada' });
    expect(auditTarget({ user: 'u'.repeat(1_000), other: {} }, ['user', 'other'])).toEqual({ user: 'u'.repeat(256) });
    expect(auditTarget(undefined, ['user'])).toEqual({});
  });

  it('is decided for every question: it is written down, or it says why it is not', () => {
    const names = rpcs.map(({ domain, name }) => `${domain}.${name}`);
    expect(names.filter((name) => Object.hasOwn(AUDITED, name) === Object.hasOwn(NOT_AUDITED, name))).toEqual([]);
    expect(Object.keys(NOT_AUDITED).filter((name) => !names.includes(name))).toEqual([]);
  });

  it('every question that ends, erases, grants, or stores a secret is among them', () => {
    const grave =
      /\.(apply|patch|rollback.*|erase-user|share-.*|unshare-.*|grant-.*|revoke-.*|activate-.*|terminate|put-secret|delete-secret|purge|drop-.*|redrive-.*|export.*)$/;
    const forgotten = rpcs.map(({ domain, name }) => `${domain}.${name}`).filter((name) => grave.test(name) && !Object.hasOwn(AUDITED, name));
    expect(forgotten).toEqual([]);
  });
});
