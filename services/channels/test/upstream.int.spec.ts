import { waitFor } from '@plexus/testing';
import { upstreamAdapter } from '../src/upstream/upstream.adapter.js';
import { ChannelMesh } from './support/channel-mesh.js';
import { UpstreamStandIn } from './support/upstream-stand-in.js';

describe('the upstream adapter', () => {
  let mesh: ChannelMesh;
  let upstream: UpstreamStandIn;
  const account = (more: Record<string, unknown> = {}) => ({ settings: { url: upstream.url, token: mesh.secret('token', 'upstream-token'), ...more } });

  beforeAll(async () => {
    mesh = await ChannelMesh.start();
    upstream = await UpstreamStandIn.start();
    await mesh.configure({
      upstream: {
        accounts: {
          main: account({ maxTurns: 3 }),
          watcher: account({ follow: 'all', sessions: ['agent:main:watched'], deliver: 'inject' }),
          wrong: account({ token: mesh.secret('wrong', 'some-other-token') }),
        },
      },
    });
    await mesh.run(upstreamAdapter);
    await mesh.state('main', 'up');
    await mesh.state('watcher', 'up');
  });
  afterAll(async () => {
    await mesh?.stop();
    await upstream?.stop();
  });

  const answer = (text: string) => mesh.event('message-received', ({ data }) => data.text === text);

  it('sends by chat.send under the key of the send, and brings the answer in', async () => {
    await mesh.send('upstream', { sendId: 'ask', to: 'agent:main:main', text: 'What is new?' });
    expect((await mesh.outcome('ask')).data).toMatchObject({ messageId: 'ask:0' });
    expect(upstream.requests.find(({ method }) => method === 'chat.send')?.params).toMatchObject({
      sessionKey: 'agent:main:main',
      message: 'What is new?',
      idempotencyKey: 'ask:0',
    });
    upstream.final('ask:0', 'agent:main:main', 'Nothing much.');
    expect((await answer('Nothing much.')).data).toMatchObject({
      account: 'main',
      messageId: 'ask:0',
      chat: { kind: 'dm', id: 'agent:main:main' },
      sender: { id: 'agent:main:main' },
    });
  });

  it('brings an answer in although connection and process were lost before it came', async () => {
    await mesh.send('upstream', { sendId: 'slow', to: 'agent:main:main', text: 'Take your time' });
    await mesh.outcome('slow');
    upstream.disconnect();
    await mesh.state('main', 'degraded');
    await mesh.state('main', 'up', 2);
    await mesh.stopAdapters();
    const slow = () => upstream.requests.filter(({ params }) => params.idempotencyKey === 'slow:0').length;
    const before = slow();
    await mesh.run(upstreamAdapter);
    await waitFor(() => slow() > before, { what: 'the message to be continued' });
    upstream.final('slow:0', 'agent:main:main', 'Done at last.');
    await answer('Done at last.');
  });

  it('follows the answers of others only where it is told to, and shows its own there by chat.inject', async () => {
    await waitFor(() => upstream.connections >= 2, { what: 'both accounts' });
    upstream.final('foreign-1', 'agent:main:elsewhere', 'not for us');
    upstream.final('foreign-2', 'agent:main:watched', 'for us');
    expect((await answer('for us')).data.account).toBe('watcher');
    expect(mesh.events.some(({ data }) => data.text === 'not for us')).toBe(false);
    await mesh.send('upstream', { sendId: 'note', account: 'watcher', to: 'agent:main:watched', text: 'A note' });
    await mesh.outcome('note');
    expect(upstream.requests.find(({ method }) => method === 'chat.inject')?.params).toMatchObject({ sessionKey: 'agent:main:watched', message: 'A note' });
    await mesh.send('upstream', { sendId: 'elsewhere', account: 'watcher', to: 'agent:main:elsewhere' });
    expect((await mesh.outcome('elsewhere')).data.error).toMatchObject({ code: 'TARGET_REFUSED', status: 403 });
  });

  it('lets two agents that answer each other come to an end', async () => {
    for (let turn = 1; turn <= 5; turn += 1) {
      await mesh.send('upstream', { sendId: `turn-${turn}`, to: 'agent:main:loop', text: `turn ${turn}` });
      await mesh.outcome(`turn-${turn}`);
      upstream.final(`turn-${turn}:0`, 'agent:main:loop', `loop ${turn}`);
    }
    await answer('loop 3');
    upstream.final('foreign-3', 'agent:main:watched', 'afterwards');
    await answer('afterwards');
    expect(mesh.events.filter(({ data }) => /^loop/.test(data.text ?? '')).map(({ data }) => data.text)).toEqual(['loop 1', 'loop 2', 'loop 3']);
  });

  it('reports a refused message with its code, and an account whose token is wrong', async () => {
    upstream.refuseNext({ code: 'INVALID_REQUEST', message: 'no such agent', details: { code: 'AGENT_NOT_FOUND' } });
    await mesh.send('upstream', { sendId: 'refused', to: 'agent:nobody:main' });
    expect((await mesh.outcome('refused')).data.error).toMatchObject({ message: 'no such agent', code: 'AGENT_NOT_FOUND' });
    expect((await mesh.state('wrong', 'down')).data.reason).toContain('token');
  });
});
