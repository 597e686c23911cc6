import type { Bus } from '@plexus/bus';
import { CONSUMERS, sessionContracts } from '@plexus/contracts';
import { connectTestBus, startTestNats, type TestNats, waitFor } from '@plexus/testing';
import { EraseSessionStream } from '../src/adapters/nats/session-stream-eraser.js';

const { sessionMessage, sessionChanged } = sessionContracts;
const GONE = '01jd2x3y4z5a6b7c8d9e0f1g2h';
const STAYS = '01jd2x3y4z5a6b7c8d9e0f1g2j';

describe('the events of a session that is erased', () => {
  let nats: TestNats;
  let bus: Bus;

  beforeAll(async () => {
    nats = await startTestNats();
    bus = await connectTestBus(nats.url, { apply: true });
  });
  afterAll(async () => {
    await bus?.close();
    await nats?.stop();
  });

  const say = (sessionId: string, n: number, tenant = 'acme') => {
    const session = { sessionId, sessionKey: 'agent:main:main', owner: 'me', agentId: 'main' };
    const message = {
      messageId: STAYS.replace(/..$/, `${sessionId.at(-1)}${n}`),
      seq: n,
      role: 'user' as const,
      text: `text ${n}`,
      at: '2026-11-21T10:00:00Z',
    };
    return bus.publish(sessionMessage, { tenant, key: [sessionId], id: `${tenant}-${sessionId}-${n}`, data: { ...session, message } });
  };

  it('are gone, and what waits of other sessions still reaches everybody', async () => {
    for (const n of [1, 2, 3]) for (const sessionId of [GONE, STAYS]) await say(sessionId, n);
    await say(GONE, 1, 'other');
    const session = { sessionId: GONE, sessionKey: 'agent:main:main', owner: 'me', agentId: 'main' };
    await bus.publish(sessionChanged, { tenant: 'acme', key: [GONE], id: 'changed', data: { ...session, change: 'created' } });
    const eraser = new EraseSessionStream(bus);
    await expect(eraser.purge('acme', GONE)).resolves.toBe(4);
    await expect(eraser.purge('acme', GONE)).resolves.toBe(0);
    const seen: string[] = [];
    const consuming = bus.consume(CONSUMERS.memorySessions, async ({ tenant, data }) => {
      const { sessionId, message } = data as { sessionId: string; message: { seq: number } };
      seen.push(`${tenant} ${sessionId} ${message.seq}`);
      return { kind: 'done' };
    });
    await waitFor(() => seen.length >= 4, { what: 'what waited', timeoutMs: 60_000 });
    await consuming.stop();
    expect([...seen].sort()).toEqual([`acme ${STAYS} 1`, `acme ${STAYS} 2`, `acme ${STAYS} 3`, `other ${GONE} 1`]);
  });
});
