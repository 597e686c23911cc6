import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fromSeed } from '@nats-io/nkeys';
import { parseIntegrator, writeNatsAccounts } from './nats-accounts.js';

describe('credentials for NATS', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'plexus-accounts-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const seed = (name: string): string => readFileSync(path.join(folder, 'seeds', `${name}.nk`), 'utf8').trim();
  const publicKey = (text: string): string => fromSeed(new TextEncoder().encode(text)).getPublicKey();
  const accepted = (): string => readFileSync(path.join(folder, 'accounts.conf'), 'utf8');

  it('are exchanged at once after a leak: rotated and retired together, the former seed is not accepted', () => {
    writeNatsAccounts(folder, {});
    const leaked = publicKey(seed('routing'));
    writeNatsAccounts(folder, { rotate: ['routing'], retire: ['routing'] });
    expect(accepted()).not.toContain(leaked);
    expect(accepted()).toContain(publicKey(seed('routing')));
  });

  it('keep the former seed good until it is retired', () => {
    writeNatsAccounts(folder, {});
    const former = publicKey(seed('routing'));
    writeNatsAccounts(folder, { rotate: ['routing'] });
    expect(accepted()).toContain(former);
    writeNatsAccounts(folder, { retire: ['routing'] });
    expect(accepted()).not.toContain(former);
  });

  it('are of one integrator each, however tenant and source are spelled', () => {
    const { credentials } = writeNatsAccounts(folder, {
      integrators: [parseIntegrator('acme/eu-crm=push:durable'), parseIntegrator('acme-eu/crm=push:durable')],
    });
    const names = credentials.map(({ name }) => name).filter((name) => name.startsWith('integrator'));
    expect(new Set(names).size).toBe(2);
    const consumers = [...accepted().matchAll(/MSG\.NEXT\.PLEXUS_EVT_PUSH\.(integrator[a-z0-9-]+)/g)].map((match) => match[1]);
    expect(new Set(consumers).size).toBe(2);
  });

  it('say which domains are read durably, and refuse what is neither', () => {
    expect(parseIntegrator('acme/crm=push:durable,session')).toEqual({ tenant: 'acme', source: 'crm', granted: ['push', 'session'], durable: ['push'] });
    expect(() => parseIntegrator('acme/crm=push:for-ever')).toThrow('is no integrator');
  });
});
