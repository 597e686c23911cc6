import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { startTestNats, type TestNats, throwAwayFolder } from '@plexus/testing';
import { plexus } from './plexus.js';

describe('plexus platform', () => {
  let nats: TestNats;
  const folder = throwAwayFolder('platform');
  const file = path.join(folder.path, 'platform.json5');
  beforeAll(async () => {
    nats = await startTestNats();
  }, 180_000);
  afterAll(async () => {
    await nats?.stop();
    folder.remove();
  });

  it('writes which tenants there are, once, after the stream plan was applied with the copies that are asked for', async () => {
    const environment = { NATS_URL: nats.url };
    writeFileSync(file, "{ tenants: { acme: { defaultOwner: 'ops' } } } // ours");
    expect((await plexus(['nats', 'apply', '--replicas', '0'], environment)).code).toBe(2);
    expect((await plexus(['nats', 'apply', '--replicas', '1', '--max-bytes', '1048576'], environment)).code).toBe(0);
    // A declaration of three is a difference that one server cannot apply; services run with any number.
    expect((await plexus(['nats', 'plan', '--replicas', '3', '--json'], environment)).code).toBe(4);

    expect((await plexus(['platform', 'show'], environment)).code).toBe(1);
    expect((await plexus(['platform', 'apply', file, '--json'], environment)).json()).toMatchObject({ changed: true });
    expect((await plexus(['platform', 'apply', file, '--json'], environment)).json()).toMatchObject({ changed: false });
    const written = (await plexus(['audit', 'ls', '--json'], environment)).json<{ tenant: string; action: string; target: object }[]>();
    // Of what changed nothing there is no word.
    expect(written.map(({ tenant, action, target }) => [tenant, action, target])).toEqual([
      ['_', 'nats.apply', expect.objectContaining({ created: expect.arrayContaining(['PLEXUS_EVT_AUDIT']) })],
      ['_', 'platform.apply', { revision: expect.any(Number), tenants: ['acme'] }],
    ]);
    expect((await plexus(['integrator', 'consumer', 'crm', 'session', '--tenant', 'acme', '--json'], environment)).code).toBe(0);
    expect((await plexus(['events', 'publish', 'crm.changed', '--tenant', 'acme'], environment)).code).toBe(0);
    const later = (await plexus(['audit', 'ls', '--tenant', 'acme', '--json'], environment)).json<{ action: string }[]>();
    expect(later.map(({ action }) => action)).toEqual(['integrator.consumer', 'events.publish']);
    expect((await plexus(['platform', 'show', '--json'], environment)).json()).toMatchObject({ document: { tenants: { acme: { defaultOwner: 'ops' } } } });
  }, 180_000);

  it('refuses a document that services would not take, and names every fault', async () => {
    writeFileSync(file, "{ tenants: { 'Not A Tenant': {}, acme: { limits: { vms: -1 } } } }");
    const refused = await plexus(['platform', 'apply', file], { NATS_URL: nats.url });
    expect(refused.code).not.toBe(0);
    expect(refused.err).toContain('Not A Tenant');
    expect(refused.err).toContain('vms');
  });
});
