import { sessionContracts } from '@plexus/contracts';
import { EventSubscription } from './event-subscription.js';

const contract = sessionContracts.sessionChanged;
const [data] = contract.examples;
const subject = contract.subject('acme', 'ses_1');
const body = (change: Record<string, unknown> = {}) =>
  Buffer.from(JSON.stringify({ specversion: '1.0', id: 'e1', source: '/plexus/routing', type: contract.type, data, ...change }));

describe('a subscription', () => {
  it('gives events in order, then ends when it is stopped', async () => {
    const subscription = new EventSubscription(contract, 10, () => undefined);
    subscription.accept(subject, body());
    subscription.accept(subject, body({ id: 'e2' }));
    subscription.stop();
    const seen: string[] = [];
    for await (const { event, key, tenant } of subscription) seen.push(`${event.id} ${tenant} ${key.join('.')}`);
    expect(seen).toEqual(['e1 acme ses_1', 'e2 acme ses_1']);
  });

  it('counts what a slow reader could not take, and what is no event of the contract', () => {
    const subscription = new EventSubscription(contract, 2, () => undefined);
    for (let i = 0; i < 5; i++) subscription.accept(subject, body());
    subscription.accept(subject, Buffer.from('not json'));
    subscription.accept(subject, body({ data: 1 }));
    subscription.accept(subject, body({ tenantid: 'other' }));
    subscription.accept('not.ours', body());
    expect([subscription.dropped, subscription.unreadable]).toEqual([3, 4]);
  });

  it('releases the wire once, also when the reader breaks out of its loop', async () => {
    let released = 0;
    const subscription = new EventSubscription(contract, 2, () => {
      released += 1;
    });
    subscription.accept(subject, body());
    for await (const _ of subscription) break;
    subscription.stop();
    expect(released).toBe(1);
  });

  it('throws why it ended', async () => {
    const subscription = new EventSubscription(contract, 2, () => undefined);
    subscription.stop(new Error('may not read'));
    await expect(subscription[Symbol.asyncIterator]().next()).rejects.toThrow('may not read');
  });
});
