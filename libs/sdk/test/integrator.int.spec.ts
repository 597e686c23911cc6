import { applyStreams, type Bus, connectBus } from '@plexus/bus';
import { integratorConsumer, integratorPermissions, routingContracts, sessionContracts, STREAMS } from '@plexus/contracts';
import { startTestNats, type TestNats, waitFor } from '@plexus/testing';
import { connectPlexus, type Plexus } from '../src/index.js';

const user = (tenant: string, source: string) => ({
  name: `${tenant}.${source}`,
  credential: { user: `${tenant}.${source}`, password: 'pw' },
  permissions: integratorPermissions(tenant, source, ['session'], undefined, ['session']),
});
const fact = sessionContracts.sessionChanged;
const [data] = fact.examples as [(typeof fact.examples)[number]];
const agents = { defaultAgentId: 'main', agents: [{ id: 'main' }] };

describe('an integrator, with the permissions of one source of one tenant', () => {
  let nats: TestNats;
  let mesh: Bus;
  let crm: Plexus;

  beforeAll(async () => {
    nats = await startTestNats({ users: [user('acme', 'crm'), user('other', 'crm'), { name: 'mesh', credential: { user: 'mesh', password: 'pw' } }] });
    mesh = await connectBus({ service: 'routing', servers: nats.url, credentials: { user: 'mesh', pass: 'pw' }, allowAnonymous: true });
    const streams = STREAMS.filter(({ name }) => ['PLEXUS_IN', 'PLEXUS_EVT_SESSION', 'PLEXUS_DLQ'].includes(name));
    await applyStreams(mesh, { need: { streams, consumers: [integratorConsumer('acme', 'crm', 'session')] } });
    crm = await connectPlexus({ servers: nats.url, tenant: 'acme', source: 'crm', credentials: { user: 'acme.crm', pass: 'pw' } });
  });

  afterAll(async () => {
    await crm?.close();
    await mesh?.close();
    await nats?.stop();
  });

  it('publishes an event that is stored once, as a CloudEvent under its own subject', async () => {
    const event = { id: 'order-1', key: 'cnt.81 f2', data: { summary: 'moved' }, severity: 'high', dedupKey: 'd1' } as const;
    const first = await crm.publish('contact-updated', event);
    expect(first).toMatchObject({ id: 'order-1', stream: 'PLEXUS_IN', duplicate: false });
    expect(await crm.publish('contact-updated', event)).toEqual({ ...first, duplicate: true });
    const stored = await mesh.messageAt('PLEXUS_IN', first.seq);
    expect(stored?.subject).toMatch(/^plexus\.in\.acme\.crm\.contact-updated\.v1\./);
    expect(JSON.parse(Buffer.from(stored?.raw ?? []).toString())).toMatchObject({
      id: 'order-1',
      source: '/crm',
      type: 'crm.contact-updated',
      tenantid: 'acme',
      severity: 'high',
      dedupkey: 'd1',
      data: { summary: 'moved' },
    });
  });

  it('refuses names that are no subject token, and what its credential may not do', async () => {
    await expect(crm.publish('Contact Updated', { key: 'k', data: {} })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    await expect(connectPlexus({ servers: nats.url, tenant: 'a.b', source: 'crm' })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    const credentials = { user: 'acme.crm', pass: 'pw' };
    const posing = await connectPlexus({ servers: nats.url, tenant: 'acme', source: 'erp', credentials, inboxPrefix: '_INBOX_.acme.crm' });
    await expect(posing.publish('contact-updated', { key: 'k', data: {} })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await posing.close();
  });

  it('sees the facts of its own tenant as they happen, and of no other', async () => {
    const other = await connectPlexus({ servers: nats.url, tenant: 'other', source: 'crm', credentials: { user: 'other.crm', pass: 'pw' } });
    const seenBy = async (facts: AsyncIterable<{ tenant: string }>, into: string[]): Promise<void> => {
      for await (const { tenant } of facts) into.push(tenant);
    };
    const [mine, theirs] = [crm.subscribe(fact), other.subscribe(fact)];
    const [ours, others]: [string[], string[]] = [[], []];
    const reading = Promise.all([seenBy(mine, ours), seenBy(theirs, others)]);
    // A subscription is known to the server a moment after it was made: the facts are stated until they are seen.
    await waitFor(async () => {
      for (const tenant of ['acme', 'other']) await mesh.publish(fact, { tenant, key: ['ses_1'], data, msgId: null });
      return ours.length > 0 && others.length > 0;
    });
    mine.stop();
    await other.close();
    await reading;
    expect([...new Set(ours), ...new Set(others)]).toEqual(['acme', 'other']);
  });

  it('reads facts at least once through its durable consumer: what it failed on comes again, what came while it was away too', async () => {
    const seen: string[] = [];
    let failures = 1;
    const handler = async ({ event }: { event?: { id: string } | undefined }): Promise<void> => {
      if (event?.id === 'durable-1' && failures-- > 0) throw new Error('not this time');
      seen.push(event?.id ?? '');
    };
    await mesh.publish(fact, { tenant: 'acme', key: ['ses_1'], data, id: 'durable-1' });
    const consumption = crm.consume([fact], handler);
    expect(() => crm.consume([fact], handler)).toThrow(expect.objectContaining({ code: 'CONFLICT' }));
    await waitFor(() => seen.includes('durable-1'));
    await consumption.stop();
    await mesh.publish(fact, { tenant: 'other', key: ['ses_1'], data, id: 'foreign' });
    await mesh.publish(fact, { tenant: 'acme', key: ['ses_1'], data, id: 'durable-2' });
    const again = crm.consume([fact], handler);
    await waitFor(() => seen.includes('durable-2'));
    await again.stop();
    expect(seen).not.toContain('foreign');
  });

  it('calls a service and gets its answer, or the error of the service', async () => {
    const rpc = routingContracts.listAgents;
    await expect(crm.call(rpc, {})).rejects.toMatchObject({ code: 'NO_RESPONDERS' });
    const serving = mesh.serve(rpc, async () => agents);
    // Its responder is known to the server a moment after it was made.
    expect(await waitFor(() => crm.call(rpc, {}).catch(() => undefined))).toEqual(agents);
    await serving.stop();
  });
});
