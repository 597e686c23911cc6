import { BUCKETS, channelContracts, fromAdapter, sendCommandFor } from '@plexus/contracts';
import type { Bus } from '@plexus/bus';
import { ChannelMesh } from './support/channel-mesh.js';

/** What is allowed has all the time it needs; what is denied may get no answer at all, and is waited for this long. */
const ALLOWED_MS = 30_000;
const DENIED_MS = 500;

describe('the credentials of an adapter', () => {
  let mesh: ChannelMesh;
  let telegram: Bus;

  beforeAll(async () => {
    mesh = await ChannelMesh.start();
    telegram = await mesh.as('channel-telegram');
  });
  afterAll(async () => {
    await telegram?.close();
    await mesh?.stop();
  });

  const [example] = channelContracts.messageReceived.examples;
  const publish = (source: string, timeoutMs = ALLOWED_MS) =>
    telegram.publish(fromAdapter(channelContracts.messageReceived, source), { tenant: 'acme', key: ['main'], data: example as never }, { timeoutMs });

  it('let it speak as its own source', async () => {
    await expect(publish('telegram')).resolves.toMatchObject({ stream: 'PLEXUS_IN' });
  });

  it.each(['slack', 'webhook', 'http', 'crm'])('do not let it speak as %s', async (source) => {
    const before = mesh.events.length;
    await expect(publish(source, DENIED_MS)).rejects.toMatchObject({ code: expect.stringMatching(/TIMEOUT|FORBIDDEN|UNAVAILABLE/) });
    expect(mesh.events.slice(before).filter((event) => event.source === source)).toEqual([]);
  });

  it('do not let it order sends, hide those of others, or change the configuration', async () => {
    const denied = async (attempt: Promise<unknown>) => expect(attempt).rejects.toMatchObject({ code: expect.stringMatching(/TIMEOUT|FORBIDDEN|UNAVAILABLE/) });
    const [send] = channelContracts.sendTelegram.examples;
    await denied(telegram.publish(sendCommandFor('telegram'), { tenant: 'acme', key: ['main'], data: send as never }, { timeoutMs: DENIED_MS }));
    const raw = (subject: string, timeoutMs = DENIED_MS) => telegram.publishRaw(subject, Buffer.from('{}'), { timeoutMs });
    await denied(raw(`$KV.${BUCKETS.channelSends.name}.channel-slack.acme.x`));
    await denied(raw(`$KV.${BUCKETS.config.name}.acme`));
    await denied(raw('plexus.evt.acme.session.event.v1.s'));
    await expect(raw(`$KV.${BUCKETS.channelSends.name}.channel-telegram.acme.x`, ALLOWED_MS)).resolves.toBeDefined();
  });
});
