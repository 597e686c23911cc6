import type { ClientConnection, SharedEvent } from './client-connection.js';
import { HealthNews } from './health-news.js';

function world() {
  const sent: { tenant: string; event: SharedEvent }[] = [];
  const failing = new Set<string>();
  const connection = (tenant: string) => ({ principal: { tenant }, send: (event: SharedEvent) => sent.push({ tenant, event }) > 0 });
  const clients = { all: () => ['a', 'b', 'b'].map(connection) as unknown as ClientConnection[] };
  const news = new HealthNews(
    () => ({ ready: failing.size === 0, failing: [...failing] }),
    clients,
    (tenant) => `agent-of-${tenant}`,
    () => 7,
  );
  let at = 0;
  const after = (ms: number) => {
    for (const until = at + ms; at < until; ) {
      at += 100;
      news.look(at);
    }
  };
  return { sent, failing, news, after };
}

describe('news of the health of a gateway', () => {
  it('is told to every client once for each change that lasts, with what `health` answers, and its number', () => {
    const { sent, failing, news, after } = world();
    after(5_000);
    expect(sent).toEqual([]);
    failing.add('nats');
    after(1_900);
    expect(sent).toEqual([]);
    after(10_000);
    expect(sent.map(({ tenant }) => tenant)).toEqual(['a', 'b', 'b']);
    expect(JSON.parse(`${sent[1]?.event.head}}`)).toEqual({
      type: 'event',
      event: 'health',
      payload: { ok: false, ts: 7, failing: ['nats'], defaultAgentId: 'agent-of-b' },
      stateVersion: { presence: 0, health: 1 },
    });
    // Serialised once for all clients of a tenant.
    expect(sent[1]?.event).toBe(sent[2]?.event);
    failing.clear();
    after(10_000);
    expect([sent.length, news.stateVersion.health]).toEqual([6, 2]);
  });

  it('does not flap: what comes and goes within moments is not told, however often', () => {
    const { sent, failing, after } = world();
    after(1_000);
    for (let round = 0; round < 50; round += 1) {
      failing.add('nats');
      after(1_000);
      failing.clear();
      after(500);
    }
    after(10_000);
    expect(sent).toEqual([]);
  });

  it('says nothing of starting and of going', () => {
    const { sent, failing, after } = world();
    failing.add('starting');
    after(10_000);
    failing.clear();
    after(10_000);
    failing.add('draining');
    after(10_000);
    expect(sent).toEqual([]);
  });
});
